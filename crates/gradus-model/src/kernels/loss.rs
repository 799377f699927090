use super::kernel;
use super::math::{exp_and_sum, largest};

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
    /// Log-prob of one token per row of `logits`, which are overwritten.
    pub(crate) fn log_softmax_at(
        logits: &mut [f32],
        vocabulary: usize,
        tokens: &[u32],
        log_probs: &mut [f32],
    ) {
        let rows = logits.chunks_exact_mut(vocabulary).zip(log_probs);
        for ((row, log_prob), &token) in rows.zip(tokens) {
            let shift = largest(row);
            let logit = row[token as usize] - shift;
            *log_prob = logit - exp_and_sum(row, shift).ln();
        }
    }
}
