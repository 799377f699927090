use gradus::lm::Sampling;
use gradus::run::Stream;

use crate::tokenizer::PAD;

/// Chooses the next token from logits, with buffers of its own.
#[derive(Debug, Default)]
pub(crate) struct Picker {
    weights: Vec<f32>,
    order: Vec<u32>,
}

/// A chosen token and its log-prob under the untempered model.
pub(crate) struct Picked {
    pub(crate) token: u32,
    pub(crate) log_prob: f32,
}

impl Picker {
    /// One draw from `stream` unless the choice is greedy. Padding is never chosen.
    pub(crate) fn pick(
        &mut self,
        logits: &[f32],
        sampling: &Sampling,
        stream: &mut Stream,
    ) -> Picked {
        let best = likeliest(logits);
        let top = logits[best as usize];
        let normalizer = top.max(logits[PAD as usize]);
        let log_sum = logits.iter().map(|logit| (logit - normalizer).exp()).sum::<f32>().ln();
        let token = if sampling.temperature > 0.0 {
            self.draw(logits, top, sampling, stream.unit() as f32)
        } else {
            best
        };
        Picked { token, log_prob: logits[token as usize] - normalizer - log_sum }
    }

    fn draw(&mut self, logits: &[f32], top: f32, sampling: &Sampling, unit: f32) -> u32 {
        let inverse = 1.0 / sampling.temperature;
        self.weights.clear();
        self.weights.extend(logits.iter().map(|logit| ((logit - top) * inverse).exp()));
        self.weights[PAD as usize] = 0.0;
        let limited = sampling.top_k > 0 && sampling.top_k < logits.len();
        if limited || sampling.top_p < 1.0 {
            self.keep_likeliest(sampling, limited);
        }
        let total: f32 = self.weights.iter().sum();
        let (mut below, mut last) = (unit * total, 0);
        for (token, &weight) in self.weights.iter().enumerate().filter(|(_, weight)| **weight > 0.0)
        {
            last = token;
            if below < weight {
                break;
            }
            below -= weight;
        }
        last as u32
    }

    /// Sets the weights outside top-k, then outside top-p of what is left, to 0.
    fn keep_likeliest(&mut self, sampling: &Sampling, limited: bool) {
        let weights = &self.weights;
        self.order.clear();
        self.order.extend(0..weights.len() as u32);
        self.order.sort_unstable_by(|&a, &b| {
            weights[b as usize].total_cmp(&weights[a as usize]).then(a.cmp(&b))
        });
        let mut kept = if limited { sampling.top_k } else { weights.len() };
        if sampling.top_p < 1.0 {
            let total: f32 = self.order[..kept].iter().map(|&token| weights[token as usize]).sum();
            let mut covered = 0.0;
            let needed = self.order[..kept].iter().position(|&token| {
                covered += weights[token as usize];
                covered >= sampling.top_p * total
            });
            kept = needed.map_or(kept, |last| last + 1);
        }
        for &token in &self.order[kept..] {
            self.weights[token as usize] = 0.0;
        }
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
        let stream = "test".to_owned();
        Sampling { temperature, top_k, top_p, max_tokens: 1, stop: vec![], seed: 0, stream }
    }

    /// Shares of tokens in many draws.
    fn shares(logits: &[f32], sampling: &Sampling) -> Vec<f64> {
        let mut picker = Picker::default();
        let mut stream = Stream::new(1, &["shares"]);
        let mut counts = vec![0.0; logits.len()];
        for _ in 0..20_000 {
            counts[picker.pick(logits, sampling, &mut stream).token as usize] += 1.0 / 20_000.0;
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
        let logits = [f32::NEG_INFINITY, 0.0, 3f32.ln(), 2f32.ln()];
        assert_eq!(shares(&logits, &sampling(1.0, 2, 1.0))[1], 0.0);
        assert_eq!(
            shares(&logits, &sampling(1.0, 0, 0.5)),
            [0.0, 0.0, 1.0, 0.0]
                .map(|share: f64| share * shares(&logits, &sampling(1.0, 0, 0.5))[2])
        );
        let both = shares(&logits, &sampling(1.0, 0, 0.8));
        assert!(both[1] == 0.0 && (both[2] - 0.6).abs() < 0.02, "{both:?}");
    }

    #[test]
    fn greedy_takes_the_first_of_equals_and_draws_nothing() {
        let (mut picker, mut stream) = (Picker::default(), Stream::new(1, &["greedy"]));
        let before = stream.clone().unit();
        let picked = picker.pick(&[9.0, 1.0, 2.0, 2.0], &sampling(0.0, 0, 1.0), &mut stream);
        assert_eq!((picked.token, stream.unit()), (2, before));
    }

    #[test]
    fn log_probs_are_those_of_the_untempered_model() {
        let logits = [0.0, 1.0, 2.0f32];
        let log_sum = logits.iter().map(|logit| logit.exp()).sum::<f32>().ln();
        let mut picker = Picker::default();
        let picked =
            picker.pick(&logits, &sampling(0.1, 1, 0.3), &mut Stream::new(1, &["log-prob"]));
        assert_eq!(picked.token, 2);
        assert!((picked.log_prob - (2.0 - log_sum)).abs() < 1e-6);
    }
}
