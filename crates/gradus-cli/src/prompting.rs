//! How a command puts problems to a model.

use std::collections::HashSet;
use std::path::{Path, PathBuf};

use clap::ValueEnum;
use gradus::data::{self, Problem};
use gradus::lm::Prompt;
use gradus::prompt::{self, Demonstrations, Prompter, Shows};
use gradus_client::Api;
use gradus_studies::Model;
use gradus_studies::completions::Asked;
use serde_json::{Value, json};

use crate::failure::Failure;

/// The prompt.
#[derive(Debug, clap::Args)]
#[command(next_help_heading = "Prompt")]
pub(crate) struct PromptArgs {
    /// How a problem is put to the model (`gradus list prompt`); by default zero-shot where
    /// it is to answer, and few-shot where answers are scored.
    #[arg(long, value_name = "STRATEGY")]
    prompt: Option<String>,
    /// A Jinja template in place of the strategy's own.
    #[arg(long, value_name = "FILE")]
    template: Option<PathBuf>,
    /// Problems with answers (and `solution`s) to show before the one that is asked.
    #[arg(long, value_name = "FILE")]
    demonstrations: Option<PathBuf>,
    /// How many of them are shown; those that do not fit are dropped.
    #[arg(long, default_value_t = 4, value_name = "N", requires = "demonstrations")]
    shots: usize,
    /// Whether a prompt is a chat, for the model's own template, or one text.
    #[arg(long, value_enum, default_value_t)]
    form: Form,
    /// Tokens of prompt and completion that the model takes together, where it does not say
    /// so itself; without its tokenizer, four bytes count as a token.
    #[arg(long, value_name = "TOKENS")]
    context: Option<usize>,
}

/// Form of a prompt.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq, ValueEnum)]
enum Form {
    /// A chat where the model has a template for it, else a text.
    #[default]
    Auto,
    /// Messages.
    Chat,
    /// One text.
    Text,
}

impl PromptArgs {
    /// The endpoint of a server that takes such prompts.
    pub(crate) fn api(&self) -> Api {
        if self.form == Form::Text { Api::Completions } else { Api::Chat }
    }

    /// Whether prompts are chats.
    pub(crate) fn chat(&self, model: &Model) -> bool {
        match self.form {
            Form::Auto => model.chats(),
            Form::Chat => true,
            Form::Text => false,
        }
    }

    /// What the prompts depend on, as a record states it.
    pub(crate) fn record(&self, model: &Model, default: &str) -> Result<Value, Failure> {
        let hash = |file: &Option<PathBuf>| file.as_ref().map(data::hash_file).transpose();
        Ok(json!({
            "strategy": self.strategy(default),
            "template": hash(&self.template)?,
            "demonstrations": hash(&self.demonstrations)?,
            "shots": self.demonstrations.as_ref().map(|_| self.shots),
            "chat": self.chat(model),
            "context": self.context,
        }))
    }

    fn strategy<'a>(&'a self, default: &'a str) -> &'a str {
        self.prompt.as_deref().unwrap_or(default)
    }

    /// The prompt of every problem by the strategy that was named, else the default, with room for `completion` tokens.
    pub(crate) fn asked(
        &self,
        problems: &[Problem],
        model: &Model,
        default: &str,
        completion: usize,
        seed: u64,
    ) -> Result<Vec<Asked>, Failure> {
        let strategy = prompt::find(self.strategy(default))?;
        let shown = match &self.demonstrations {
            Some(file) => Demonstrations::draw(self::problems(file)?, self.shots, seed)?,
            None if strategy.shows == Shows::Answers && self.prompt.is_some() => {
                let message = format!("--prompt {} needs --demonstrations", strategy.name);
                return Err(Failure::usage(message));
            }
            None => Demonstrations::default(),
        };
        let prompter = match &self.template {
            Some(file) => {
                let name = file.display().to_string();
                let text = std::fs::read_to_string(file)
                    .map_err(|error| Failure::usage(format!("cannot read {name}: {error}")))?;
                Prompter::with_template(strategy, &name, &text, shown)?
            }
            None => Prompter::new(strategy, shown)?,
        };
        let context = self.context.or(model.context());
        let fits = |prompt: &Prompt| {
            context.is_none_or(|context| tokens(model, prompt).0 + completion <= context)
        };
        let chat = self.chat(model);
        let ask = |problem: &Problem| {
            let built = prompter.build(problem, chat, &fits)?;
            let problem = problem.id.as_str().into();
            Ok(Asked { problem, prompt: built.prompt, demonstrations: built.demonstrations })
        };
        problems.iter().map(ask).collect()
    }
}

/// Tokens of a prompt, and whether the model counted them: else four bytes are one.
pub(crate) fn tokens(model: &Model, prompt: &Prompt) -> (usize, bool) {
    let bytes = || match prompt {
        Prompt::Text(text) => text.len(),
        Prompt::Chat(messages) => messages.iter().map(|message| message.content.len()).sum(),
        Prompt::Tokens(tokens) => 4 * tokens.len(),
    };
    model.tokens(prompt).map_or_else(|| (bytes().div_ceil(4), false), |tokens| (tokens, true))
}

/// The problems of a file, each id once.
pub(crate) fn problems(file: &Path) -> Result<Vec<Problem>, Failure> {
    let mut rows = data::read::<Problem>(file)?;
    let (mut problems, mut seen) = (Vec::new(), HashSet::new());
    while let Some(problem) = rows.next().transpose()? {
        if !seen.insert(problem.id.clone()) {
            let place = format!("{}:{}", rows.file().display(), rows.line());
            let message =
                format!("{place}: id: found {:?} again, expected each id once", problem.id);
            return Err(Failure::rows(message));
        }
        problems.push(problem);
    }
    if problems.is_empty() {
        let message = format!("{}: found no row, expected problems", rows.file().display());
        return Err(Failure::rows(message));
    }
    Ok(problems)
}

/// SHA-256 of the rows as they were read, whatever form the file has.
pub(crate) fn hash(problems: &[Problem]) -> String {
    let lines: Vec<String> = problems.iter().map(data::to_line).collect();
    data::hash_bytes(lines.join("\n").as_bytes())
}
