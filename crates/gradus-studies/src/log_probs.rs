//! Log-probs of given texts by any model, as rows that survive a kill.

use std::collections::HashMap;
use std::ops::ControlFlow;

use gradus::lm::{Continuation, Detail, Key, LmError, LogProb, RowError, Scored};
use gradus::run::{RunError, Work};
use serde::Serialize;

use crate::StudyError;

/// A text as a model sees it after its prompt.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ScoredText {
    /// Id of the problem.
    pub problem: String,
    /// Index of the text among those of the problem.
    pub sample: u32,
    /// The text.
    pub text: String,
    /// Sum of the natural-log probabilities of its tokens.
    pub log_prob: f64,
    /// How many tokens it has.
    pub tokens: usize,
    /// Whether it is the right answer, where that is known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub correct: Option<bool>,
    /// Name of the model.
    pub model: String,
    /// Natural-log probability of each token, where asked for.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub token_log_probs: Vec<f32>,
    /// Number of tokens that were likelier than each token, where asked for.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub ranks: Vec<u32>,
    /// Entropy, in nats, of the distribution that each token was predicted by, where asked for.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub entropies: Vec<f32>,
    /// Variance of ln p under it, in nats squared, where asked for.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub variances: Vec<f32>,
}

/// A text to score.
#[derive(Clone, Debug, PartialEq)]
pub struct ToScore {
    /// The text after its prompt.
    pub continuation: Continuation,
    /// Whether it is the right answer, where that is known.
    pub correct: Option<bool>,
}

/// How far scoring came.
#[derive(Clone, Debug, Default)]
pub struct Scoring {
    /// Rows that the file holds now.
    pub rows: u64,
    /// Tokens scored this time.
    pub tokens: u64,
    /// Rows that failed this time.
    pub failed: Vec<RowError>,
}

/// Scores texts into `file` of the work's folder, those that it holds already left as they
/// are; `each_token` keeps what is known of every token. Ends as sampling does.
pub fn score(
    work: &Work,
    file: &str,
    (model, name): (&dyn LogProb, &str),
    texts: &[ToScore],
    detail: Detail,
    each_token: bool,
) -> Result<Scoring, StudyError> {
    let mut part = work.part(file)?;
    let open = |text: &&ToScore| {
        let Key { problem, sample, .. } = &text.continuation.key;
        !part.done(problem, *sample)
    };
    let left: Vec<&ToScore> = texts.iter().filter(open).collect();
    let continuations: Vec<Continuation> =
        left.iter().map(|text| text.continuation.clone()).collect();
    let by_key: HashMap<&Key, &ToScore> =
        left.iter().map(|text| (&text.continuation.key, *text)).collect();
    let total = texts.len() as u64;
    let before = total - left.len() as u64;
    let mut scoring = Scoring::default();
    let (mut done, mut ended) = (before, None::<RunError>);
    model.log_prob(&continuations, detail, &mut |key, row| {
        done += 1;
        let appended = match (row, by_key.get(&key)) {
            (Ok(scored), Some(text)) => {
                scoring.tokens += scored.token_log_probs.len() as u64;
                let row = scored_text(text, scored, name, each_token);
                part.append(&row.problem, row.sample, &row)
            }
            (Ok(_), None) => Err(RunError::Internal(format!("a row of no request: {key:?}"))),
            (Err(error), _) => {
                scoring.failed.push(error);
                Ok(())
            }
        };
        match appended.and_then(|()| work.progress(done, total, "texts")) {
            Ok(()) => ControlFlow::Continue(()),
            Err(error) => {
                ended = Some(error);
                ControlFlow::Break(())
            }
        }
    })?;
    if let Some(error) = ended {
        return Err(error.into());
    }
    scoring.rows = part.len() as u64;
    if done < total {
        let reason = format!("it ended before {} of {total} texts were scored", total - done);
        return Err(LmError::Failed { model: name.to_owned(), reason }.into());
    }
    part.finish()?;
    Ok(scoring)
}

fn scored_text(text: &ToScore, scored: Scored, model: &str, each_token: bool) -> ScoredText {
    let Key { problem, sample, .. } = &text.continuation.key;
    let log_probs = &scored.token_log_probs;
    ScoredText {
        problem: problem.to_string(),
        sample: *sample,
        text: text.continuation.text.clone(),
        log_prob: log_probs.iter().map(|&log_prob| f64::from(log_prob)).sum(),
        tokens: log_probs.len(),
        correct: text.correct,
        model: model.to_owned(),
        token_log_probs: if each_token { scored.token_log_probs } else { Vec::new() },
        ranks: scored.ranks,
        entropies: scored.entropies,
        variances: scored.variances,
    }
}
