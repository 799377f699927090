use std::collections::VecDeque;

use gradus_model::Losses;
use serde::{Deserialize, Serialize};

/// A summary's final losses are means over this many steps: enough to even out
/// batches, few enough to be the end of the training.
pub(crate) const FINAL_STEPS: usize = 50;

/// How far a training is; with weights and moments all that it needs to go on.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub(crate) struct Progress {
    /// SHA-256 over config, examples and first weights.
    pub(crate) fingerprint: String,
    /// Optimiser steps done.
    pub(crate) step: u64,
    /// Tokens seen.
    pub(crate) num_tokens: u64,
    /// Losses of the last steps, newest last.
    recent: VecDeque<StepLosses>,
    kept: usize,
}

/// The mean losses of one batch.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Serialize)]
pub(crate) struct StepLosses {
    /// What was minimised.
    pub(crate) total: f64,
    /// Next-token cross-entropy; none where nothing in the batch had a target.
    pub(crate) lm: Option<f64>,
    /// The evaluator's binary cross-entropy; none where nothing in the batch had a target.
    pub(crate) value: Option<f64>,
}

impl StepLosses {
    /// From the sums over a batch whose weights add up to the losses' own weights.
    pub(crate) fn new(sums: &Losses) -> Self {
        let mean = |sum, weight| (weight > 0.0).then(|| sum / weight);
        Self {
            total: sums.lm_sum + sums.value_sum,
            lm: mean(sums.lm_sum, sums.lm_weight),
            value: mean(sums.value_sum, sums.value_weight),
        }
    }
}

impl Progress {
    pub(crate) fn new(fingerprint: String, logging_steps: u64) -> Self {
        let kept = FINAL_STEPS.max(logging_steps as usize);
        Self { fingerprint, step: 0, num_tokens: 0, recent: VecDeque::new(), kept }
    }

    pub(crate) fn record(&mut self, losses: StepLosses, tokens: u64) {
        self.step += 1;
        self.num_tokens += tokens;
        if self.recent.len() == self.kept {
            self.recent.pop_front();
        }
        self.recent.push_back(losses);
    }

    /// Means over the last `steps` steps, or as many as there were.
    pub(crate) fn mean_of_last(&self, steps: usize) -> StepLosses {
        let last = self.recent.iter().rev().take(steps);
        let mean = |of: fn(&StepLosses) -> Option<f64>| {
            let (sum, count) =
                last.clone().filter_map(of).fold((0.0, 0u32), |(sum, n), loss| (sum + loss, n + 1));
            (count > 0).then(|| sum / f64::from(count))
        };
        StepLosses {
            total: mean(|losses| Some(losses.total)).unwrap_or(f64::NAN),
            lm: mean(|losses| losses.lm),
            value: mean(|losses| losses.value),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn means_are_over_the_last_steps_that_had_a_target() {
        let mut progress = Progress::new(String::new(), 1);
        for step in 0..60 {
            let value = (step % 2 == 0).then_some(f64::from(step));
            progress.record(StepLosses { total: f64::from(step), lm: None, value }, 3);
        }
        assert_eq!((progress.step, progress.num_tokens), (60, 180));
        let last = progress.mean_of_last(4);
        assert_eq!(last, StepLosses { total: 57.5, lm: None, value: Some(57.0) });
        assert_eq!(progress.mean_of_last(1000).total, 34.5);
    }

    #[test]
    fn state_survives_json_to_the_bit() {
        let mut progress = Progress::new("f".into(), 10);
        for step in 1..40 {
            let total = 1.0 / f64::from(step) + 1e-17;
            progress.record(StepLosses { total, lm: Some(total.sqrt()), value: None }, 1);
        }
        let text = serde_json::to_string(&progress).unwrap();
        assert_eq!(serde_json::from_str::<Progress>(&text).unwrap(), progress);
    }
}
