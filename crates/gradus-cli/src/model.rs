//! The model of a command, by its name.

use gradus::data::Problem;
use gradus::lm::ModelName;
use gradus_studies::Model;

use crate::failure::Failure;

/// Which model, and how it is reached.
#[derive(Debug, clap::Args)]
#[command(next_help_heading = "Model")]
pub(crate) struct ModelArgs {
    /// A folder, hf/org/name[@revision], gguf/FILE, openai/name, or a script: fake/echo,
    /// fake/replay:FILE, fake/oracle:0.9,0.5 (accuracy by level); +FOLDER adds an adapter.
    #[arg(long, value_name = "MODEL")]
    model: String,
}

impl ModelArgs {
    /// The name, as a record states it.
    pub(crate) fn name(&self) -> &str {
        &self.model
    }

    /// Opens it; `problems` are those that an oracle knows the answers of.
    pub(crate) fn open(&self, problems: &[Problem]) -> Result<Model, Failure> {
        let name: ModelName = self.model.parse()?;
        Ok(Model::open(&name, problems)?)
    }
}
