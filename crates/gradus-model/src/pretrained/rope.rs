//! Rotary frequencies, scaled as configs ask for it.

use std::f64::consts::TAU;

/// How the angles of a layer's queries and keys are made.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Rope {
    /// Base of the angles.
    pub(crate) theta: f64,
    /// How they are stretched for long texts.
    pub(crate) scaling: Scaling,
}

/// Stretching of the angles beyond the trained length.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Scaling {
    /// As trained.
    None,
    /// Every angle divided by the factor (Chen et al. 2023, "Position Interpolation", equation 4).
    Linear { factor: f64 },
    /// Low frequencies divided by the factor, high ones kept, between them a
    /// mixture (Llama 3.1's; `low` and `high` are turns within `trained` positions).
    Llama3 { factor: f64, low: f64, high: f64, trained: f64 },
    /// Peng et al. 2023, "`YaRN`", section 3.2 and equation 22 for the scale of attention.
    Yarn { factor: f64, fast: f64, slow: f64, trained: f64, attention: f64, whole: bool },
    /// Divisors of the frequencies, one per pair, as GGUF files of Llama 3.1 bring them.
    Divisors(Vec<f32>),
}

impl Rope {
    /// Angle per position of each pair of a head's elements.
    pub(crate) fn frequencies(&self, head: usize) -> Vec<f64> {
        let pairs = head / 2;
        let plain = |pair: usize| self.theta.powf(-2.0 * pair as f64 / head as f64);
        let stretch = |pair: usize| match &self.scaling {
            Scaling::None => plain(pair),
            Scaling::Linear { factor } => plain(pair) / factor,
            Scaling::Llama3 { factor, low, high, trained } => {
                let turns = trained * plain(pair) / TAU;
                let kept = ((turns - low) / (high - low)).clamp(0.0, 1.0);
                plain(pair) * (kept + (1.0 - kept) / factor)
            }
            Scaling::Yarn { factor, fast, slow, trained, whole, .. } => {
                // The pair that turns so often within the trained length.
                let pair_of = |turns: f64| {
                    head as f64 * (trained / (turns * TAU)).ln() / (2.0 * self.theta.ln())
                };
                let (mut first, mut last) = (pair_of(*fast), pair_of(*slow));
                if *whole {
                    (first, last) = (first.floor(), last.ceil());
                }
                let (first, mut last) = (first.max(0.0), last.min(head as f64 - 1.0));
                if first == last {
                    last += 0.001;
                }
                let stretched = ((pair as f64 - first) / (last - first)).clamp(0.0, 1.0);
                plain(pair) * (1.0 - stretched + stretched / factor)
            }
            Scaling::Divisors(divisors) => {
                plain(pair) / divisors.get(pair).map_or(1.0, |&divisor| f64::from(divisor))
            }
        };
        (0..pairs).map(stretch).collect()
    }

    /// What cosines and sines are multiplied by.
    pub(crate) fn attention_factor(&self) -> f64 {
        match self.scaling {
            Scaling::Yarn { attention, .. } => attention,
            _ => 1.0,
        }
    }
}

/// `YaRN`'s scale of attention (equation 22), for a stretch by `factor`.
pub(crate) fn yarn_scale(factor: f64, coefficient: f64) -> f64 {
    if factor <= 1.0 { 1.0 } else { (0.1 * coefficient).mul_add(factor.ln(), 1.0) }
}

/// Cosines and sines of the angles of positions, as far as they have been asked for.
#[derive(Clone, Debug)]
pub(crate) struct Angles {
    frequencies: Vec<f64>,
    factor: f64,
    cos: Vec<f32>,
    sin: Vec<f32>,
}

impl Angles {
    pub(crate) fn new(rope: &Rope, head: usize) -> Self {
        Self {
            frequencies: rope.frequencies(head),
            factor: rope.attention_factor(),
            cos: Vec::new(),
            sin: Vec::new(),
        }
    }

    /// Makes sure that positions `0..positions` are there.
    pub(crate) fn cover(&mut self, positions: usize) {
        let known = self.cos.len() / self.frequencies.len();
        for position in known..positions.next_multiple_of(64).max(known) {
            for frequency in &self.frequencies {
                let angle = position as f64 * frequency;
                self.cos.push((angle.cos() * self.factor) as f32);
                self.sin.push((angle.sin() * self.factor) as f32);
            }
        }
    }

    /// Cosines and sines of a covered position.
    pub(crate) fn at(&self, position: usize) -> (&[f32], &[f32]) {
        let half = self.frequencies.len();
        let place = position * half..(position + 1) * half;
        (&self.cos[place.clone()], &self.sin[place])
    }
}
