//! A run: one folder of plain files, resumable and repeatable.
//!
//! [`Recipe`] and [`resolve`] turn a recipe with overrides into a checked
//! config; [`Run`] opens the folder; [`Run::stage`] runs a function from files
//! to files once per key and shares its result between runs. Inside a stage,
//! [`Work`] gives out [`Part`] files of rows and [`Metrics`].
//!
//! This module is the only one of the library that reads the clock.

mod appended;
mod clock;
mod command_line;
mod directory;
mod error;
mod events;
mod files;
#[cfg(test)]
mod killed;
mod links;
mod lock;
mod metrics;
mod monitor;
mod opening;
mod part;
mod recipe;
mod record;
mod resolve;
mod stage;
mod stream;
mod work;

pub use clock::now;
pub use command_line::{repeat_line, resume_line};
pub use directory::{Run, RunOptions};
pub use error::{ErrorKind, RunError};
pub use events::write_events;
pub use files::{sync_folder, write_file};
pub use lock::{Holder, Lock};
pub use metrics::Metrics;
pub use monitor::{Event, Monitor};
pub use opening::difference;
pub use part::Part;
pub use recipe::{Recipe, RecipeError};
pub use record::{HostFacts, Input, Record, StageRecord, Status, Tool};
pub use resolve::{Origin, Override, Resolved, resolve};
pub use stage::Stage;
pub use stream::Stream;
pub use work::Work;
