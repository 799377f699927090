use std::collections::HashMap;

use super::rows::{each, generated};
use super::{Capabilities, Generate, Generated, LmError, Request, Sampling, Sink};
use crate::data::{FinishReason, Problem};
use crate::run::Stream;

/// A model that knows the answers and gives the right one with a stated chance by level.
///
/// Whether a sample is right, and how it is wrong, is drawn from the stream of its key, so
/// that it depends on nothing else. The answer stands in a box; a wrong one differs from
/// the gold under every mode of grading.
#[derive(Clone, Debug)]
pub struct Oracle {
    accuracy: Vec<f64>,
    golds: HashMap<String, Gold>,
}

#[derive(Clone, Debug)]
struct Gold {
    answer: Option<String>,
    choices: usize,
    level: Option<u32>,
}

impl Oracle {
    /// `accuracy` (0 to 1) of the problems of level 1, 2 and so on; the last stays for higher
    /// levels, and the first serves problems of level 0 or of none.
    pub fn new(accuracy: Vec<f64>, problems: &[Problem]) -> Self {
        let gold = |problem: &Problem| Gold {
            answer: problem.answer.clone(),
            choices: problem.choices.len(),
            level: problem.level,
        };
        let golds = problems.iter().map(|problem| (problem.id.clone(), gold(problem))).collect();
        Self { accuracy, golds }
    }

    fn answer(&self, request: &Request, sampling: &Sampling) -> Result<Generated, String> {
        let key = &request.key;
        let gold = self.golds.get(&*key.problem).ok_or("the oracle does not know the problem")?;
        let answer = gold.answer.as_deref().ok_or("the oracle needs the problem's answer")?;
        let (sample, branch) = (key.sample.to_string(), key.branch.to_string());
        let path = [sampling.stream.as_str(), "oracle", &key.problem, &sample, &branch];
        let mut stream = Stream::new(sampling.seed, &path);
        let level = gold.level.unwrap_or_default().saturating_sub(1) as usize;
        let accuracy = self.accuracy.get(level).or(self.accuracy.last()).copied();
        let given = if stream.unit() < accuracy.unwrap_or_default() {
            answer.to_owned()
        } else {
            wrong(answer, gold.choices, &mut stream)
        };
        let text = format!("{}The answer is \\boxed{{{given}}}.", request.prefix);
        Ok(generated(text, FinishReason::Stop))
    }
}

/// An answer that is not the gold, one of several so that they do not all agree.
fn wrong(gold: &str, choices: usize, stream: &mut Stream) -> String {
    let mut letters = gold.bytes();
    if let (Some(letter @ b'A'..=b'Z'), None) = (letters.next(), letters.next())
        && (2..=26).contains(&choices)
    {
        let shift = 1 + stream.below(choices as u64 - 1);
        let other = (u64::from(letter - b'A') + shift) % choices as u64;
        return char::from(b'A' + other as u8).to_string();
    }
    let shift = 1 + stream.below(9);
    match gold.parse::<i64>() {
        Ok(number) => number.saturating_sub_unsigned(shift).to_string(),
        Err(_) => format!("wrong{shift}"),
    }
}

impl Generate for Oracle {
    fn name(&self) -> String {
        let accuracy: Vec<String> = self.accuracy.iter().map(f64::to_string).collect();
        format!("fake/oracle:{}", accuracy.join(","))
    }

    fn capabilities(&self) -> Capabilities {
        Capabilities { seeds: true, log_probs: false, prefix: true }
    }

    fn generate(
        &self,
        requests: &[Request],
        sampling: &Sampling,
        sink: &mut Sink<'_, Generated>,
    ) -> Result<(), LmError> {
        each(requests, |request| &request.key, |request| self.answer(request, sampling), sink);
        Ok(())
    }
}
