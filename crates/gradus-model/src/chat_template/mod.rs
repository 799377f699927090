//! Chat templates: from messages to the text that a model was trained to see.
//!
//! The templates are Jinja as transformers runs it (`apply_chat_template`): blocks trimmed,
//! Python's methods on texts, lists and tables, `raise_exception`, `strftime_now`, and its
//! `tojson`. Rendering has a budget, so that a template cannot take all time or memory.

mod date;
mod json;

use std::path::Path;
use std::time::{SystemTime, UNIX_EPOCH};

use gradus::lm::Message;
use minijinja::value::Kwargs;
use minijinja::{Environment, Error, ErrorKind, Value};
use serde::Deserialize;

use crate::ModelError;
use crate::tokenizer::{NamedToken, read_json};
use crate::weights::Metadata;

/// What one rendering may cost: about one unit an instruction and one for 64 bytes.
const FUEL: u64 = 10_000_000;
const NAME: &str = "chat template";

/// Messages that a template cannot or will not render.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum TemplateError {
    /// The template refuses these messages, as by a role that its model does not know.
    #[error("the model's chat template refuses the messages: {0}")]
    Refused(String),
    /// The template fails.
    #[error("the model's chat template fails: {0}")]
    Failed(String),
}

/// The chat template of a model.
#[derive(Debug)]
pub struct ChatTemplate {
    environment: Environment<'static>,
    /// Names and texts of the special tokens, as templates call them.
    tokens: Vec<(String, String)>,
}

/// What `raise_exception` was given.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
struct Refusal(String);

/// `chat_template` in `tokenizer_config.json`.
#[derive(Deserialize)]
#[serde(untagged)]
enum Templates {
    One(String),
    Named(Vec<NamedTemplate>),
}

#[derive(Deserialize)]
struct NamedTemplate {
    name: String,
    template: String,
}

#[derive(Default, Deserialize)]
struct TokenizerConfig {
    chat_template: Option<Templates>,
    bos_token: Option<NamedToken>,
    eos_token: Option<NamedToken>,
    unk_token: Option<NamedToken>,
    pad_token: Option<NamedToken>,
}

impl ChatTemplate {
    /// A template with the texts of the special tokens that it may name (`bos_token`, `eos_token`).
    ///
    /// Where the template asks for the date, it gets the one of now (UTC).
    pub fn new(source: &str, tokens: Vec<(String, String)>) -> Result<Self, TemplateError> {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |past| past.as_secs());
        Self::dated(source, tokens, now)
    }

    /// The same, and the date is `seconds` after 1970 began (UTC), whenever it is rendered.
    pub fn dated(
        source: &str,
        tokens: Vec<(String, String)>,
        seconds: u64,
    ) -> Result<Self, TemplateError> {
        let mut environment = Environment::new();
        let syntax = minijinja::syntax::SyntaxConfig::builder()
            .trim_blocks(true)
            .lstrip_blocks(true)
            .build()
            .map_err(|error| failure(&error))?;
        environment.set_syntax(syntax);
        environment.set_fuel(Some(FUEL));
        environment
            .set_unknown_method_callback(minijinja_contrib::pycompat::unknown_method_callback);
        environment.add_filter("tojson", json::to_json);
        environment.add_function("raise_exception", |reason: String| -> Result<Value, Error> {
            Err(Error::new(ErrorKind::InvalidOperation, reason.clone())
                .with_source(Refusal(reason)))
        });
        environment.add_function("strftime_now", move |format: &str, _: Kwargs| {
            date::format(seconds, format)
                .map_err(|reason| Error::new(ErrorKind::InvalidOperation, reason))
        });
        environment
            .add_template_owned(NAME, without_generation_marks(source))
            .map_err(|error| failure(&error))?;
        Ok(Self { environment, tokens })
    }

    /// The template of a Hugging Face folder, none where it has none: `chat_template.jinja`,
    /// else the one in `tokenizer_config.json` (the one named `default` of several).
    pub fn from_folder(dir: &Path) -> Result<Option<Self>, ModelError> {
        let config_path = dir.join("tokenizer_config.json");
        let config: TokenizerConfig = read_json(&config_path)?.unwrap_or_default();
        let mut path = dir.join("chat_template.jinja");
        let source = match std::fs::read_to_string(&path) {
            Ok(source) => source,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                path.clone_from(&config_path);
                match config.chat_template {
                    None => return Ok(None),
                    Some(Templates::One(source)) => source,
                    Some(Templates::Named(named)) => {
                        let names: Vec<String> =
                            named.iter().map(|template| template.name.clone()).collect();
                        let default = named.into_iter().find(|named| named.name == "default");
                        default
                            .ok_or_else(|| ModelError::Malformed {
                                path: path.clone(),
                                reason: format!(
                                    "chat_template: none is named default, found {}",
                                    names.join(", ")
                                ),
                            })?
                            .template
                    }
                }
            }
            Err(error) => return Err(gradus::run::RunError::io("read", &path)(error).into()),
        };
        let named = [
            ("bos_token", config.bos_token),
            ("eos_token", config.eos_token),
            ("unk_token", config.unk_token),
            ("pad_token", config.pad_token),
        ];
        let tokens = named
            .into_iter()
            .filter_map(|(name, token)| Some((name.to_owned(), token?.text().to_owned())))
            .collect();
        Self::new(&source, tokens)
            .map(Some)
            .map_err(|error| ModelError::Malformed { path, reason: error.to_string() })
    }

    /// The template of a GGUF file, none where it has none.
    pub fn from_gguf(metadata: &Metadata) -> Result<Option<Self>, ModelError> {
        const KEY: &str = "tokenizer.chat_template";
        let Some(source) = metadata.text(KEY)? else { return Ok(None) };
        let texts = metadata.texts("tokenizer.ggml.tokens")?.unwrap_or_default();
        let mut tokens = Vec::new();
        for (name, id) in [
            ("bos_token", "tokenizer.ggml.bos_token_id"),
            ("eos_token", "tokenizer.ggml.eos_token_id"),
            ("unk_token", "tokenizer.ggml.unknown_token_id"),
            ("pad_token", "tokenizer.ggml.padding_token_id"),
        ] {
            if let Some(text) = metadata.count(id)?.and_then(|id| texts.get(id)) {
                tokens.push((name.to_owned(), (*text).to_owned()));
            }
        }
        Self::new(source, tokens).map(Some).map_err(|error| metadata.malformed(KEY, error))
    }

    /// The text of `messages`; with `generation`, the beginning of the assistant's turn follows.
    ///
    /// It holds the special tokens as text, that of the beginning too: encode it as it is.
    pub fn render(&self, messages: &[Message], generation: bool) -> Result<String, TemplateError> {
        let messages: Vec<Value> = messages
            .iter()
            .map(|message| {
                let Message { role, content } = message;
                Value::from_pairs([("role", role.as_str()), ("content", content.as_str())])
            })
            .collect();
        let mut context = vec![
            ("messages", Value::from(messages)),
            ("tools", Value::from(())),
            ("documents", Value::from(())),
            ("add_generation_prompt", Value::from(generation)),
        ];
        context.extend(
            self.tokens.iter().map(|(name, text)| (name.as_str(), Value::from(text.as_str()))),
        );
        let context = Value::from_pairs(context);
        let template = self.environment.get_template(NAME).map_err(|error| failure(&error))?;
        template.render(context).map_err(|error| failure(&error))
    }
}

fn failure(error: &Error) -> TemplateError {
    let mut source = std::error::Error::source(error);
    while let Some(cause) = source {
        if let Some(Refusal(reason)) = cause.downcast_ref() {
            return TemplateError::Refused(reason.clone());
        }
        source = cause.source();
    }
    TemplateError::Failed(error.to_string())
}

/// `{% generation %}` only marks the assistant's words for training: the same template with
/// blocks that are always taken.
fn without_generation_marks(source: &str) -> String {
    let mut rest = source;
    let mut out = String::with_capacity(source.len());
    while let Some(start) = rest.find("{%") {
        let Some(length) = rest[start..].find("%}") else { break };
        let inside = &rest[start + 2..start + length];
        let word = inside.trim_matches(['-', '+']).trim();
        let replacement = match word {
            "generation" => Some("if true"),
            "endgeneration" => Some("endif"),
            _ => None,
        };
        out.push_str(&rest[..start + 2]);
        match replacement {
            Some(replacement) => out.push_str(&inside.replace(word, &format!(" {replacement} "))),
            None => out.push_str(inside),
        }
        out.push_str("%}");
        rest = &rest[start + length + 2..];
    }
    out.push_str(rest);
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn messages(list: &[(&str, &str)]) -> Vec<Message> {
        let message = |&(role, content): &(&str, &str)| Message {
            role: role.to_owned(),
            content: content.to_owned(),
        };
        list.iter().map(message).collect()
    }

    fn render(source: &str) -> Result<String, TemplateError> {
        // 2024-07-04, 12:30:05.
        let tokens = vec![("bos_token".to_owned(), "<s>".to_owned())];
        let template = ChatTemplate::dated(source, tokens, 1_720_096_205)?;
        template.render(&messages(&[("system", "S"), ("user", " U\n"), ("assistant", "A")]), true)
    }

    /// Against Jinja 3.1.6 as transformers 5.24 sets it up.
    #[test]
    fn what_templates_use_means_what_it_means_in_python() {
        for (source, expected) in [
            ("{{ bos_token }}{{ messages | length }}\n", "<s>3"),
            (
                "{% for m in messages %}\n  {{ m.role }}\n{% endfor %}",
                "  system\n  user\n  assistant\n",
            ),
            ("{{ messages[1]['content'].strip() + messages[1]['content'] | trim }}", "UU"),
            ("{{ messages[-1].content.lower() }}{{ 'a,b'.split(',')[-1] }}", "ab"),
            ("{% for m in messages[1:] %}{{ m.role[0] }}{% endfor %}", "ua"),
            ("{% for m in messages[::-1] %}{{ m.role[0] }}{% endfor %}", "aus"),
            (
                "{{ messages[0].get('x', 'none') }}{{ 'system' in messages[0].values() }}",
                "noneTrue",
            ),
            ("{{ none }} {{ true }} {{ 1.0 }}", "None True 1.0"),
            (
                "{% set n = namespace(x=0) %}{% for m in messages %}{% set n.x = n.x + loop.index0 %}{% endfor %}{{ n.x }}",
                "3",
            ),
            (
                "{% for m in messages %}{% if loop.first %}{% continue %}{% endif %}{{ m.role }}{% break %}{% endfor %}",
                "user",
            ),
            (
                "{{ tools is none }}{{ enable_thinking is defined }}{{ tools is defined }}",
                "TrueFalseTrue",
            ),
            ("{{ messages[0] | tojson }}", "{\"role\": \"system\", \"content\": \"S\"}"),
            (
                "{{ {'a': [1, '<\u{e9}>'], 'b': none} | tojson(indent=2) }}",
                "{\n  \"a\": [\n    1,\n    \"<\u{e9}>\"\n  ],\n  \"b\": null\n}",
            ),
            ("{{ strftime_now('%d %b %Y, %H:%M:%S') }}", "04 Jul 2024, 12:30:05"),
            ("a{%- generation -%} b {%- endgeneration %} c", "ab c"),
            ("{% macro f(x) %}[{{ x }}]{% endmacro %}{{ f('y') }}", "[y]"),
            (
                "{{ '%s' | length }}{{ 'abc'[1:] }}{{ 'x' * 3 }}{{ ['a', 'b'] | join('-') }}",
                "2bcxxxa-b",
            ),
        ] {
            assert_eq!(render(source).as_deref(), Ok(expected), "{source}");
        }
    }

    #[test]
    fn a_refusal_has_the_templates_words() {
        let error = render(
            "{% if messages[0].role == 'system' %}{{ raise_exception('no system role') }}{% endif %}",
        );
        assert_eq!(error, Err(TemplateError::Refused("no system role".to_owned())));
    }

    #[test]
    fn templates_that_are_wrong_or_endless_are_errors() {
        for source in [
            "{% for x in %}",
            "{{ messages | nonsense }}",
            "{{ strftime_now('%Q') }}",
            "{% for a in range(9999) %}{% for b in range(99999) %}{{ b }}{% endfor %}{% endfor %}",
            "{% macro f() %}{{ f() }}{% endmacro %}{{ f() }}",
            "{{ ('x' * 100000000) * 100 }}",
            "{{ messages[9].role.strip() }}",
        ] {
            assert!(matches!(render(source), Err(TemplateError::Failed(_))), "{source}");
        }
    }
}
