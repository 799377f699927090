use std::convert::Infallible;

use rand_chacha::ChaCha8Rng;
use rand_core::{Rng, SeedableRng, TryRng};
use sha2::{Digest, Sha256};

/// A named, counter-based random stream.
///
/// The key is the run's seed and a path of names (stage, problem id, sample
/// index ...), so what is drawn depends neither on batch size, thread count nor
/// order. `ChaCha8` keyed by SHA-256 of the path: the same bytes on every machine.
///
/// ```
/// use gradus::run::Stream;
/// let mut one = Stream::new(1, &["sample", "problem-7", "3"]);
/// let mut two = Stream::new(1, &["sample", "problem-7", "3"]);
/// assert_eq!(one.unit(), two.unit());
/// ```
#[derive(Clone, Debug)]
pub struct Stream(ChaCha8Rng);

impl Stream {
    /// The stream of `seed` and `path`; each name is hashed with its length, so
    /// `["ab", "c"]` and `["a", "bc"]` differ.
    pub fn new(seed: u64, path: &[&str]) -> Self {
        let mut hash = Sha256::new();
        hash.update(seed.to_le_bytes());
        for name in path {
            hash.update((name.len() as u64).to_le_bytes());
            hash.update(name.as_bytes());
        }
        Self(ChaCha8Rng::from_seed(hash.finalize().into()))
    }

    /// Uniform in `[0, 1)`, 53 bits.
    pub fn unit(&mut self) -> f64 {
        (self.0.next_u64() >> 11) as f64 * (1.0 / (1u64 << 53) as f64)
    }

    /// Uniform in `0..bound` without bias.
    ///
    /// # Panics
    /// If `bound` is 0.
    pub fn below(&mut self, bound: u64) -> u64 {
        assert!(bound > 0, "a stream cannot draw below 0");
        // Rejection on the widening product (Lemire 2019, "Fast random integer generation").
        loop {
            let wide = u128::from(self.0.next_u64()) * u128::from(bound);
            if (wide as u64) >= bound.wrapping_neg() % bound {
                return (wide >> 64) as u64;
            }
        }
    }

    /// Standard normal, by Box and Muller's method (one of the pair is dropped).
    pub fn normal(&mut self) -> f64 {
        let radius = (-2.0 * (1.0 - self.unit()).ln()).sqrt();
        radius * (std::f64::consts::TAU * self.unit()).cos()
    }

    /// Fisher-Yates.
    pub fn shuffle<T>(&mut self, items: &mut [T]) {
        for last in (1..items.len()).rev() {
            items.swap(last, self.below(last as u64 + 1) as usize);
        }
    }
}

impl TryRng for Stream {
    type Error = Infallible;

    fn try_next_u32(&mut self) -> Result<u32, Infallible> {
        self.0.try_next_u32()
    }

    fn try_next_u64(&mut self) -> Result<u64, Infallible> {
        self.0.try_next_u64()
    }

    fn try_fill_bytes(&mut self, bytes: &mut [u8]) -> Result<(), Infallible> {
        self.0.try_fill_bytes(bytes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_separated_by_length() {
        let mut one = Stream::new(0, &["ab", "c"]);
        let mut two = Stream::new(0, &["a", "bc"]);
        assert_ne!(one.next_u64(), two.next_u64());
    }

    #[test]
    fn the_first_draws_never_change() {
        let mut stream = Stream::new(7, &["golden"]);
        let drawn: Vec<u64> = (0..4).map(|_| stream.below(1000)).collect();
        assert_eq!(drawn, GOLDEN);
    }

    // Recorded when the generator was chosen: a change here breaks every committed record.
    const GOLDEN: [u64; 4] = [719, 904, 237, 548];

    #[test]
    fn below_is_uniform_and_normal_has_unit_variance() {
        let mut stream = Stream::new(3, &["moments"]);
        let mut counts = [0u32; 3];
        let (mut sum, mut squares) = (0.0, 0.0);
        for _ in 0..30_000 {
            counts[stream.below(3) as usize] += 1;
            let draw = stream.normal();
            sum += draw;
            squares += draw * draw;
        }
        assert!(counts.iter().all(|&c| c.abs_diff(10_000) < 400), "{counts:?}");
        assert!((sum / 30_000.0).abs() < 0.03 && (squares / 30_000.0 - 1.0).abs() < 0.04);
    }

    #[test]
    fn a_shuffle_is_a_permutation() {
        let mut items: Vec<u32> = (0..100).collect();
        Stream::new(0, &["shuffle"]).shuffle(&mut items);
        assert!(items.windows(2).any(|pair| pair[0] > pair[1]));
        items.sort_unstable();
        assert_eq!(items, (0..100).collect::<Vec<u32>>());
    }
}
