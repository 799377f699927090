use gradus::lm::Prompt;

use crate::{ChatTemplate, Tokenizer};

/// From prompts to the tokens that a model is given.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Language<'a> {
    pub(crate) tokenizer: &'a Tokenizer,
    pub(crate) template: Option<&'a ChatTemplate>,
    /// Number of tokens that the model knows.
    pub(crate) vocabulary: usize,
    /// Most tokens of a sequence.
    pub(crate) longest: usize,
    /// A token that is never sampled.
    pub(crate) never: Option<u32>,
}

/// A prompt as a model is shown it.
enum Shown {
    /// A text, and the tokens before it.
    Text(Vec<u32>, String),
    Tokens(Vec<u32>),
}

impl Language<'_> {
    /// The tokens of a prompt, and those of a text that continues it. What the model
    /// expects before a text comes first; a rendered chat brings it along, and ids are
    /// taken as they are.
    ///
    /// Prompt and text are encoded together and cut where the prompt's own tokens end. Where
    /// a token would lie across the border (as when the prompt ends in a space that belongs
    /// to the next word), the text is encoded alone, as a model would have continued.
    pub(crate) fn continued(
        &self,
        prompt: &Prompt,
        text: &str,
    ) -> Result<(Vec<u32>, Vec<u32>), String> {
        let encode = |text: &str| self.tokenizer.encode(text).map_err(|error| error.to_string());
        let (mut tokens, shown) = match self.shown(prompt)? {
            Shown::Text(before, shown) => (before, shown),
            Shown::Tokens(tokens) => return Ok((tokens, encode(text)?)),
        };
        let prompt = encode(&shown)?;
        let together = if text.is_empty() { Ok(prompt.clone()) } else { encode(&(shown + text)) };
        let text = match together {
            Ok(mut together) if together.starts_with(&prompt) => together.split_off(prompt.len()),
            _ => encode(text)?,
        };
        tokens.extend(prompt);
        Ok((tokens, text))
    }

    fn shown(&self, prompt: &Prompt) -> Result<Shown, String> {
        match prompt {
            Prompt::Text(text) => {
                Ok(Shown::Text(self.tokenizer.beginning().to_vec(), text.to_string()))
            }
            Prompt::Chat(messages) => {
                let template = self.template.ok_or("this model has no chat template")?;
                let text = template.render(messages, true).map_err(|error| error.to_string())?;
                Ok(Shown::Text(Vec::new(), text))
            }
            Prompt::Tokens(ids) => match ids.iter().find(|&&id| id as usize >= self.vocabulary) {
                Some(id) => Err(format!("token {id} of a vocabulary of {}", self.vocabulary)),
                None => Ok(Shown::Tokens(ids.to_vec())),
            },
        }
    }
}
