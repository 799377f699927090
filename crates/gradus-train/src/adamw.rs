//! AdamW of Loshchilov and Hutter, "Decoupled Weight Decay Regularization"
//! (ICLR 2019), algorithm 2, in the form that PyTorch computes it.
//!
//! Symbols: `m` is `first_moment`, `v` is `second_moment`, `beta_1` and `beta_2`
//! are `adam_beta1` and `adam_beta2`, `lambda` is `weight_decay`; the schedule
//! multiplier `eta` and the step size `alpha` are one number, the learning rate,
//! which therefore scales the decay too (PyTorch's reading, not the paper's).

use crate::TrainConfig;

/// The two moments of every weight, laid out as the gradients are.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Moments {
    pub(crate) first: Vec<f32>,
    pub(crate) second: Vec<f32>,
}

impl Moments {
    pub(crate) fn zeros(len: usize) -> Self {
        Self { first: vec![0.0; len], second: vec![0.0; len] }
    }
}

/// The constants of one step.
#[derive(Clone, Copy, Debug)]
pub(crate) struct AdamW {
    beta1: f32,
    beta2: f32,
    epsilon: f32,
    /// Learning rate over the bias correction of the first moment.
    step_size: f32,
    /// Square root of the bias correction of the second moment.
    correction2_sqrt: f32,
    /// What decay leaves of a weight.
    kept: f32,
}

impl AdamW {
    /// Step `step`, counted from 1. The constants are computed in f64, as PyTorch does.
    pub(crate) fn at(config: &TrainConfig, step: u64, learning_rate: f64) -> Self {
        let power = i32::try_from(step).unwrap_or(i32::MAX);
        Self {
            beta1: config.adam_beta1 as f32,
            beta2: config.adam_beta2 as f32,
            epsilon: config.adam_epsilon as f32,
            step_size: (learning_rate / (1.0 - config.adam_beta1.powi(power))) as f32,
            correction2_sqrt: (1.0 - config.adam_beta2.powi(power)).sqrt() as f32,
            kept: (1.0 - learning_rate * config.weight_decay) as f32,
        }
    }

    /// Updates one parameter in place; all four slices are equally long.
    /// `gradient` is multiplied by `scale` first; `decay` says whether the parameter decays.
    pub(crate) fn update(
        &self,
        weights: &mut [f32],
        gradient: &[f32],
        (first, second): (&mut [f32], &mut [f32]),
        scale: f32,
        decay: bool,
    ) {
        let kept = if decay { self.kept } else { 1.0 };
        let moments = first.iter_mut().zip(second);
        for ((weight, &gradient), (first, second)) in weights.iter_mut().zip(gradient).zip(moments)
        {
            let gradient = gradient * scale;
            *first += (gradient - *first) * (1.0 - self.beta1);
            *second = *second * self.beta2 + gradient * gradient * (1.0 - self.beta2);
            let denominator = second.sqrt() / self.correction2_sqrt + self.epsilon;
            *weight = *weight * kept - self.step_size * *first / denominator;
        }
    }
}

/// The factor that brings gradients of `norm` down to `max_grad_norm`, as
/// PyTorch's `clip_grad_norm_` computes it.
pub(crate) fn clip_factor(norm: f64, max_grad_norm: f64) -> f32 {
    if max_grad_norm == 0.0 { 1.0 } else { (max_grad_norm / (norm + 1e-6)).min(1.0) as f32 }
}

/// Euclidean norm of all gradients together, summed in f64 from first to last.
pub(crate) fn norm(gradients: &[f32]) -> f64 {
    gradients.iter().map(|&value| f64::from(value) * f64::from(value)).sum::<f64>().sqrt()
}

#[cfg(test)]
mod tests {
    use serde::Deserialize;

    use super::*;

    #[derive(Deserialize)]
    struct Golden {
        decaying: usize,
        weights: Vec<f32>,
        steps: Vec<Step>,
    }

    #[derive(Deserialize)]
    struct Step {
        learning_rate: f64,
        gradients: Vec<f32>,
        grad_norm: f64,
        weights: Vec<f32>,
    }

    // golden/adamw.py: torch.optim.AdamW after torch.nn.utils.clip_grad_norm_, PyTorch 2.15.0.
    #[test]
    fn weights_follow_pytorch_step_by_step() {
        let golden: Golden = serde_json::from_str(include_str!("../golden/adamw.json")).unwrap();
        let config = TrainConfig::default();
        let split = golden.decaying;
        let mut weights = golden.weights;
        let mut moments = Moments::zeros(weights.len());
        for (index, step) in golden.steps.iter().enumerate() {
            let grad_norm = norm(&step.gradients);
            assert!((grad_norm - step.grad_norm).abs() < 1e-6 * step.grad_norm);
            let clip = clip_factor(grad_norm, config.max_grad_norm);
            let adamw = AdamW::at(&config, index as u64 + 1, step.learning_rate);
            for (place, decay) in [(0..split, true), (split..weights.len(), false)] {
                adamw.update(
                    &mut weights[place.clone()],
                    &step.gradients[place.clone()],
                    (&mut moments.first[place.clone()], &mut moments.second[place]),
                    clip,
                    decay,
                );
            }
            for (ours, theirs) in weights.iter().zip(&step.weights) {
                assert!((ours - theirs).abs() < 3e-7, "step {}: {ours} {theirs}", index + 1);
            }
        }
    }

    #[test]
    fn small_gradients_are_not_clipped_and_0_means_never() {
        assert_eq!(clip_factor(0.5, 1.0), 1.0);
        assert_eq!(clip_factor(50.0, 0.0), 1.0);
        assert!((clip_factor(4.0, 1.0) - 0.25).abs() < 1e-6);
    }
}
