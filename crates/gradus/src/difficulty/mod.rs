//! Difficulty: which items are hard, how able each respondent is, with errors.
//!
//! Here a problem is an *item*, and whoever answers (a model, a person) is a
//! *respondent*; [`responses`] is the one point where the words change.

pub mod irt;
pub mod responses;

// Ratings, labels, profiles.
mod agreement;
mod cut;
mod few_respondents;
mod label;
mod profile;
pub mod ratings;
mod results;
mod transfer;
mod without;

pub use agreement::{Agreement, agreement};
pub use cut::{Cut, CutError};
pub use few_respondents::FewRespondents;
pub use label::{
    DifficultyRow, Label, LabelError, Labelling, NORMALISATIONS, Normalisation, label,
    respondents_hash,
};
pub use profile::{
    Curve, CurvePoint, FallOff, Profile, ProfileBin, ProfileSettings, paired_difference,
    reliability,
};
pub use results::{Joined, Outcome, ResultRow, join};
pub use transfer::{TransferCell, TransferGrid, TransferRow, transfer_grid};
pub use without::{LabelsWithout, WithoutError, labels_without, rounded_difficulty};
