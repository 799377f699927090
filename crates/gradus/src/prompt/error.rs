/// Why there is no prompt; each displays as one sentence fragment.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum PromptError {
    /// No strategy has this name.
    #[error("no prompt strategy is called {name:?}: known are {known}")]
    Unknown {
        /// What was asked for.
        name: String,
        /// The names of the table.
        known: String,
    },
    /// A template cannot be read or rendered.
    #[error("{template}{}: {reason}", line.map_or(String::new(), |line| format!(":{line}")))]
    Template {
        /// The file, or the strategy whose own template it is.
        template: String,
        /// The line, from 1, where it is known.
        line: Option<usize>,
        /// What is wrong.
        reason: String,
    },
    /// A row cannot be shown as a demonstration.
    #[error("demonstration {id:?}: {field}: found nothing, expected {expected}")]
    Demonstration {
        /// Id of the row.
        id: String,
        /// The field.
        field: &'static str,
        /// What should stand there.
        expected: &'static str,
    },
    /// A strategy was given demonstrations that it does not show.
    #[error("{strategy} shows no demonstrations, expected none to be given")]
    NotShown {
        /// Name of the strategy.
        strategy: &'static str,
    },
    /// There are too few demonstrations.
    #[error(
        "found {found} rows to demonstrate with beside the problem that is asked, expected {expected}"
    )]
    TooFew {
        /// Rows of the pool.
        found: usize,
        /// How many are to be shown.
        expected: usize,
    },
}
