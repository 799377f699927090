use std::ops::ControlFlow;

use gradus::lm::{Judged, Key, LmError, Reward, RowError, Sink};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::budget::Tokens;
use super::call::{self, Call, Message, NoAnswer};
use super::config::{RewardEndpoint, RewardForm};
use super::server::{Server, most_tokens, to_bytes};
use super::wire::{self, UsageReply};

/// Answers of `/pooling`, `/classify` and `/score`.
#[derive(Deserialize)]
struct JudgementReply {
    data: Vec<ValueReply>,
    usage: Option<UsageReply>,
}

#[derive(Deserialize, Serialize)]
struct ValueReply {
    /// Of `/pooling`: a row of class probabilities for each step.
    data: Option<Value>,
    /// Of `/classify`: probabilities of the classes.
    probs: Option<Vec<f64>>,
    /// Of `/score`.
    score: Option<f64>,
}

/// The rewards in one answer: of every step, or one of the whole.
fn rewards(data: Vec<ValueReply>, form: &RewardForm, steps: usize) -> Result<Vec<f64>, String> {
    let [value] = <[_; 1]>::try_from(data)
        .map_err(|data| format!("malformed answer: {} judgements, expected 1", data.len()))?;
    let values = match form.endpoint {
        RewardEndpoint::Pooling => {
            let data = value.data.ok_or("malformed answer: no data of the text")?;
            let rows = data.as_array().ok_or("malformed answer: data of the text is no list")?;
            let rewards = rows.iter().map(|row| reward(row, form.class));
            let rewards = rewards.collect::<Result<Vec<f64>, String>>()?;
            if rewards.len() != steps {
                return Err(format!(
                    "the answer has {} judgements for {steps} steps; step_mark ({:?}) must be the \
                     mark that the model was trained with",
                    rewards.len(),
                    form.step_mark
                ));
            }
            rewards
        }
        RewardEndpoint::Classify => {
            let probs = value.probs.ok_or("malformed answer: no probs")?;
            vec![class(&probs, form.class)?]
        }
        RewardEndpoint::Score => vec![value.score.ok_or("malformed answer: no score")?],
    };
    match values.iter().find(|value| !(0.0..=1.0).contains(*value)) {
        Some(value) => Err(format!("the answer has the judgement {value}, no probability")),
        None => Ok(values),
    }
}

/// A step's judgement: a number, or a row of class probabilities.
fn reward(row: &Value, wanted: Option<usize>) -> Result<f64, String> {
    if let Some(value) = row.as_f64() {
        return Ok(value);
    }
    let row: Option<Vec<f64>> =
        row.as_array().and_then(|row| row.iter().map(Value::as_f64).collect());
    class(&row.ok_or("malformed answer: a judgement that is no number")?, wanted)
}

fn class(probs: &[f64], wanted: Option<usize>) -> Result<f64, String> {
    let index = wanted.unwrap_or(probs.len().saturating_sub(1));
    let found = probs.get(index).copied();
    found.ok_or_else(|| format!("the answer has {} classes, and none is {index}", probs.len()))
}

impl Server {
    fn judge(&self, row: &Judged, call: &Call<'_>) -> Result<Vec<f64>, NoAnswer> {
        let form = &self.config.reward;
        let mut steps = Vec::new();
        for span in &row.steps {
            let step = row.completion.get(span.start..span.end);
            steps.push(step.ok_or_else(|| {
                NoAnswer::Row(format!(
                    "step {}..{} is no part of the completion's {} bytes",
                    span.start,
                    span.end,
                    row.completion.len()
                ))
            })?);
        }
        if steps.is_empty() {
            steps.push(&row.completion);
        }
        let mut body = self.body();
        let path = match form.endpoint {
            RewardEndpoint::Pooling => {
                let marked: String =
                    steps.iter().flat_map(|step| [step.trim(), form.step_mark.as_str()]).collect();
                let mut messages = vec![
                    json!({"role": "user", "content": &*row.problem}),
                    json!({"role": "assistant", "content": marked}),
                ];
                if !form.system.is_empty() {
                    messages.insert(0, json!({"role": "system", "content": form.system}));
                }
                body.insert("messages".into(), messages.into());
                // The answer is there: nobody is asked to begin another.
                body.insert("add_generation_prompt".into(), false.into());
                "pooling"
            }
            RewardEndpoint::Classify => {
                let text = format!("{}{}{}", row.problem, form.separator, row.completion);
                body.insert("input".into(), text.into());
                "classify"
            }
            RewardEndpoint::Score => {
                body.insert("text_1".into(), (*row.problem).into());
                body.insert("text_2".into(), row.completion.clone().into());
                "score"
            }
        };
        let body = to_bytes(&body);
        let message = Message {
            url: self.http.root_endpoint(path),
            worst: Tokens { prompt: most_tokens(body.len(), 3), completion: 0 },
            body: Some(body),
            attempts: self.config.attempts,
            probe: false,
        };
        let data: Vec<ValueReply> = call.ask(&message, |bytes| {
            let reply: JudgementReply = wire::json(bytes)?;
            Ok((reply.data, reply.usage.and_then(UsageReply::tokens)))
        })?;
        // Counts and classes that do not fit will not fit the next time.
        rewards(data, form, steps.len()).map_err(NoAnswer::Row)
    }
}

/// Judges over vLLM's `/pooling` (a process reward model: one probability per step),
/// `/classify` or `/score` (one for the whole), as the config's `reward` table says.
impl Reward for Server {
    fn reward(&self, completions: &[Judged], sink: &mut Sink<'_, Vec<f64>>) -> Result<(), LmError> {
        let work = |row: &Judged, call: &Call<'_>, emit: &mut call::Emit<'_, Row>| {
            let key = row.key.clone();
            let judged = match self.judge(row, call) {
                Err(NoAnswer::Row(reason) | NoAnswer::GivenUp(reason)) => {
                    Err(RowError { key: key.clone(), reason })
                }
                other => Ok(other?),
            };
            _ = emit((key, judged));
            Ok(())
        };
        call::each(self, completions, work, |(key, row)| -> ControlFlow<()> { sink(key, row) })
    }
}

type Row = (Key, Result<Vec<f64>, RowError>);

#[cfg(test)]
mod tests {
    use super::*;

    fn read(body: &str, endpoint: RewardEndpoint, steps: usize) -> Result<Vec<f64>, String> {
        let form = RewardForm { endpoint, ..RewardForm::default() };
        rewards(wire::json::<JudgementReply>(body.as_bytes())?.data, &form, steps)
    }

    #[test]
    fn the_three_endpoints_are_read() {
        let pooling = r#"{"data": [{"index": 0, "data": [[0.9, 0.1], [0.25, 0.75]]}]}"#;
        assert_eq!(read(pooling, RewardEndpoint::Pooling, 2).unwrap(), [0.1, 0.75]);
        let classify = r#"{"data": [{"index": 0, "label": "LABEL_1", "probs": [0.4, 0.6]}]}"#;
        assert_eq!(read(classify, RewardEndpoint::Classify, 3).unwrap(), [0.6]);
        let score = r#"{"data": [{"index": 0, "object": "score", "score": 0.5}]}"#;
        assert_eq!(read(score, RewardEndpoint::Score, 3).unwrap(), [0.5]);
    }

    #[test]
    fn judgements_that_do_not_fit_are_faults() {
        let pooling = r#"{"data": [{"data": [[0.9, 0.1]]}]}"#;
        let error = read(pooling, RewardEndpoint::Pooling, 2).unwrap_err();
        assert!(error.contains("1 judgements for 2 steps"), "{error}");
        let logit = r#"{"data": [{"score": 2.5}]}"#;
        assert!(read(logit, RewardEndpoint::Score, 1).unwrap_err().contains("2.5"));
        let form = RewardForm { class: Some(4), ..RewardForm::default() };
        let reply: JudgementReply = wire::json(pooling.as_bytes()).unwrap();
        assert!(rewards(reply.data, &form, 1).unwrap_err().contains("2 classes"));
    }
}
