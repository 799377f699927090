//! How hard a problem is, from who solved what.

// Ratings, labels, profiles.
mod agreement;
mod cut;
mod label;
mod profile;
pub mod ratings;
mod results;
mod transfer;

pub use agreement::{Agreement, agreement};
pub use cut::{Cut, CutError};
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
