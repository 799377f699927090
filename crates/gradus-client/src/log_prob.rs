use std::ops::ControlFlow;

use gradus::lm::{Continuation, Detail, Key, LmError, LogProb, Prompt, RowError, Scored, Sink};
use serde::{Deserialize, Serialize};

use super::budget::Tokens;
use super::call::{self, Call, Message, NoAnswer};
use super::probe::Scoring;
use super::server::{Server, most_tokens, to_bytes};
use super::wire::{self, SamplingReply};

/// A token of a given text.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub(crate) struct Piece {
    /// Its text or its id, as the server gives it: only compared with others.
    token: String,
    /// Absent for the first one, which nothing predicts.
    log_prob: Option<f32>,
    /// From 0, where the server ranks.
    rank: Option<u32>,
}

/// The tokens of the text that was sent, what was sampled after it left out.
pub(crate) fn pieces(reply: SamplingReply, scoring: Scoring) -> Result<Vec<Piece>, String> {
    let usage = reply.usage.and_then(wire::UsageReply::tokens);
    let [choice] = <[_; 1]>::try_from(reply.choices)
        .map_err(|choices| format!("malformed answer: {} choices, expected 1", choices.len()))?;
    let mut pieces = match scoring {
        Scoring::PromptLogProbs => {
            let positions = choice.prompt_logprobs.ok_or("the answer has no prompt_logprobs")?;
            positions.into_iter().map(ranked).collect::<Result<Vec<_>, _>>()?
        }
        Scoring::Echo { max_tokens } => {
            let log_probs = choice.logprobs.ok_or("the answer has no logprobs")?;
            let (tokens, values) = (log_probs.tokens, log_probs.token_logprobs);
            let tokens = tokens.ok_or("the answer has no logprobs.tokens")?;
            let values = values.ok_or("the answer has no logprobs.token_logprobs")?;
            if tokens.len() != values.len() {
                return Err(format!(
                    "malformed answer: {} tokens with {} log-probs",
                    tokens.len(),
                    values.len()
                ));
            }
            let piece = |(token, value): (String, Option<f64>)| {
                let log_prob = value.map(wire::log_prob).transpose()?;
                Ok::<_, String>(Piece { token, log_prob, rank: None })
            };
            let mut pieces =
                tokens.into_iter().zip(values).map(piece).collect::<Result<Vec<_>, _>>()?;
            let sampled = usage.map_or(usize::from(max_tokens), |usage| usage.completion as usize);
            let given = pieces.len().checked_sub(sampled);
            pieces.truncate(given.ok_or("malformed answer: fewer tokens than were sampled")?);
            if usage.is_some_and(|usage| usage.prompt as usize != pieces.len()) {
                return Err(format!(
                    "the answer counts {} tokens of the prompt and has log-probs of {}",
                    usage.unwrap_or_default().prompt,
                    pieces.len()
                ));
            }
            pieces
        }
    };
    if let Some(position) = pieces.iter().skip(1).position(|piece| piece.log_prob.is_none()) {
        return Err(format!("malformed answer: token {} has no log-prob", position + 1));
    }
    if let Some(first) = pieces.first_mut() {
        // Where servers give one it is a placeholder: nothing comes before.
        first.log_prob = None;
    }
    Ok(pieces)
}

fn ranked(position: Option<wire::PositionReply>) -> Result<Piece, String> {
    let Some(position) = position else {
        return Ok(Piece { token: String::new(), log_prob: None, rank: None });
    };
    let mut entries = position.into_iter();
    let (Some((token, known)), None) = (entries.next(), entries.next()) else {
        return Err("malformed answer: a position of prompt_logprobs without just one token".into());
    };
    let log_prob = Some(wire::log_prob(known.logprob)?);
    // vLLM counts from 1.
    Ok(Piece { token, log_prob, rank: known.rank.map(|rank| rank.saturating_sub(1)) })
}

/// The tokens that come after those of the context, as the model reads both together.
fn scored(context: &[Piece], whole: &[Piece], detail: Detail) -> Result<Scored, String> {
    let shared =
        context.iter().zip(whole).take_while(|(one, other)| one.token == other.token).count();
    if shared < context.len() {
        return Err(format!(
            "a token crosses the border: token {shared} is {:?} at the end of the prompt alone \
             and {:?} with the continuation; begin the continuation with the white space before it",
            context[shared].token,
            whole.get(shared).map_or("absent", |piece| &piece.token)
        ));
    }
    let mut scored = Scored::default();
    for piece in &whole[shared..] {
        // Only a text without a prompt begins with one that nothing predicts.
        let Some(log_prob) = piece.log_prob else { continue };
        scored.token_log_probs.push(log_prob);
        if detail.ranks {
            scored.ranks.push(piece.rank.ok_or("malformed answer: a token without a rank")?);
        }
    }
    Ok(scored)
}

type Row = (Key, Result<Scored, RowError>);

impl Server {
    fn tokens_of(
        &self,
        scoring: Scoring,
        text: &str,
        call: &Call<'_>,
    ) -> Result<Vec<Piece>, NoAnswer> {
        if text.is_empty() {
            return Ok(Vec::new());
        }
        let body = self.scoring_body(scoring, text);
        let message = Message {
            url: self.http.endpoint("completions"),
            body: Some(to_bytes(&body)),
            worst: Tokens { prompt: most_tokens(text.len(), 0), completion: 1 },
            attempts: self.config.attempts,
            probe: false,
        };
        call.ask(&message, |bytes| {
            let reply: SamplingReply = wire::json(bytes)?;
            let spent = reply.usage.and_then(wire::UsageReply::tokens);
            Ok((pieces(reply, scoring)?, spent))
        })
    }

    /// Scores continuations of one prompt, whose own tokens are asked for once.
    fn score(
        &self,
        rows: &[Continuation],
        scoring: Scoring,
        detail: Detail,
        call: &Call<'_>,
        emit: &mut call::Emit<'_, Row>,
    ) -> Result<(), NoAnswer> {
        let [Continuation { prompt: Prompt::Text(prompt), .. }, ..] = rows else { return Ok(()) };
        let context = match self.tokens_of(scoring, prompt, call) {
            Err(NoAnswer::Row(reason) | NoAnswer::GivenUp(reason)) => Err(reason),
            other => Ok(other?),
        };
        for row in rows {
            let outcome = match &context {
                Err(reason) => Err(format!("the prompt alone: {reason}")),
                Ok(_) if row.text.is_empty() => Ok(Scored::default()),
                Ok(context) => {
                    match self.tokens_of(scoring, &format!("{prompt}{}", row.text), call) {
                        Ok(whole) => scored(context, &whole, detail),
                        Err(NoAnswer::Row(reason) | NoAnswer::GivenUp(reason)) => Err(reason),
                        Err(other) => return Err(other),
                    }
                }
            };
            let key = row.key.clone();
            let outcome = outcome.map_err(|reason| RowError { key: key.clone(), reason });
            if emit((key, outcome)).is_break() {
                return Err(NoAnswer::Cancelled);
            }
        }
        Ok(())
    }
}

/// Scores over `/completions`, by vLLM's `prompt_logprobs` or by `echo`.
///
/// The tokens of a continuation are those that follow the tokens of the prompt alone; where
/// the two texts are not cut at the border of two tokens the row fails. Of a text without
/// a prompt the first token is left out unless the server puts a token before it. Ranks need
/// `prompt_logprobs`; moments of the predicted distributions no server gives.
impl LogProb for Server {
    fn log_prob(
        &self,
        continuations: &[Continuation],
        detail: Detail,
        sink: &mut Sink<'_, Scored>,
    ) -> Result<(), LmError> {
        if continuations.is_empty() {
            return Ok(());
        }
        if continuations.iter().any(|row| !matches!(row.prompt, Prompt::Text(_))) {
            return Err(self.unsupported("score after chat messages or token ids"));
        }
        if detail.moments {
            return Err(self.unsupported("tell moments of the predicted distributions"));
        }
        let scoring = self.scoring()?;
        if detail.ranks && scoring != Scoring::PromptLogProbs {
            return Err(self.unsupported("tell ranks, for which it must have prompt_logprobs"));
        }
        let groups: Vec<&[Continuation]> =
            continuations.chunk_by(|one, next| one.prompt == next.prompt).collect();
        call::each(
            self,
            &groups,
            |rows, call, emit| self.score(rows, scoring, detail, call, emit),
            |(key, row)| -> ControlFlow<()> { sink(key, row) },
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(body: &str, scoring: Scoring) -> Result<Vec<Piece>, String> {
        pieces(wire::json(body.as_bytes())?, scoring)
    }

    const ECHO: &str = r#"{"choices": [{"index": 0, "text": "A b c", "finish_reason": "length",
        "logprobs": {"tokens": ["A", " b", " c"], "token_logprobs": [null, -1.5, -0.5],
                     "text_offset": [0, 1, 3]}}],
        "usage": {"prompt_tokens": 2, "completion_tokens": 1, "total_tokens": 3}}"#;

    #[test]
    fn what_was_sampled_after_an_echo_is_left_out() {
        let pieces = read(ECHO, Scoring::Echo { max_tokens: 1 }).unwrap();
        assert_eq!(pieces.len(), 2);
        assert_eq!((pieces[0].log_prob, pieces[1].log_prob), (None, Some(-1.5)));
    }

    #[test]
    fn prompt_logprobs_of_vllm_have_ids_and_ranks_from_1() {
        let body = r#"{"choices": [{"index": 0, "text": "x", "prompt_logprobs": [null,
            {"11": {"logprob": -2.0, "rank": 3, "decoded_token": " b"}}]}]}"#;
        let pieces = read(body, Scoring::PromptLogProbs).unwrap();
        assert_eq!((pieces[1].token.as_str(), pieces[1].rank), ("11", Some(2)));
        assert!(read(ECHO, Scoring::PromptLogProbs).unwrap_err().contains("prompt_logprobs"));
    }

    #[test]
    fn the_continuation_is_what_follows_the_tokens_of_the_prompt() {
        let piece = |token: &str, log_prob| Piece {
            token: token.into(),
            log_prob: Some(log_prob),
            rank: Some(1),
        };
        let whole = [piece("A", 0.0), piece(" b", -1.5), piece(" c", -0.5)];
        let detail = Detail { ranks: true, moments: false };
        let found = scored(&whole[..1], &whole, detail).unwrap();
        assert_eq!((found.token_log_probs, found.ranks), (vec![-1.5, -0.5], vec![1, 1]));
        let crossing = [piece("A", 0.0), piece(" ", -9.0)];
        let error = scored(&crossing, &whole, detail).unwrap_err();
        assert!(error.contains("token 1 is \" \"") && error.contains("\" b\""), "{error}");
    }

    #[test]
    fn missing_log_probs_are_a_fault() {
        let body = ECHO.replace("-1.5, -0.5", "null, -0.5");
        assert!(read(&body, Scoring::Echo { max_tokens: 1 }).unwrap_err().contains("token 1"));
    }
}
