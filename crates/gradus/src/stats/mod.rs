//! Statistics in f64: intervals, bootstrap, tests, adjusted p, ROC, pass@k, gap recovered, rank
//! correlation, local and isotonic regression.
//!
//! All reductions run in a fixed order and all randomness comes from the caller's
//! generator, so equal inputs give equal bits. What is not defined (no values, one
//! class only) is `None`, never NaN. A confidence that is not strictly between 0
//! and 1, or paired slices of different lengths, are bugs of the caller and panic.

mod adjusted;
mod bootstrap;
mod correlation;
mod gap;
mod interval;
mod isotonic;
mod loess;
mod mcnemar;
mod pass_at_k;
mod roc;

pub use adjusted::benjamini_hochberg;
pub use bootstrap::{
    Resamples, bootstrap_mean, bootstrap_paired, bootstrap_strata, percentile_estimate, quantile,
};
pub use correlation::{RankedPairs, kendall_tau_b, spearman};
pub use gap::{GapRecovered, gap_recovered};
pub use interval::{Estimate, Interval, clopper_pearson, wilson};
pub use isotonic::isotonic;
pub use loess::Loess;
pub use mcnemar::mcnemar;
pub use pass_at_k::pass_at_k;
pub use roc::{Auc, AucWithin, roc_auc, roc_auc_clustered, roc_auc_within};
