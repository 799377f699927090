use gradus::lm::Sampling;
use gradus::run::Stream;

use crate::kernels;
use crate::tokenizer::PAD;

/// Chooses next tokens from rows of logits, with buffers of its own.
#[derive(Debug)]
pub(crate) struct Picker<'a> {
    sampling: &'a Sampling,
    vocabulary: usize,
    logits: Vec<f32>,
    weights: Vec<f32>,
    normalizers: Vec<f32>,
    order: Vec<u32>,
}

/// A chosen token and its log-prob under the untempered model.
pub(crate) struct Picked {
    pub(crate) token: u32,
    pub(crate) log_prob: f32,
}

impl<'a> Picker<'a> {
    pub(crate) fn new(sampling: &'a Sampling, vocabulary: usize) -> Self {
        Self {
            sampling,
            vocabulary,
            logits: Vec::new(),
            weights: Vec::new(),
            normalizers: Vec::new(),
            order: Vec::new(),
        }
    }

    /// Takes rows of logits to pick from.
    pub(crate) fn look(&mut self, logits: &[f32]) {
        self.logits.clear();
        self.logits.extend_from_slice(logits);
        self.weights.resize(logits.len(), 0.0);
        self.normalizers.resize(logits.len() / self.vocabulary, 0.0);
        let temperature = self.sampling.temperature;
        let inverse = if temperature > 0.0 { 1.0 / temperature } else { 1.0 };
        let (weights, normalizers) = (&mut self.weights, &mut self.normalizers);
        kernels::probabilities(logits, self.vocabulary, inverse, weights, normalizers);
    }

    /// Picks from a row: one draw from `stream`, unless the choice is greedy.
    /// Padding is never chosen.
    pub(crate) fn pick(&mut self, row: usize, stream: &mut Stream) -> Picked {
        let place = row * self.vocabulary..(row + 1) * self.vocabulary;
        let logits = &self.logits[place.clone()];
        let token = if self.sampling.temperature > 0.0 {
            let weights = &mut self.weights[place];
            weights[PAD as usize] = 0.0;
            keep_likeliest(weights, self.sampling, &mut self.order);
            draw(weights, stream.unit())
        } else {
            likeliest(logits)
        };
        Picked { token, log_prob: logits[token as usize] - self.normalizers[row] }
    }
}

/// The token at which the running sum of weights passes `unit` of the total.
fn draw(weights: &[f32], unit: f64) -> u32 {
    let total: f64 = weights.iter().map(|&weight| f64::from(weight)).sum();
    let (mut left, mut last) = (unit * total, PAD as usize + 1);
    for (token, &weight) in weights.iter().enumerate() {
        if weight > 0.0 {
            last = token;
            left -= f64::from(weight);
            if left < 0.0 {
                break;
            }
        }
    }
    last as u32
}

/// Sets the weights outside top-k, then outside top-p of what is left, to 0.
fn keep_likeliest(weights: &mut [f32], sampling: &Sampling, order: &mut Vec<u32>) {
    let limited = sampling.top_k > 0 && sampling.top_k < weights.len();
    if !limited && sampling.top_p >= 1.0 {
        return;
    }
    order.clear();
    order.extend(0..weights.len() as u32);
    order.sort_unstable_by(|&a, &b| {
        weights[b as usize].total_cmp(&weights[a as usize]).then(a.cmp(&b))
    });
    let mut kept = if limited { sampling.top_k } else { weights.len() };
    if sampling.top_p < 1.0 {
        let total: f32 = order[..kept].iter().map(|&token| weights[token as usize]).sum();
        let mut covered = 0.0;
        let needed = order[..kept].iter().position(|&token| {
            covered += weights[token as usize];
            covered >= sampling.top_p * total
        });
        kept = needed.map_or(kept, |last| last + 1);
    }
    for &token in &order[kept..] {
        weights[token as usize] = 0.0;
    }
}

/// The first of the largest logits, padding left out.
fn likeliest(logits: &[f32]) -> u32 {
    let mut best = PAD as usize + 1;
    for (token, logit) in logits.iter().enumerate().skip(best) {
        if *logit > logits[best] {
            best = token;
        }
    }
    best as u32
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sampling(temperature: f32, top_k: usize, top_p: f32) -> Sampling {
        Sampling { temperature, top_k, top_p, max_tokens: 1, ..Sampling::default() }
    }

    /// Shares of tokens in many draws.
    fn shares(logits: &[f32], sampling: &Sampling) -> Vec<f64> {
        let mut picker = Picker::new(sampling, logits.len());
        let mut stream = Stream::new(1, &["shares"]);
        let mut counts = vec![0.0; logits.len()];
        for _ in 0..20_000 {
            picker.look(logits);
            counts[picker.pick(0, &mut stream).token as usize] += 1.0 / 20_000.0;
        }
        counts
    }

    #[test]
    fn shares_follow_the_softmax_without_padding() {
        // Weights 1, 2, 1 after padding's 100 is left out.
        let logits = [100f32.ln(), 0.0, 2f32.ln(), 0.0];
        let found = shares(&logits, &sampling(1.0, 0, 1.0));
        for (found, expected) in found.iter().zip([0.0, 0.25, 0.5, 0.25]) {
            assert!((found - expected).abs() < 0.02, "{found} {expected}");
        }
        // At temperature 1/2 the weights are squared: 1, 4, 1.
        assert!((shares(&logits, &sampling(0.5, 0, 1.0))[2] - 4.0 / 6.0).abs() < 0.02);
    }

    #[test]
    fn top_k_and_top_p_keep_the_likeliest() {
        // Probabilities 1/6, 3/6, 2/6.
        let logits = [-50.0, 0.0, 3f32.ln(), 2f32.ln()];
        let top_k = shares(&logits, &sampling(1.0, 2, 1.0));
        assert!(top_k[1] == 0.0 && (top_k[2] - 0.6).abs() < 0.02, "{top_k:?}");
        assert!((shares(&logits, &sampling(1.0, 0, 0.49))[2] - 1.0).abs() < 1e-9);
        let top_p = shares(&logits, &sampling(1.0, 0, 0.8));
        assert!(top_p[1] == 0.0 && (top_p[2] - 0.6).abs() < 0.02, "{top_p:?}");
    }

    #[test]
    fn greedy_takes_the_first_of_equals_and_draws_nothing() {
        let greedy = sampling(0.0, 0, 1.0);
        let (mut picker, mut stream) = (Picker::new(&greedy, 4), Stream::new(1, &["greedy"]));
        let before = stream.clone().unit();
        picker.look(&[9.0, 1.0, 2.0, 2.0]);
        let picked = picker.pick(0, &mut stream);
        assert_eq!((picked.token, stream.unit()), (2, before));
    }

    #[test]
    fn log_probs_are_those_of_the_untempered_model() {
        let logits = [0.0, 1.0, 2.0f32];
        let log_sum = logits.iter().map(|logit| logit.exp()).sum::<f32>().ln();
        let sharp = sampling(0.1, 1, 0.3);
        let mut picker = Picker::new(&sharp, 3);
        picker.look(&logits);
        let picked = picker.pick(0, &mut Stream::new(1, &["log-prob"]));
        assert_eq!(picked.token, 2);
        assert!((picked.log_prob - (2.0 - log_sum)).abs() < 1e-6);
    }
}
