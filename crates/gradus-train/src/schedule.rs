//! The learning rate: a linear rise, then half a cosine down to a floor, as in
//! Loshchilov and Hutter, "SGDR: Stochastic Gradient Descent with Warm Restarts"
//! (ICLR 2017), equation 5, without restarts.
//!
//! Departure from transformers' `cosine_with_min_lr`: the first step has
//! 1/warm-up of the peak instead of 0, and the last step has exactly the floor,
//! so that no step is spent on a rate of 0.

use crate::TrainConfig;

/// The learning rate of every step of a training.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Schedule {
    peak: f64,
    floor: f64,
    warmup: u64,
    total: u64,
}

impl Schedule {
    pub(crate) fn new(config: &TrainConfig, total: u64) -> Self {
        Self {
            peak: config.learning_rate,
            floor: config.learning_rate * config.min_lr_rate,
            warmup: (config.warmup_ratio * total as f64).ceil() as u64,
            total,
        }
    }

    /// The learning rate of step `step`, counted from 1.
    pub(crate) fn learning_rate(&self, step: u64) -> f64 {
        if step <= self.warmup {
            return self.peak * step as f64 / self.warmup as f64;
        }
        let progress = (step - self.warmup) as f64 / (self.total - self.warmup) as f64;
        self.floor
            + (self.peak - self.floor) * 0.5 * (1.0 + (std::f64::consts::PI * progress).cos())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn schedule(warmup_ratio: f64, min_lr_rate: f64, total: u64) -> Schedule {
        let config =
            TrainConfig { learning_rate: 2.0, warmup_ratio, min_lr_rate, ..TrainConfig::default() };
        Schedule::new(&config, total)
    }

    #[test]
    fn it_rises_to_the_peak_and_ends_at_the_floor() {
        let schedule = schedule(0.05, 0.05, 100);
        let rates: Vec<f64> = (1..=100).map(|step| schedule.learning_rate(step)).collect();
        assert!((rates[0] - 0.4).abs() < 1e-12);
        assert_eq!(rates[4], 2.0);
        assert!((rates[99] - 0.1).abs() < 1e-12);
        assert!(rates[4..].windows(2).all(|pair| pair[1] < pair[0]));
        // Halfway down the cosine lies the mean of peak and floor.
        let half = Schedule { warmup: 0, ..schedule };
        assert!((half.learning_rate(50) - 1.05).abs() < 1e-12);
    }

    #[test]
    fn without_warm_up_or_decay_it_is_constant() {
        let schedule = schedule(0.0, 1.0, 7);
        assert!((1..=7).all(|step| schedule.learning_rate(step) == 2.0));
    }

    #[test]
    fn a_single_step_has_the_peak() {
        assert_eq!(schedule(0.05, 0.05, 1).learning_rate(1), 2.0);
    }
}
