use crate::batch::{Example, Losses, check};
use crate::{Decoder, ModelError, composed};

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
    let loss = composed::loss(decoder, examples)?;
    let mut losses = Losses { lm_sum: loss.lm, value_sum: loss.value, ..Losses::default() };
    for example in examples {
        losses.lm_weight += example.lm.iter().map(|t| f64::from(t.weight)).sum::<f64>();
        losses.value_weight += example.values.iter().map(|t| f64::from(t.weight)).sum::<f64>();
    }
    let store = loss.total.backward()?;
    for parameter in decoder.parameters() {
        if let Some(gradient) = store.get(&parameter.var) {
            let gradient: Vec<f32> = gradient.flatten_all()?.to_vec1()?;
            let place = &mut into.values[parameter.offset..parameter.offset + parameter.len];
            for (sum, value) in place.iter_mut().zip(gradient) {
                *sum += value;
            }
        }
    }
    Ok(losses)
}
