//! Quadrature: equally spaced abilities, eight to a chunk.
//!
//! Equal spacing is exact beyond any power of the spacing once that is below the
//! standard deviation of every posterior; Gauss-Hermite nodes lie too far apart
//! for long tests, whose scale then drifts.

use super::lanes::{LANES, Lanes, lanes};

/// Abilities at which integrals are taken.
#[derive(Clone, Debug)]
pub(super) struct Grid {
    pub(super) step: f64,
    pub(super) chunks: Vec<Lanes>,
}

impl Grid {
    /// Nodes from `low` to `high` with a spacing of at most `step`; a whole number of chunks.
    pub(super) fn new(low: f64, high: f64, step: f64) -> Self {
        let chunks = ((((high - low) / step).ceil() as usize + 1).div_ceil(LANES)).max(2);
        let step = (high - low) / (chunks * LANES - 1) as f64;
        let node = |index: usize| low + step * index as f64;
        let chunks = (0..chunks).map(|chunk| lanes(|lane| node(chunk * LANES + lane))).collect();
        Self { step, chunks }
    }

    pub(super) fn nodes(&self) -> usize {
        self.chunks.len() * LANES
    }

    pub(super) fn low(&self) -> f64 {
        self.chunks[0][0]
    }

    pub(super) fn high(&self) -> f64 {
        self.chunks[self.chunks.len() - 1][LANES - 1]
    }

    /// ln of the weights of a normal distribution, which sum to 1 over the nodes.
    pub(super) fn log_weights(&self, mean: f64, sd: f64) -> Vec<Lanes> {
        let density = |x: f64| -0.5 * ((x - mean) / sd).powi(2);
        let highest = self.chunks.iter().flatten().map(|&x| density(x)).fold(f64::MIN, f64::max);
        let total: f64 = self.chunks.iter().flatten().map(|&x| (density(x) - highest).exp()).sum();
        let log_total = highest + total.ln();
        self.chunks.iter().map(|chunk| chunk.map(|x| density(x) - log_total)).collect()
    }
}
