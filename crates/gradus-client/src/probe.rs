//! What a server can do, asked with as few requests of one token as it takes.

use gradus::lm::{LmError, Sampling};
use serde_json::{Map, Value, json};

use super::budget::Tokens;
use super::config::Api;
use super::generate::Form;
use super::server::{Answerless, Server, most_tokens};
use super::wire::{self, SamplingReply};

/// What a server is to be used for.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Use {
    /// Sampling, through `Generate`.
    Sample,
    /// Log-probs of given texts, through `LogProb`.
    Score,
}

/// What is known of a server.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Probe {
    /// How it samples; absent before it was asked.
    pub sampling: Option<Sampled>,
    /// How it scores given texts; absent before it was asked.
    pub scoring: Option<Scoring>,
    /// It names its penalty of repetition and its ranks as llama.cpp does.
    pub(crate) llama_cpp: bool,
}

/// What a server takes when it samples.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[expect(clippy::struct_excessive_bools, reason = "four abilities, none of which excludes another")]
pub struct Sampled {
    /// Several samples in one request.
    pub n: bool,
    /// A seed. That it is taken does not prove that it is obeyed.
    pub seed: bool,
    /// Log-probs of the sampled tokens come back.
    pub log_probs: bool,
    /// `top_k`, `min_p` and `repetition_penalty`.
    pub extras: bool,
    /// Name of the limit: `max_tokens`, or `max_completion_tokens` with newer models of OpenAI.
    pub limit: &'static str,
}

/// How a server scores a given text.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Scoring {
    /// By `prompt_logprobs`, as vLLM has it, with ids and ranks.
    PromptLogProbs,
    /// By `echo`, and this many tokens sampled after it (0, or 1 where 0 is refused).
    Echo {
        /// Tokens sampled after the text.
        max_tokens: u8,
    },
}

impl Server {
    /// Asks the server what it can do of `uses`, once; what it cannot at all is an error.
    ///
    /// Costs one to six requests of at most two tokens for each use, and tells the result
    /// to the monitor.
    pub fn prepare(&self, uses: &[Use]) -> Result<Probe, LmError> {
        for purpose in uses {
            match purpose {
                Use::Sample => drop(self.sampled()?),
                Use::Score => drop(self.scoring()?),
            }
        }
        Ok(*self.probe())
    }

    pub(crate) fn sampled(&self) -> Result<Sampled, LmError> {
        let known = self.probe().sampling;
        if let Some(sampled) = known {
            return Ok(sampled);
        }
        let sampled = self.ask_sampling()?;
        self.probe().sampling = Some(sampled);
        let can = |able: bool| if able { "yes" } else { "no" };
        self.monitor.note(format!(
            "{}: several samples in a request: {}; seed: {}; log-probs: {}; top_k, min_p and \
             repetition_penalty: {}",
            self.label(),
            can(sampled.n),
            can(sampled.seed),
            if self.config.log_probs { can(sampled.log_probs) } else { "not asked for" },
            can(sampled.extras)
        ));
        Ok(sampled)
    }

    fn ask_sampling(&self) -> Result<Sampled, LmError> {
        let all = Sampled {
            n: true,
            seed: true,
            log_probs: self.config.log_probs,
            extras: true,
            limit: "max_tokens",
        };
        match self.try_sampling(all) {
            Ok(seen) => return Ok(seen),
            Err(Answerless::Refused(_)) => {}
            Err(Answerless::Ended(error)) => return Err(error),
        }
        let none = Sampled { n: false, seed: false, log_probs: false, extras: false, ..all };
        let renamed = Sampled { limit: "max_completion_tokens", ..none };
        let plain = match self.try_sampling(none) {
            Ok(_) => none,
            Err(Answerless::Refused(reason)) if reason.contains("max_completion_tokens") => {
                self.try_sampling(renamed).map_err(|error| self.refused(error))?;
                renamed
            }
            Err(error) => return Err(self.refused(error)),
        };
        let mut able = plain;
        for (wish, grant) in [
            (Sampled { extras: true, ..plain }, |able: &mut Sampled| &mut able.extras),
            (Sampled { seed: true, ..plain }, |able: &mut Sampled| &mut able.seed),
            (Sampled { n: true, ..plain }, |able: &mut Sampled| &mut able.n),
            (Sampled { log_probs: all.log_probs, ..plain }, |able: &mut Sampled| {
                &mut able.log_probs
            }),
        ] as [(Sampled, fn(&mut Sampled) -> &mut bool); 4]
        {
            if wish == plain {
                continue;
            }
            match self.try_sampling(wish) {
                Ok(seen) => *grant(&mut able) = seen == wish,
                Err(Answerless::Refused(_)) => {}
                Err(error) => return Err(self.refused(error)),
            }
        }
        Ok(able)
    }

    fn refused(&self, error: Answerless) -> LmError {
        match error {
            Answerless::Refused(reason) => {
                self.unavailable(format!("the server refuses the simplest request: {reason}"))
            }
            Answerless::Ended(error) => error,
        }
    }

    /// Samples one token as `wish` says; gives back what of it came true.
    fn try_sampling(&self, wish: Sampled) -> Result<Sampled, Answerless> {
        let sampling = Sampling { max_tokens: 1, ..Sampling::default() };
        let form = Form {
            limit: wish.limit,
            log_probs: wish.log_probs,
            extras: wish.extras,
            llama_cpp: self.probe().llama_cpp,
        };
        let mut body = self.body();
        let text = "1 + 1 =";
        let path = match self.config.api {
            Api::Chat => {
                body.insert("messages".into(), json!([{"role": "user", "content": text}]));
                "chat/completions"
            }
            Api::Completions => {
                body.insert("prompt".into(), text.into());
                "completions"
            }
        };
        form.fill(&mut body, &sampling, self.config.api);
        let count = if wish.n { 2 } else { 1 };
        body.insert("n".into(), count.into());
        if wish.seed {
            body.insert("seed".into(), 0.into());
        }
        let worst = Tokens { prompt: most_tokens(text.len(), 1), completion: count };
        let read = |bytes: &[u8]| {
            let reply: SamplingReply = wire::json(bytes)?;
            let spent = reply.usage.and_then(wire::UsageReply::tokens);
            Ok((reply, spent))
        };
        let reply = self.question(path, Some(&body), worst, read)?;
        if reply.choices.is_empty() {
            return Err(Answerless::Refused("the answer has no choices".into()));
        }
        let log_probs = reply.choices.iter().all(wire::ChoiceReply::has_log_probs);
        Ok(Sampled {
            n: wish.n && reply.choices.len() == 2,
            log_probs: wish.log_probs && log_probs,
            ..wish
        })
    }

    pub(crate) fn scoring(&self) -> Result<Scoring, LmError> {
        let known = self.probe().scoring;
        if let Some(scoring) = known {
            return Ok(scoring);
        }
        let mut reasons = Vec::new();
        for scoring in [
            Scoring::PromptLogProbs,
            Scoring::Echo { max_tokens: 0 },
            Scoring::Echo { max_tokens: 1 },
        ] {
            match self.try_scoring(scoring) {
                Ok(()) => {
                    self.probe().scoring = Some(scoring);
                    self.monitor.note(format!(
                        "{}: scores given texts by {}",
                        self.label(),
                        match scoring {
                            Scoring::PromptLogProbs => "prompt_logprobs",
                            Scoring::Echo { .. } => "echo",
                        }
                    ));
                    return Ok(scoring);
                }
                Err(Answerless::Refused(reason)) => reasons.push(reason),
                Err(Answerless::Ended(error)) => return Err(error),
            }
        }
        Err(self.unsupported(format!(
            "score given texts: /completions gives log-probs of the prompt neither by \
             prompt_logprobs ({}) nor by echo ({})",
            reasons[0], reasons[1]
        )))
    }

    fn try_scoring(&self, scoring: Scoring) -> Result<(), Answerless> {
        let text = "1 + 1 = 2";
        let body = self.scoring_body(scoring, text);
        let worst = Tokens { prompt: most_tokens(text.len(), 0), completion: 1 };
        let read = |bytes: &[u8]| {
            let reply: SamplingReply = wire::json(bytes)?;
            let spent = reply.usage.and_then(wire::UsageReply::tokens);
            Ok((reply, spent))
        };
        let reply = self.question("completions", Some(&body), worst, read)?;
        let pieces = super::log_prob::pieces(reply, scoring).map_err(Answerless::Refused)?;
        if pieces.len() < 2 {
            return Err(Answerless::Refused("the answer has no log-probs of the prompt".into()));
        }
        Ok(())
    }

    pub(crate) fn scoring_body(&self, scoring: Scoring, text: &str) -> Map<String, Value> {
        let mut body = self.body();
        let form = match scoring {
            Scoring::PromptLogProbs => json!({"prompt_logprobs": 0, "max_tokens": 1}),
            Scoring::Echo { max_tokens } => {
                json!({"echo": true, "logprobs": 1, "max_tokens": max_tokens})
            }
        };
        if let Value::Object(fields) = form {
            body.extend(fields);
        }
        body.insert("prompt".into(), text.into());
        body.insert("n".into(), 1.into());
        // What is sampled after the text is thrown away; nothing may bend its log-probs.
        body.insert("temperature".into(), 1.into());
        body.insert("top_p".into(), 1.into());
        body.insert("stream".into(), false.into());
        body
    }
}
