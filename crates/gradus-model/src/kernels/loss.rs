use super::kernel;
use super::math::{exp, exp_and_sum, largest};

kernel! {
    /// Turns each row of `logits` into the gradient of `weight` times its
    /// cross-entropy with `target`, and writes the weighted losses.
    pub(crate) fn cross_entropy(
        logits: &mut [f32],
        vocabulary: usize,
        targets: &[(u32, f32)],
        losses: &mut [f32],
    ) {
        let rows = logits.chunks_exact_mut(vocabulary).zip(losses);
        for ((row, loss), &(target, weight)) in rows.zip(targets) {
            let shift = largest(row);
            let target_logit = row[target as usize] - shift;
            let sum = exp_and_sum(row, shift);
            *loss = weight * (sum.ln() - target_logit);
            let scale = weight / sum;
            for value in row.iter_mut() {
                *value *= scale;
            }
            row[target as usize] -= weight;
        }
    }
}

kernel! {
    /// Per row of `logits`, unnormed probabilities `e^((logit - shift) / temperature)`
    /// and the logarithm of what normalizes the row at temperature 1.
    pub(crate) fn probabilities(
        logits: &[f32],
        vocabulary: usize,
        inverse_temperature: f32,
        weights: &mut [f32],
        normalizers: &mut [f32],
    ) {
        let rows = logits.chunks_exact(vocabulary).zip(weights.chunks_exact_mut(vocabulary));
        for ((logits, weights), normalizer) in rows.zip(normalizers) {
            let shift = largest(logits);
            weights.copy_from_slice(logits);
            *normalizer = shift + exp_and_sum(weights, shift).ln();
            if inverse_temperature != 1.0 {
                for (weight, logit) in weights.iter_mut().zip(logits) {
                    *weight = exp((logit - shift) * inverse_temperature);
                }
            }
        }
    }
}

kernel! {
    /// Softmax of every row of `width` scores.
    pub(crate) fn softmax_rows(scores: &mut [f32], width: usize) {
        for row in scores.chunks_exact_mut(width) {
            let shift = largest(row);
            let scale = 1.0 / exp_and_sum(row, shift);
            for score in row {
                *score *= scale;
            }
        }
    }
}
