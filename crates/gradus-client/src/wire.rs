//! What servers answer, and the checks that turn it into what we use.

use serde::{Deserialize, Serialize};

use super::budget::Tokens;

/// Log-probs above 0 by no more than rounding.
const ROUNDING: f64 = 1e-3;

#[derive(Clone, Copy, Debug, Deserialize)]
#[expect(clippy::struct_field_names, reason = "named as in the answer")]
pub(crate) struct UsageReply {
    prompt_tokens: Option<u64>,
    completion_tokens: Option<u64>,
    total_tokens: Option<u64>,
}

impl UsageReply {
    /// The tokens counted; absent where the server does not count prompts.
    pub(crate) fn tokens(self) -> Option<Tokens> {
        let prompt = self.prompt_tokens?;
        let rest = self.total_tokens.unwrap_or(prompt).saturating_sub(prompt);
        Some(Tokens { prompt, completion: self.completion_tokens.unwrap_or(rest) })
    }
}

/// Answer of both sampling endpoints.
#[derive(Debug, Deserialize)]
pub(crate) struct SamplingReply {
    pub(crate) choices: Vec<ChoiceReply>,
    pub(crate) usage: Option<UsageReply>,
}

#[derive(Debug, Deserialize)]
pub(crate) struct ChoiceReply {
    index: Option<u64>,
    /// Of `/completions`.
    text: Option<String>,
    /// Of `/chat/completions`.
    message: Option<MessageReply>,
    finish_reason: Option<String>,
    pub(crate) logprobs: Option<LogProbsReply>,
    pub(crate) prompt_logprobs: Option<Vec<Option<PositionReply>>>,
}

/// vLLM's: token id to what is known of it.
pub(crate) type PositionReply = std::collections::BTreeMap<String, RankedReply>;

#[derive(Debug, Deserialize)]
pub(crate) struct RankedReply {
    pub(crate) logprob: f64,
    pub(crate) rank: Option<u32>,
}

#[derive(Debug, Deserialize)]
struct MessageReply {
    content: Option<String>,
}

#[derive(Debug, Deserialize)]
pub(crate) struct LogProbsReply {
    /// Of `/chat/completions`.
    content: Option<Vec<TokenReply>>,
    /// Of `/completions`.
    pub(crate) tokens: Option<Vec<String>>,
    pub(crate) token_logprobs: Option<Vec<Option<f64>>>,
}

#[derive(Debug, Deserialize)]
struct TokenReply {
    logprob: f64,
}

/// A sampled completion, checked; also what the cache keeps.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub(crate) struct Choice {
    pub(crate) text: String,
    /// Whether the limit of tokens ended it.
    pub(crate) cut: bool,
    pub(crate) log_probs: Vec<f32>,
    pub(crate) prompt_tokens: Option<usize>,
    pub(crate) completion_tokens: Option<usize>,
}

pub(crate) fn json<'a, T: Deserialize<'a>>(bytes: &'a [u8]) -> Result<T, String> {
    serde_json::from_slice(bytes).map_err(|error| format!("malformed answer: {error}"))
}

/// A log-prob as it may be.
pub(crate) fn log_prob(value: f64) -> Result<f32, String> {
    if value.is_nan() || value > ROUNDING {
        return Err(format!("malformed answer: a log-prob of {value}"));
    }
    Ok(value.min(0.0) as f32)
}

impl ChoiceReply {
    fn log_probs(&self) -> Option<Result<Vec<f32>, String>> {
        let reply = self.logprobs.as_ref()?;
        if let Some(content) = &reply.content {
            return Some(content.iter().map(|token| log_prob(token.logprob)).collect());
        }
        let values = reply.token_logprobs.as_ref()?;
        let value = |value: &Option<f64>| {
            log_prob(value.ok_or("malformed answer: a sampled token without a log-prob")?)
        };
        Some(values.iter().map(value).collect())
    }

    /// Whether the server gave log-probs at all.
    pub(crate) fn has_log_probs(&self) -> bool {
        matches!(self.log_probs(), Some(Ok(values)) if !values.is_empty())
    }
}

impl SamplingReply {
    /// The choices by their index, `count` of them. An inner error is of its choice alone.
    pub(crate) fn choices(
        self,
        count: usize,
        log_probs: bool,
    ) -> Result<Vec<Result<Choice, String>>, String> {
        if self.choices.len() != count {
            let found = self.choices.len();
            return Err(format!("malformed answer: {found} choices, expected {count}"));
        }
        let mut placed: Vec<Option<Result<Choice, String>>> = vec![None; count];
        for reply in self.choices {
            let index = match reply.index {
                Some(index) => index,
                None if count == 1 => 0,
                None => return Err("malformed answer: a choice without an index".into()),
            };
            let place = usize::try_from(index).ok().and_then(|index| placed.get_mut(index));
            let place = place.ok_or_else(|| {
                format!("malformed answer: a choice with index {index}, expected 0..{count}")
            })?;
            if place.is_some() {
                return Err(format!("malformed answer: two choices with index {index}"));
            }
            *place = Some(reply.choice(log_probs, self.usage, count)?);
        }
        // As many as there are places, none of them twice: every place is taken.
        Ok(placed.into_iter().flatten().collect())
    }
}

impl ChoiceReply {
    fn choice(
        self,
        log_probs: bool,
        usage: Option<UsageReply>,
        count: usize,
    ) -> Result<Result<Choice, String>, String> {
        let log_probs = match self.log_probs() {
            _ if !log_probs => Vec::new(),
            Some(values) => values?,
            None => return Err("malformed answer: log-probs were asked for and are absent".into()),
        };
        let cut = match self.finish_reason.as_deref() {
            Some("stop" | "eos" | "eos_token" | "stop_sequence") => false,
            Some("length" | "max_tokens") => true,
            Some(other @ ("content_filter" | "tool_calls" | "function_call")) => {
                return Ok(Err(format!("the server ended the completion with {other:?}")));
            }
            other => return Err(format!("malformed answer: finish_reason {other:?}")),
        };
        let text = match (self.message, self.text) {
            // No content: nothing was said outside the reasoning, or up to the limit.
            (Some(message), _) => message.content.unwrap_or_default(),
            (None, Some(text)) => text,
            (None, None) => return Err("malformed answer: a choice without a text".into()),
        };
        let counted = usage.and_then(|usage| usage.completion_tokens).filter(|_| count == 1);
        let sampled = (!log_probs.is_empty()).then_some(log_probs.len());
        let prompt_tokens = usage.and_then(|usage| usage.prompt_tokens);
        Ok(Ok(Choice {
            text,
            cut,
            log_probs,
            prompt_tokens: prompt_tokens.map(|tokens| tokens as usize),
            completion_tokens: counted.map(|tokens| tokens as usize).or(sampled),
        }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn choices(body: &str, count: usize, log_probs: bool) -> Result<Vec<Choice>, String> {
        let reply: SamplingReply = json(body.as_bytes())?;
        reply.choices(count, log_probs)?.into_iter().collect()
    }

    /// The example of OpenAI's API reference, shortened.
    const CHAT: &str = r#"{"id": "chatcmpl-123", "object": "chat.completion", "choices": [
        {"index": 0, "message": {"role": "assistant", "content": "Hello!"},
         "logprobs": {"content": [
            {"token": "Hello", "logprob": -0.31725305, "bytes": [72], "top_logprobs": []},
            {"token": "!", "logprob": -0.02380986, "bytes": [33], "top_logprobs": []}]},
         "finish_reason": "stop"}],
        "usage": {"prompt_tokens": 9, "completion_tokens": 3, "total_tokens": 12}}"#;

    #[test]
    fn a_chat_answer_is_read() {
        let choice = &choices(CHAT, 1, true).unwrap()[0];
        assert_eq!((choice.text.as_str(), choice.cut), ("Hello!", false));
        assert_eq!(choice.log_probs, [-0.317_253_05, -0.023_809_86]);
        assert_eq!((choice.prompt_tokens, choice.completion_tokens), (Some(9), Some(3)));
        assert!(choices(CHAT, 1, false).unwrap()[0].log_probs.is_empty());
    }

    #[test]
    fn choices_are_placed_by_their_index() {
        let body = r#"{"choices": [{"index": 1, "text": "b", "finish_reason": "length"},
                                   {"index": 0, "text": "a", "finish_reason": "stop"}]}"#;
        let texts: Vec<String> =
            choices(body, 2, false).unwrap().into_iter().map(|choice| choice.text).collect();
        assert_eq!(texts, ["a", "b"]);
    }

    #[test]
    fn answers_of_a_wrong_form_say_what_is_wrong() {
        let choice = |fields: &str| format!(r#"{{"text": "a", "finish_reason": "stop"{fields}}}"#);
        let body = |choices: &[String]| format!(r#"{{"choices": [{}]}}"#, choices.join(","));
        let (zero, one) = (choice(r#", "index": 0"#), choice(r#", "index": 1"#));
        for (body, count, expected) in [
            (body(std::slice::from_ref(&zero)), 2, "1 choices, expected 2"),
            (body(&[zero.clone(), one.clone()]), 1, "2 choices, expected 1"),
            (body(&[zero.clone(), zero.clone()]), 2, "two choices with index 0"),
            (body(&[zero.clone(), choice(r#", "index": 7"#)]), 2, "index 7, expected 0..2"),
            (body(&[choice(""), one]), 2, "without an index"),
            (r#"{"error": {"message": "no"}}"#.into(), 1, "missing field `choices`"),
            (r#"{"choices": [{"index": 0, "text": "a"}]}"#.into(), 1, "finish_reason None"),
        ] {
            let error = choices(&body, count, false).unwrap_err();
            assert!(error.contains(expected), "{error}");
        }
        let absent = choices(&body(&[zero]), 1, true).unwrap_err();
        assert!(absent.contains("log-probs were asked for"), "{absent}");
    }

    #[test]
    fn a_filtered_choice_fails_alone() {
        let body = r#"{"choices": [
            {"index": 0, "message": {"content": null}, "finish_reason": "content_filter"},
            {"index": 1, "message": {"content": null}, "finish_reason": "length"}]}"#;
        let reply: SamplingReply = json(body.as_bytes()).unwrap();
        let choices = reply.choices(2, false).unwrap();
        assert!(choices[0].as_ref().unwrap_err().contains("content_filter"));
        assert_eq!(choices[1].as_ref().unwrap().text, "");
    }

    #[test]
    fn log_probs_are_numbers_up_to_0() {
        assert_eq!(log_prob(1e-6), Ok(0.0));
        assert!(log_prob(0.5).is_err() && log_prob(f64::NAN).is_err());
    }
}
