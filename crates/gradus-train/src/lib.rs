//! Trainers: each a file with a config and one `run` that reads top to bottom.
//!
//! [`sft`] makes generators of demonstrations, [`rest_em`] of their own right
//! samples; [`prm`], [`orm`] and [`oprm`] make evaluators of labelled steps,
//! outcomes or both. All share one loop: the result depends on rows, config and
//! seed, not on the number of threads, and a training that was killed goes on
//! bit for bit.
//!
//! ```
//! use gradus::run::{Monitor, Stream, Work};
//! use gradus_model::{ByteTokenizer, DecoderConfig, LocalModel};
//! use gradus_train::{PromptCompletion, TrainConfig, sft};
//!
//! # let dir = std::env::temp_dir().join(format!("gradus-train-{}", std::process::id()));
//! let sizes = DecoderConfig { hidden_size: 8, num_hidden_layers: 1, ..DecoderConfig::default() };
//! let mut init = Stream::new(1, &["init"]);
//! let mut model = LocalModel::new(sizes, ByteTokenizer {}.into(), &mut init)?;
//! let rows = [PromptCompletion { prompt: "1+1=".into(), completion: "2".into() }];
//! let work = Work::scratch(&dir, "sft", Monitor::silent())?;
//! let summary = sft::run(&mut model, &rows, &TrainConfig::default(), &work)?;
//! assert_eq!(summary.steps, 5);
//! # std::fs::remove_dir_all(&dir)?;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod adamw;
mod batches;
mod checkpoint;
mod config;
mod error;
mod labels;
pub mod oprm;
pub mod orm;
pub mod prm;
mod progress;
mod quality;
pub mod rest_em;
mod rows;
mod schedule;
pub mod sft;
mod summary;
mod targets;
#[cfg(test)]
mod test_model;
mod training;
mod training_set;

pub use config::TrainConfig;
pub use error::TrainError;
pub use labels::{LabelKind, dedupe, shuffle_outcomes, shuffle_steps};
pub use oprm::OprmConfig;
pub use orm::OrmConfig;
pub use prm::PrmConfig;
pub use quality::{EvaluatorQuality, ScoredCompletion, evaluator_quality};
pub use rest_em::{Candidate, RestEmConfig};
pub use rows::{PromptCompletion, StepwiseRow};
pub use summary::Summary;
pub use targets::Supervision;

/// A row of the table of trainers.
#[derive(Clone, Copy, Debug)]
pub struct Trainer {
    /// Name, as the command line uses it.
    pub name: &'static str,
    /// One line for listings.
    pub summary: &'static str,
}

/// Every trainer.
pub const ALL: &[Trainer] = &[
    Trainer { name: "sft", summary: "generator from demonstrations" },
    Trainer { name: "prm", summary: "evaluator of steps" },
    Trainer { name: "orm", summary: "evaluator of outcomes" },
    Trainer { name: "oprm", summary: "evaluator of steps and outcomes" },
    Trainer { name: "rest-em", summary: "generator from its own right samples" },
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_names_every_file_that_holds_a_trainer() {
        let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
        let mut trainers = Vec::new();
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if std::fs::read_to_string(&path).unwrap().contains("\npub fn run(") {
                trainers.push(path.file_stem().unwrap().to_str().unwrap().replace('_', "-"));
            }
        }
        trainers.sort_unstable();
        let mut names: Vec<&str> = ALL.iter().map(|trainer| trainer.name).collect();
        names.sort_unstable();
        assert_eq!(names, trainers);
    }
}
