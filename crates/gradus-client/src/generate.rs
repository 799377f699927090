use std::ops::ControlFlow;
use std::sync::Arc;

use gradus::data::FinishReason;
use gradus::lm::{
    Capabilities, Generate, Generated, Key, LmError, Prompt, Request, RowError, Sampling, Sink,
};
use gradus::run::Stream;
use serde_json::{Map, Value, json};

use super::budget::Tokens;
use super::cache;
use super::call::{self, Call, Message, NoAnswer};
use super::config::Api;
use super::server::{Server, most_tokens, to_bytes};
use super::wire::{self, Choice, SamplingReply};

/// Which fields a body gets.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Form {
    pub(crate) limit: &'static str,
    pub(crate) log_probs: bool,
    pub(crate) extras: bool,
    pub(crate) llama_cpp: bool,
}

impl Form {
    /// Writes every setting, neutral ones too: vLLM takes what is not sent from the model's
    /// own `generation_config.json`.
    pub(crate) fn fill(self, body: &mut Map<String, Value>, sampling: &Sampling, api: Api) {
        let mut set = |name: &str, value: Value| drop(body.insert(name.to_owned(), value));
        set("temperature", number(sampling.temperature));
        set("top_p", number(sampling.top_p));
        set("stream", false.into());
        set(self.limit, sampling.max_tokens.into());
        if self.extras {
            // 0 keeps all with us; -1 does so with every version of vLLM, SGLang and llama.cpp.
            let top_k = if sampling.top_k == 0 { json!(-1) } else { json!(sampling.top_k) };
            set("top_k", top_k);
            set("min_p", number(sampling.min_p));
            let penalty = if self.llama_cpp { "repeat_penalty" } else { "repetition_penalty" };
            set(penalty, number(sampling.repetition_penalty));
        }
        if !sampling.stop.is_empty() {
            set("stop", sampling.stop.clone().into());
        }
        if !sampling.stop_tokens.is_empty() {
            set("stop_token_ids", sampling.stop_tokens.clone().into());
        }
        // One alternative is asked for, as llama.cpp takes 0 for none at all.
        match (self.log_probs, api) {
            (false, _) => {}
            (true, Api::Chat) => {
                set("logprobs", true.into());
                set("top_logprobs", 1.into());
            }
            (true, Api::Completions) => set("logprobs", 1.into()),
        }
    }
}

/// The shortest decimal that reads back as the same f32.
fn number(value: f32) -> Value {
    value.to_string().parse::<f64>().map_or(Value::Null, Value::from)
}

/// Samples of one prompt that one request asks for.
struct Group<'a> {
    requests: &'a [Request],
}

impl Server {
    fn check_sampling(&self, requests: &[Request], sampling: &Sampling) -> Result<Form, LmError> {
        let able = self.sampled()?;
        let llama_cpp = self.probe().llama_cpp;
        let bent =
            sampling.top_k != 0 || sampling.min_p != 0.0 || sampling.repetition_penalty != 1.0;
        if bent && !able.extras {
            return Err(self.unsupported("sample with top_k, min_p or repetition_penalty"));
        }
        if !sampling.stop_tokens.is_empty() && !able.extras {
            return Err(self.unsupported("end at stop tokens"));
        }
        let chat = self.config.api == Api::Chat;
        if chat && requests.iter().any(|request| !request.prefix.is_empty()) {
            return Err(
                self.unsupported("sample with a prefix over chat; use api = \"completions\"")
            );
        }
        for request in requests {
            match (&request.prompt, chat) {
                (Prompt::Chat(_), false) => {
                    return Err(self
                        .unsupported("render chat messages for /completions; use api = \"chat\""));
                }
                (Prompt::Tokens(_), true) => {
                    return Err(self.unsupported(
                        "sample from token ids over chat; use api = \"completions\"",
                    ));
                }
                (Prompt::Tokens(_), false) if !request.prefix.is_empty() => {
                    return Err(self.unsupported("sample from token ids with a prefix"));
                }
                _ => {}
            }
        }
        Ok(Form { limit: able.limit, log_probs: able.log_probs, extras: able.extras, llama_cpp })
    }

    /// Runs of requests with the same prompt and following sample indexes, as long as one
    /// request may be.
    fn groups<'a>(&self, requests: &'a [Request], several: bool) -> Vec<Group<'a>> {
        let most = if several { self.config.choices_per_request as usize } else { 1 };
        let follows = |one: &Request, next: &Request| {
            one.key.problem == next.key.problem
                && one.key.branch == next.key.branch
                && one.key.sample.checked_add(1) == Some(next.key.sample)
                && one.prefix == next.prefix
                && same(&one.prompt, &next.prompt)
        };
        let runs = requests.chunk_by(follows);
        runs.flat_map(|run| run.chunks(most)).map(|requests| Group { requests }).collect()
    }

    /// The body but for `n` and the seed, the tokens that the prompt can take at most, and
    /// the address.
    fn sampling_body(
        &self,
        request: &Request,
        form: Form,
        sampling: &Sampling,
    ) -> (Map<String, Value>, u64, String) {
        let mut body = self.body();
        form.fill(&mut body, sampling, self.config.api);
        let (field, prompt, most) = match (&request.prompt, self.config.api) {
            (Prompt::Chat(messages), _) => {
                let bytes = messages.iter().map(|m| m.role.len() + m.content.len()).sum();
                let shown = messages.iter().map(|m| json!({"role": m.role, "content": m.content}));
                ("messages", shown.collect::<Value>(), most_tokens(bytes, messages.len()))
            }
            (Prompt::Text(text), Api::Chat) => {
                let message = json!([{"role": "user", "content": &**text}]);
                ("messages", message, most_tokens(text.len(), 1))
            }
            (Prompt::Text(text), Api::Completions) => {
                let text = format!("{text}{}", request.prefix);
                let most = most_tokens(text.len(), 0);
                ("prompt", text.into(), most)
            }
            (Prompt::Tokens(tokens), _) => {
                ("prompt", json!(&**tokens), most_tokens(tokens.len(), 0))
            }
        };
        body.insert(field.into(), prompt);
        let path = match self.config.api {
            Api::Chat => "chat/completions",
            Api::Completions => "completions",
        };
        (body, most, self.http.endpoint(path))
    }

    fn sample(
        &self,
        group: &Group<'_>,
        form: Form,
        sampling: &Sampling,
        call: &Call<'_>,
        emit: &mut call::Emit<'_, Row>,
    ) -> Result<(), NoAnswer> {
        let able = self.sampled().map_err(NoAnswer::Gone)?;
        let [first, ..] = group.requests else { return Ok(()) };
        let (mut body, most, url) = self.sampling_body(first, form, sampling);
        let base = seed(sampling, &first.key);
        let mut names = Vec::new();
        let mut missing: Vec<(&Request, Option<cache::Name>)> = Vec::new();
        if self.cache.is_some() {
            for request in group.requests {
                // Named by its own seed, whatever it was asked for together with; also where
                // the server takes no seed, for another seed is another sample.
                body.insert("seed".into(), (base + u64::from(request.key.sample)).into());
                names.push(cache::name(&url, &to_bytes(&body), request.key.sample));
            }
        }
        for (position, request) in group.requests.iter().enumerate() {
            let name = names.get(position).copied();
            match name.and_then(|name| self.cached::<Choice>(&name)) {
                Some(choice) => {
                    if emit((request.key.clone(), Ok(generated(request, choice)))).is_break() {
                        return Err(NoAnswer::Cancelled);
                    }
                }
                None => missing.push((request, name)),
            }
        }
        let following =
            |one: &(&Request, _), next: &(&Request, _)| one.0.key.sample + 1 == next.0.key.sample;
        for run in missing.chunk_by(following) {
            let count = run.len();
            body.insert("n".into(), count.into());
            body.remove("seed");
            if able.seed {
                body.insert("seed".into(), (base + u64::from(run[0].0.key.sample)).into());
            }
            let completion = (count as u64).saturating_mul(sampling.max_tokens as u64);
            let message = Message {
                url: url.clone(),
                body: Some(to_bytes(&body)),
                worst: Tokens { prompt: most, completion },
                attempts: self.config.attempts,
                probe: false,
            };
            let read = |bytes: &[u8]| {
                let reply: SamplingReply = wire::json(bytes)?;
                let spent = reply.usage.and_then(wire::UsageReply::tokens);
                Ok((reply.choices(count, form.log_probs)?, spent))
            };
            let choices = match call.exchange(&message, read) {
                Err(NoAnswer::Row(reason) | NoAnswer::GivenUp(reason)) => vec![Err(reason); count],
                other => other?,
            };
            for ((request, name), choice) in run.iter().zip(choices) {
                if let (Some(name), Ok(choice)) = (name, &choice) {
                    call.keep(name, choice)?;
                }
                let key = request.key.clone();
                let row = match choice {
                    Ok(choice) => Ok(generated(request, choice)),
                    Err(reason) => Err(RowError { key: key.clone(), reason }),
                };
                if emit((key, row)).is_break() {
                    return Err(NoAnswer::Cancelled);
                }
            }
        }
        Ok(())
    }
}

type Row = (Key, Result<Generated, RowError>);

fn same(one: &Prompt, other: &Prompt) -> bool {
    match (one, other) {
        (Prompt::Text(one), Prompt::Text(other)) => Arc::ptr_eq(one, other) || one == other,
        (Prompt::Chat(one), Prompt::Chat(other)) => Arc::ptr_eq(one, other) || one == other,
        (Prompt::Tokens(one), Prompt::Tokens(other)) => Arc::ptr_eq(one, other) || one == other,
        _ => false,
    }
}

/// Seed of sample 0; the others follow. Named by the run's seed, the stage, the problem and
/// the branch, and small enough for servers that read 32 bits. vLLM seeds choice `i` of a
/// request with seed + `i`, so there a sample has the same seed however samples are grouped.
fn seed(sampling: &Sampling, key: &Key) -> u64 {
    let path = [&sampling.stream, &*key.problem, &key.branch.to_string()];
    Stream::new(sampling.seed, &path).below(1 << 30)
}

fn generated(request: &Request, choice: Choice) -> Generated {
    Generated {
        text: format!("{}{}", request.prefix, choice.text),
        tokens: Vec::new(),
        token_log_probs: choice.log_probs,
        sampled_log_probs: Vec::new(),
        finish_reason: if choice.cut { FinishReason::Length } else { FinishReason::Stop },
        prompt_tokens: choice.prompt_tokens,
        completion_tokens: choice.completion_tokens,
    }
}

/// Samples over `/chat/completions` or `/completions`, several samples of a prompt in one
/// request where the server can.
///
/// Log-probs are as the server reports them (vLLM, unless told otherwise, and llama.cpp:
/// before temperature); those under the sampling distribution and token ids are not known.
impl Generate for Server {
    fn name(&self) -> String {
        self.label()
    }

    /// What the probe found; before it nothing is promised but the prefix.
    fn capabilities(&self) -> Capabilities {
        let sampling = self.probe().sampling;
        Capabilities {
            seeds: sampling.is_some_and(|able| able.seed),
            log_probs: sampling.is_some_and(|able| able.log_probs),
            prefix: self.config.api == Api::Completions,
        }
    }

    fn generate(
        &self,
        requests: &[Request],
        sampling: &Sampling,
        sink: &mut Sink<'_, Generated>,
    ) -> Result<(), LmError> {
        if requests.is_empty() {
            return Ok(());
        }
        let form = self.check_sampling(requests, sampling)?;
        let groups = self.groups(requests, self.sampled()?.n);
        call::each(
            self,
            &groups,
            |group, call, emit| self.sample(group, form, sampling, call, emit),
            |(key, row)| -> ControlFlow<()> { sink(key, row) },
        )
    }
}
