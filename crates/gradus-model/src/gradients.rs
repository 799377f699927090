use crate::batch::{Example, Losses, check};
use crate::fused::loss_and_gradient;
use crate::{Decoder, ModelError};

/// A flat gradient: one number per weight, at the places that
/// [`Decoder::parameters`] gives.
#[derive(Clone, Debug, Default)]
pub struct Gradients {
    values: Vec<f32>,
}

impl Gradients {
    /// Zeros for every weight of `decoder`.
    pub fn new(decoder: &Decoder) -> Self {
        Self { values: vec![0.0; decoder.len()] }
    }

    /// The numbers.
    pub fn values(&self) -> &[f32] {
        &self.values
    }

    /// The numbers, to be clipped or scaled.
    pub fn values_mut(&mut self) -> &mut [f32] {
        &mut self.values
    }

    /// Back to zero.
    pub fn clear(&mut self) {
        self.values.fill(0.0);
    }

    /// Adds another micro-batch's gradient.
    ///
    /// # Panics
    /// If the two belong to decoders of different sizes.
    pub fn add(&mut self, other: &Self) {
        assert_eq!(self.values.len(), other.values.len(), "gradients of different decoders");
        for (sum, value) in self.values.iter_mut().zip(&other.values) {
            *sum += value;
        }
    }
}

/// Forward and backward of one micro-batch: adds the gradient of the weighted
/// sum of its losses to `into`.
///
/// The result depends on the micro-batch alone, not on threads; several
/// micro-batches may run at once, each into a buffer of its own.
pub fn gradients(
    decoder: &Decoder,
    examples: &[&Example],
    into: &mut Gradients,
) -> Result<Losses, ModelError> {
    check(decoder, examples)?;
    let (mut weights, mut workspace) = decoder.spare().unwrap_or_default();
    weights.fill(decoder, true)?;
    let values = &mut into.values;
    let losses = loss_and_gradient(decoder, &weights, examples, &mut workspace, values);
    decoder.keep((weights, workspace));
    Ok(losses)
}

#[cfg(test)]
mod tests {
    use gradus::run::Stream;

    use super::*;
    use crate::{Activation, DecoderConfig, LmTarget, ValueTarget};

    fn decoder(hidden_act: Activation, hidden_size: usize, heads: usize) -> Decoder {
        let config = DecoderConfig {
            vocab_size: 38,
            hidden_size,
            num_hidden_layers: 3,
            num_attention_heads: heads,
            intermediate_size: 3 * hidden_size,
            hidden_act,
            ..DecoderConfig::default()
        };
        let decoder = Decoder::new(config, &mut Stream::new(5, &["init"])).unwrap();
        let mut noise = Stream::new(6, &["noise"]);
        for parameter in decoder.parameters() {
            // Norms away from 1 and a value head away from 0, so that every term counts.
            let noise: Vec<f32> = (0..parameter.len).map(|_| 0.1 * noise.normal() as f32).collect();
            parameter
                .update(|weight| weight.iter_mut().zip(noise).for_each(|(w, noise)| *w += noise))
                .unwrap();
        }
        decoder
    }

    /// Sequences of unlike lengths, with targets at some positions only.
    fn examples(lengths: &[usize]) -> Vec<Example> {
        let mut draw = Stream::new(7, &["examples"]);
        let mut example = |length: usize| {
            let tokens: Vec<u32> = (0..length).map(|_| draw.below(38) as u32).collect();
            let lm = (length / 2..length)
                .map(|position| LmTarget {
                    position,
                    token: draw.below(38) as u32,
                    weight: draw.unit() as f32,
                })
                .collect();
            let values = (length / 3..length)
                .step_by(3)
                .map(|position| ValueTarget { position, label: draw.below(2) as f32, weight: 0.5 })
                .collect();
            Example { tokens, lm, values }
        };
        lengths.iter().map(|&length| example(length)).collect()
    }

    #[test]
    fn the_fused_path_has_the_loss_and_gradients_of_the_composition() {
        for (act, hidden, heads) in [
            (Activation::GeluTanh, 64, 4),
            (Activation::Silu, 64, 1),
            (Activation::GeluTanh, 24, 2),
            (Activation::Silu, 20, 2),
        ] {
            let decoder = decoder(act, hidden, heads);
            let examples = examples(&[17, 1, 45, 8, 33]);
            let examples: Vec<&Example> = examples.iter().collect();
            let mut found = Gradients::new(&decoder);
            let losses = gradients(&decoder, &examples, &mut found).unwrap();

            let expected = decoder.composed_loss(&examples).unwrap();
            assert!((losses.lm_sum / expected.lm - 1.0).abs() < 1e-5);
            assert!((losses.value_sum / expected.value - 1.0).abs() < 1e-5);
            let store = expected.total.backward().unwrap();
            for parameter in decoder.parameters() {
                let expected = store.get(&parameter.var).unwrap().flatten_all().unwrap();
                let expected = expected.to_vec1::<f32>().unwrap();
                let found = &found.values()[parameter.offset..][..parameter.len];
                let scale = expected.iter().fold(0.0f32, |a, b| a.max(b.abs()));
                assert!(scale > 1e-3, "no gradient for {}", parameter.name);
                for (at, (found, expected)) in found.iter().zip(&expected).enumerate() {
                    let error = (found - expected).abs();
                    assert!(
                        error < 2e-5 * (1.0 + scale),
                        "{hidden} {} [{at}]: {found} {expected}",
                        parameter.name
                    );
                }
            }
        }
    }

    #[test]
    #[cfg(target_arch = "x86_64")]
    fn the_gradient_is_the_same_to_the_bit_with_every_instruction_set() {
        use crate::kernels::{AT_MOST, Instructions};
        for act in [Activation::GeluTanh, Activation::Silu] {
            let decoder = decoder(act, 40, 2);
            let examples = examples(&[20, 3]);
            let examples: Vec<&Example> = examples.iter().collect();
            let found = [Instructions::Avx512, Instructions::Avx2, Instructions::Baseline].map(
                |instructions| {
                    AT_MOST.set(Some(instructions));
                    let mut into = Gradients::new(&decoder);
                    let losses = gradients(&decoder, &examples, &mut into).unwrap();
                    AT_MOST.set(None);
                    (losses, into.values)
                },
            );
            assert!(found[0] == found[1], "AVX2 differs");
            assert!(found[0] == found[2], "the baseline differs");
        }
    }

    #[test]
    fn gradients_add_up_and_buffers_may_be_reused() {
        let decoder = decoder(Activation::GeluTanh, 64, 4);
        let examples = examples(&[45, 20, 31]);
        let mut fresh = Gradients::new(&decoder);
        gradients(&decoder, &[&examples[1]], &mut fresh).unwrap();
        let mut used = Gradients::new(&decoder);
        gradients(&decoder, &[&examples[0], &examples[2]], &mut used).unwrap();
        used.clear();
        gradients(&decoder, &[&examples[1]], &mut used).unwrap();
        assert_eq!(fresh.values(), used.values());
        let twice: Vec<f32> = fresh.values().iter().map(|value| value + value).collect();
        let one = fresh.clone();
        fresh.add(&one);
        assert_eq!(fresh.values(), twice);
    }

    #[test]
    fn what_the_decoder_does_not_have_is_refused_by_example() {
        let decoder = decoder(Activation::GeluTanh, 8, 2);
        let refused = |example: Example| {
            let fine = examples(&[5]).remove(0);
            let mut into = Gradients::new(&decoder);
            gradients(&decoder, &[&fine, &example], &mut into).unwrap_err().to_string()
        };
        let tokens = |tokens: &[u32]| Example { tokens: tokens.to_vec(), ..Example::default() };
        assert_eq!(refused(tokens(&[])), "example 1: 0 tokens, expected 1 to 512");
        assert_eq!(refused(tokens(&[38])), "example 1: token 38 of a vocabulary of 38");
        let lm = vec![LmTarget { position: 1, token: 0, weight: 1.0 }];
        assert_eq!(
            refused(Example { lm, ..tokens(&[3]) }),
            "example 1: a target at position 1 of 1 tokens"
        );
    }
}
