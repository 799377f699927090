use std::collections::HashMap;
use std::ops::ControlFlow;

use super::{
    Capabilities, Continuation, Detail, Embed, Generate, Generated, Judged, Key, LmError, LogProb,
    Pooling, Prompt, Request, Reward, RowError, Sampling, Scored, Sink,
};
use crate::data::FinishReason;

/// A model that answers from a script: for tests and dry runs.
///
/// Answers are looked up by prompt text and cycle over the sample index.
#[derive(Clone, Debug, Default)]
pub struct Scripted {
    answers: HashMap<String, Vec<String>>,
}

impl Scripted {
    /// A script with the answers of each prompt.
    pub fn new<P: Into<String>>(script: impl IntoIterator<Item = (P, Vec<String>)>) -> Self {
        Self { answers: script.into_iter().map(|(prompt, texts)| (prompt.into(), texts)).collect() }
    }

    fn answer(&self, request: &Request) -> Result<Generated, RowError> {
        let fail = |reason: String| RowError { key: request.key.clone(), reason };
        let Prompt::Text(prompt) = &request.prompt else {
            return Err(fail("the script holds text prompts only".into()));
        };
        let texts = self
            .answers
            .get(&**prompt)
            .filter(|texts| !texts.is_empty())
            .ok_or_else(|| fail(format!("the script has no answer to {prompt:?}")))?;
        let text = &texts[request.key.sample as usize % texts.len()];
        Ok(Generated {
            text: format!("{}{text}", request.prefix),
            tokens: Vec::new(),
            token_log_probs: Vec::new(),
            sampled_log_probs: Vec::new(),
            prompt_tokens: None,
            completion_tokens: None,
            finish_reason: FinishReason::Stop,
        })
    }
}

impl Generate for Scripted {
    fn name(&self) -> String {
        "fake/scripted".into()
    }

    fn capabilities(&self) -> Capabilities {
        Capabilities { seeds: true, log_probs: false, prefix: true }
    }

    fn generate(
        &self,
        requests: &[Request],
        _sampling: &Sampling,
        sink: &mut Sink<'_, Generated>,
    ) -> Result<(), LmError> {
        each(requests, |request| &request.key, |request| self.answer(request), sink);
        Ok(())
    }
}

/// One token a byte, each with log-prob -1; of the distribution nothing else is known.
impl LogProb for Scripted {
    fn log_prob(
        &self,
        continuations: &[Continuation],
        detail: Detail,
        sink: &mut Sink<'_, Scored>,
    ) -> Result<(), LmError> {
        if detail != Detail::default() {
            return Err(LmError::Unsupported {
                model: self.name(),
                request: "tell ranks or moments of a distribution".to_owned(),
            });
        }
        let score = |row: &Continuation| {
            Ok(Scored { token_log_probs: vec![-1.0; row.text.len()], ..Scored::default() })
        };
        each(continuations, |row| &row.key, score, sink);
        Ok(())
    }
}

/// A step is right if the script's first answer to the problem contains it.
impl Reward for Scripted {
    fn reward(&self, completions: &[Judged], sink: &mut Sink<'_, Vec<f64>>) -> Result<(), LmError> {
        let judge = |row: &Judged| {
            let truth = self.answers.get(&*row.problem).and_then(|texts| texts.first());
            let truth = truth.ok_or_else(|| RowError {
                key: row.key.clone(),
                reason: format!("the script has no answer to {:?}", row.problem),
            })?;
            let right = |step: &str| f64::from(u8::from(truth.contains(step)));
            Ok(row.steps.iter().map(|span| right(&row.completion[span.start..span.end])).collect())
        };
        each(completions, |row| &row.key, judge, sink);
        Ok(())
    }
}

/// Byte histograms.
impl Embed for Scripted {
    fn embed(
        &self,
        texts: &[&str],
        _layer: Option<&str>,
        _pooling: Pooling,
    ) -> Result<Vec<Vec<f32>>, LmError> {
        let histogram = |text: &&str| {
            let mut counts = vec![0.0; 256];
            text.bytes().for_each(|byte| counts[usize::from(byte)] += 1.0);
            counts
        };
        Ok(texts.iter().map(histogram).collect())
    }
}

fn each<R, T>(
    rows: &[R],
    key: impl Fn(&R) -> &Key,
    answer: impl Fn(&R) -> Result<T, RowError>,
    sink: &mut Sink<'_, T>,
) {
    for row in rows {
        if let ControlFlow::Break(()) = sink(key(row).clone(), answer(row)) {
            return;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(prompt: &str, sample: u32) -> Request {
        Request {
            key: Key { problem: "p".into(), sample, branch: 0 },
            prompt: Prompt::Text(prompt.into()),
            prefix: "".into(),
        }
    }

    fn sampling() -> Sampling {
        Sampling { max_tokens: 8, ..Sampling::default() }
    }

    #[test]
    fn samples_cycle_over_the_script_and_a_missing_prompt_fails_its_row_only() {
        let model = Scripted::new([("2+2", vec!["4".to_owned(), "5".to_owned()])]);
        let requests = [request("2+2", 0), request("2+2", 1), request("2+2", 2), request("?", 0)];
        let mut rows = Vec::new();
        model
            .generate(&requests, &sampling(), &mut |_, row| {
                rows.push(row.map(|generated| generated.text).map_err(|error| error.reason));
                ControlFlow::Continue(())
            })
            .unwrap();
        let missing = "the script has no answer to \"?\"".to_owned();
        assert_eq!(rows, [Ok("4".into()), Ok("5".into()), Ok("4".into()), Err(missing)]);
    }

    #[test]
    fn the_sink_stops_the_work() {
        let model = Scripted::new([("q", vec!["a".to_owned()])]);
        let mut seen = 0;
        model
            .generate(&[request("q", 0), request("q", 1)], &sampling(), &mut |_, _| {
                seen += 1;
                ControlFlow::Break(())
            })
            .unwrap();
        assert_eq!(seen, 1);
    }
}
