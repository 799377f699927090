use gradus::lm::Sampling;
use gradus::run::Stream;

use crate::kernels;

/// Chooses next tokens from rows of logits, with buffers of its own.
///
/// As in transformers, first come repetition penalty and temperature, then
/// top-k, then top-p of what is left, then min-p.
#[derive(Debug)]
pub(crate) struct Picker<'a> {
    sampling: &'a Sampling,
    /// A token that is never chosen.
    never: Option<u32>,
    logits: Vec<f32>,
    weights: Vec<f32>,
    order: Vec<u32>,
    /// Per token, is it in the prompt or the completion.
    penalized: Vec<bool>,
}

/// A chosen token.
pub(crate) struct Picked {
    pub(crate) token: u32,
    /// Its log-prob under the model, untempered and without a penalty.
    pub(crate) log_prob: f32,
    /// Its log-prob under the distribution that it was drawn from.
    pub(crate) sampled_log_prob: f32,
}

impl<'a> Picker<'a> {
    pub(crate) fn new(sampling: &'a Sampling, never: Option<u32>) -> Self {
        Self {
            sampling,
            never,
            logits: Vec::new(),
            weights: Vec::new(),
            order: Vec::new(),
            penalized: Vec::new(),
        }
    }

    /// Picks from a row of logits that follows the tokens in `seen`: one draw
    /// from `stream`, unless the choice is greedy.
    pub(crate) fn pick(
        &mut self,
        logits: &[f32],
        seen: &[&[u32]],
        stream: &mut Stream,
    ) -> Result<Picked, String> {
        let size = logits.len();
        self.weights.resize(size, 0.0);
        let weights = &mut self.weights;
        let temperature = self.sampling.temperature;
        let inverse = if temperature > 0.0 { 1.0 / temperature } else { 1.0 };
        let mut normalizer = [0.0];
        let penalty = self.sampling.repetition_penalty;
        let mut source = logits;
        if penalty == 1.0 {
            kernels::probabilities(logits, size, inverse, weights, &mut normalizer);
        } else {
            kernels::probabilities(logits, size, 1.0, weights, &mut normalizer);
            self.logits.clear();
            self.logits.extend_from_slice(logits);
            penalize(&mut self.logits, penalty, seen, &mut self.penalized);
            source = &self.logits;
            if temperature > 0.0 {
                kernels::probabilities(source, size, inverse, weights, &mut [0.0]);
            }
        }
        if !normalizer[0].is_finite() {
            return Err(format!("the model's logits sum up to {}", normalizer[0]));
        }
        let (token, sampled_log_prob) = if temperature > 0.0 {
            if let Some(never) = self.never {
                weights[never as usize] = 0.0;
            }
            keep_likeliest(weights, self.sampling, &mut self.order);
            draw(weights, stream.unit())
        } else {
            (likeliest(source, self.never), 0.0)
        };
        Ok(Picked { token, log_prob: logits[token as usize] - normalizer[0], sampled_log_prob })
    }
}

/// Divides positive and multiplies negative logits of the tokens in `seen`, each once.
fn penalize(logits: &mut [f32], penalty: f32, seen: &[&[u32]], penalized: &mut Vec<bool>) {
    penalized.clear();
    penalized.resize(logits.len(), false);
    for &token in seen.iter().copied().flatten() {
        let token = token as usize;
        if !std::mem::replace(&mut penalized[token], true) {
            let logit = &mut logits[token];
            *logit = if *logit > 0.0 { *logit / penalty } else { *logit * penalty };
        }
    }
}

/// The token at which the running sum of weights passes `unit` of the total,
/// and the logarithm of its share.
fn draw(weights: &[f32], unit: f64) -> (u32, f32) {
    let total: f64 = weights.iter().map(|&weight| f64::from(weight)).sum();
    let (mut left, mut last) = (unit * total, 0);
    for (token, &weight) in weights.iter().enumerate() {
        if weight > 0.0 {
            last = token;
            left -= f64::from(weight);
            if left < 0.0 {
                break;
            }
        }
    }
    (last as u32, (f64::from(weights[last]) / total).ln() as f32)
}

/// Sets the weights outside top-k, then outside top-p of what is left, then
/// outside min-p, to 0.
fn keep_likeliest(weights: &mut [f32], sampling: &Sampling, order: &mut Vec<u32>) {
    let limited = sampling.top_k > 0 && sampling.top_k < weights.len();
    if limited || sampling.top_p < 1.0 {
        order.clear();
        order.extend(0..weights.len() as u32);
        let likelier =
            |a: &u32, b: &u32| weights[*b as usize].total_cmp(&weights[*a as usize]).then(a.cmp(b));
        let mut kept = weights.len();
        if limited {
            kept = sampling.top_k;
            order.select_nth_unstable_by(kept, likelier);
        }
        if sampling.top_p < 1.0 {
            let weight = |&token: &u32| f64::from(weights[token as usize]);
            let enough = f64::from(sampling.top_p) * order[..kept].iter().map(weight).sum::<f64>();
            // As a rule few tokens hold the mass, and only those are sorted.
            let mut sorted = kept.min(256);
            kept = loop {
                if sorted < kept {
                    order[..kept].select_nth_unstable_by(sorted, likelier);
                }
                order[..sorted].sort_unstable_by(likelier);
                let mut covered = 0.0;
                let last = order[..sorted].iter().position(|token| {
                    covered += weight(token);
                    covered >= enough
                });
                match last {
                    Some(last) => break last + 1,
                    None if sorted == kept => break kept,
                    None => sorted = (16 * sorted).min(kept),
                }
            };
        }
        for &token in &order[kept..] {
            weights[token as usize] = 0.0;
        }
    }
    if sampling.min_p > 0.0 {
        let least = sampling.min_p * weights.iter().copied().fold(0.0, f32::max);
        weights.iter_mut().filter(|weight| **weight < least).for_each(|weight| *weight = 0.0);
    }
}

/// The first of the largest logits.
fn likeliest(logits: &[f32], never: Option<u32>) -> u32 {
    let mut best = usize::from(never == Some(0));
    for (token, logit) in logits.iter().enumerate().skip(best) {
        if *logit > logits[best] && never != Some(token as u32) {
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
        let mut picker = Picker::new(sampling, Some(0));
        let mut stream = Stream::new(1, &["shares"]);
        let mut counts = vec![0.0; logits.len()];
        for _ in 0..20_000 {
            let picked = picker.pick(logits, &[], &mut stream).unwrap();
            counts[picked.token as usize] += 1.0 / 20_000.0;
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
        let (mut picker, mut stream) = (Picker::new(&greedy, Some(0)), Stream::new(1, &["greedy"]));
        let before = stream.clone().unit();
        let picked = picker.pick(&[9.0, 1.0, 2.0, 2.0], &[], &mut stream).unwrap();
        assert_eq!((picked.token, stream.unit()), (2, before));
    }

    #[test]
    fn log_probs_are_those_of_the_untempered_model() {
        let logits = [0.0, 1.0, 2.0f32];
        let log_sum = logits.iter().map(|logit| logit.exp()).sum::<f32>().ln();
        let sharp = sampling(0.1, 1, 0.3);
        let mut picker = Picker::new(&sharp, None);
        let picked = picker.pick(&logits, &[], &mut Stream::new(1, &["log-prob"])).unwrap();
        assert_eq!((picked.token, picked.sampled_log_prob), (2, 0.0));
        assert!((picked.log_prob - (2.0 - log_sum)).abs() < 1e-6);
    }
    #[test]
    fn min_p_keeps_what_is_likely_beside_the_likeliest() {
        // Probabilities 1/6, 3/6, 2/6.
        let logits = [-50.0, 0.0, 3f32.ln(), 2f32.ln()];
        let found = shares(&logits, &Sampling { min_p: 0.5, ..sampling(1.0, 0, 1.0) });
        assert!(found[1] == 0.0 && (found[2] - 0.6).abs() < 0.02, "{found:?}");
    }

    #[test]
    fn a_repetition_penalty_holds_once_for_each_token_seen() {
        let greedy = Sampling { repetition_penalty: 2.0, ..sampling(0.0, 0, 1.0) };
        let mut picker = Picker::new(&greedy, None);
        let mut pick = |seen: &[&[u32]]| {
            let picked = picker.pick(&[4.0, 3.0, -1.0], seen, &mut Stream::new(1, &["p"]));
            picked.unwrap()
        };
        assert_eq!(pick(&[&[], &[]]).token, 0);
        // 4 / 2 is below 3; a second time changes nothing.
        let picked = pick(&[&[0, 0], &[2]]);
        assert_eq!(picked.token, 1);
        let log_sum = [4f32, 3.0, -1.0].iter().map(|logit| logit.exp()).sum::<f32>().ln();
        assert!((picked.log_prob - (3.0 - log_sum)).abs() < 1e-6);
    }

    #[test]
    fn sampled_log_probs_are_those_of_what_was_drawn_from() {
        let logits = [0.0, 1.0, 2.0f32];
        let half = sampling(0.5, 2, 1.0);
        let mut picker = Picker::new(&half, None);
        for draw in 0..20 {
            let mut stream = Stream::new(draw, &["drawn"]);
            let picked = picker.pick(&logits, &[], &mut stream).unwrap();
            let kept = 2f32.exp() + 4f32.exp();
            let expected = 2.0 * logits[picked.token as usize] - kept.ln();
            assert!((picked.sampled_log_prob - expected).abs() < 1e-5);
        }
    }

    #[test]
    fn few_or_many_tokens_within_top_p_are_found() {
        let logits: Vec<f32> = (0..10_000).map(|token| (token % 100) as f32 / 100.0).collect();
        for top_p in [0.01, 0.5, 0.999] {
            let mut weights: Vec<f32> = logits.iter().map(|logit| logit.exp()).collect();
            let mut sorted = weights.clone();
            sorted.sort_unstable_by(|a, b| b.total_cmp(a));
            let total: f64 = sorted.iter().map(|&weight| f64::from(weight)).sum();
            let mut covered = 0.0;
            let needed = sorted.iter().position(|&weight| {
                covered += f64::from(weight);
                covered >= f64::from(top_p) * total
            });
            keep_likeliest(&mut weights, &sampling(1.0, 0, top_p), &mut Vec::new());
            let kept = weights.iter().filter(|&&weight| weight > 0.0).count();
            assert_eq!(kept, needed.unwrap() + 1);
        }
    }

    #[test]
    fn logits_that_are_no_numbers_are_an_error() {
        let (free, mut stream) = (sampling(1.0, 0, 1.0), Stream::new(1, &["nan"]));
        let mut picker = Picker::new(&free, None);
        assert!(picker.pick(&[0.0, f32::NAN], &[], &mut stream).is_err());
    }
}
