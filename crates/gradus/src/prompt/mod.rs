//! Prompt strategies: how a problem is put to a model.
//!
//! A strategy is one file with a row in [`ALL`] and a Jinja template beside it,
//! which a file of the user can replace. The template is rendered once a part:
//!
//! | variable | holds |
//! | --- | --- |
//! | `part` | `system`, `user` or `assistant`; a part that renders to nothing is left out |
//! | `chat` | whether the parts become messages of a chat, not one text |
//! | `id`, `question`, `subject`, `level` | of the problem, or of the demonstration |
//! | `choices` | list of `letter` and `text` |
//! | `metadata` | the same, of the problem that is asked without its `solution` |
//! | `answer`, `solution` | of a demonstration; never of the problem that is asked |
//! | `demonstrations` | how many are shown |

mod chain_of_thought;
mod demonstrations;
mod error;
mod few_shot;
mod prompter;
mod zero_shot;

pub use demonstrations::Demonstrations;
pub use error::PromptError;
pub use prompter::{Built, Prompter, letter};

/// Every strategy.
pub const ALL: &[Strategy] = &[zero_shot::STRATEGY, few_shot::STRATEGY, chain_of_thought::STRATEGY];

/// What a model that goes on with a text begins its next question with; the place to stop.
pub const NEXT_QUESTION: &str = "\n\nQuestion:";

/// A way to put a problem to a model.
#[derive(Clone, Copy, Debug)]
pub struct Strategy {
    /// Name, as recipes and the command line use it.
    pub name: &'static str,
    /// One line for listings.
    pub summary: &'static str,
    /// The Jinja template.
    pub template: &'static str,
    /// What its demonstrations show beside the question.
    pub shows: Shows,
}

/// What a demonstration shows beside its question.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Shows {
    /// The strategy has no demonstrations.
    Nothing,
    /// The answer.
    Answers,
    /// The worked solution (`solution` in the metadata) and the answer.
    Solutions,
}

/// The strategy called `name`.
pub fn find(name: &str) -> Result<&'static Strategy, PromptError> {
    ALL.iter().find(|strategy| strategy.name == name).ok_or_else(|| PromptError::Unknown {
        name: name.to_owned(),
        known: ALL.iter().map(|strategy| strategy.name).collect::<Vec<_>>().join(", "),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_unknown_name_lists_the_known_ones() {
        let error = find("zeroshot").unwrap_err().to_string();
        let known = "known are zero-shot, few-shot, chain-of-thought";
        assert_eq!(error, format!("no prompt strategy is called \"zeroshot\": {known}"));
    }
}
