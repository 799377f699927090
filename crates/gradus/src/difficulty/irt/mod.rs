//! Item response models, fitted by marginal maximum likelihood.
//!
//! Ability theta and difficulty b are in logits (D = 1): P = s(a (theta - b)) with
//! the logistic function s; inside, and in standard errors, the form is a theta + d
//! with d = -a b. Abilities are normal with mean 0 and variance 1 in the reference
//! population, except under `rasch`, where the slope is 1 and the variance free.
//!
//! A model is one file with a row in [`ALL`]; all else (estimation, scores, fit)
//! knows a model only by its chances and their derivatives.

pub mod adaptive;
mod bank;
mod cells;
pub mod dif;
mod em;
mod error;
pub mod families;
mod family_study;
mod fit;
mod fit_item;
mod fit_model;
mod fit_person;
mod four_pl;
mod graded;
mod grid;
mod groups;
pub mod held_out;
#[cfg(test)]
mod known_answers;
mod lanes;
mod linear;
mod local_dependence;
mod lost_information;
mod maximise;
mod model;
mod observed_information;
mod one_pl;
mod partial_credit;
mod posterior;
mod prior;
mod rasch;
mod record;
#[cfg(test)]
mod reference_answers;
mod score;
pub mod short_form;
pub mod simulate;
mod three_pl;
mod two_pl;
mod workers;

pub use bank::{Bank, CalibratedItem};
pub use error::IrtError;
pub use family_study::{FamilyStudy, FamilySummary, OneOfEach};
pub use fit::{Ability, Fit, ItemStatus, Population, Quadrature, Settings, fit};
pub use fit_item::{ChiSquare, MeanSquares};
pub use fit_model::M2;
pub use groups::{DifSummary, GroupStudy, GroupSummary, Groups};
pub use local_dependence::LocalDependence;
pub use model::{ItemModel, Role, Slopes};
pub use observed_information::{InformationForm, StandardErrors};
pub use prior::{AsymptotePrior, Priors};
pub(crate) use record::FEW;
pub use record::{Record, Summary, read_items};
pub use score::{Method, Scored};

/// Every item response model.
pub const ALL: &[ItemModel] = &[
    rasch::MODEL,
    one_pl::MODEL,
    two_pl::MODEL,
    three_pl::MODEL,
    four_pl::MODEL,
    graded::MODEL,
    partial_credit::MODEL,
];

/// The model called `name`.
pub fn model(name: &str) -> Result<&'static ItemModel, IrtError> {
    ALL.iter().find(|model| model.name == name).ok_or_else(|| IrtError::UnknownModel {
        name: name.to_owned(),
        known: ALL.iter().map(|model| model.name).collect::<Vec<_>>().join(", "),
    })
}
