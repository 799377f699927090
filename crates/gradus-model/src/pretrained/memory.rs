//! What a model needs, and what there is.

use super::WeightForm;
use super::forward::BLOCK;
use super::shape::Shape;

/// Positions for which keys and values have room are a multiple of this.
const PANEL: usize = 32;

/// Bytes of memory that can still be had, where the system says so.
pub(crate) fn available() -> Option<u64> {
    let text = std::fs::read_to_string("/proc/meminfo").ok()?;
    let line = text.lines().find_map(|line| line.strip_prefix("MemAvailable:"))?;
    let kilobytes: u64 = line.split_whitespace().next()?.parse().ok()?;
    let free = kilobytes * 1024;
    // A container may have less than the machine.
    let read = |name: &str| std::fs::read_to_string(format!("/sys/fs/cgroup/{name}")).ok();
    let number = |name: &str| read(name)?.trim().parse::<u64>().ok();
    match (number("memory.max"), number("memory.current")) {
        (Some(most), Some(used)) => Some(free.min(most.saturating_sub(used))),
        _ => Some(free),
    }
}

/// `bytes` as people read them.
pub(crate) fn megabytes(bytes: u64) -> String {
    format!("{:.0} MB", bytes as f64 / 1e6)
}

impl Shape {
    /// Bytes of the packed weights.
    pub(crate) fn weight_bytes(&self, form: WeightForm) -> u64 {
        // A block of 32 has a scale beside its 8-bit numbers.
        let (bits, per) = match form {
            WeightForm::F32 => (4, 1),
            WeightForm::Q8 => (36, 32),
        };
        // Embeddings that are not the head stay in the file.
        let embedding = if self.tied { 0 } else { self.vocabulary * self.hidden };
        (self.parameters() - embedding) as u64 * bits / per
    }

    /// Bytes of the buffers of a pass.
    pub(crate) fn pass_bytes(&self) -> u64 {
        let width =
            4 * self.hidden + 2 * self.query_width() + 2 * self.key_width() + 3 * self.inner;
        (BLOCK * width * size_of::<f32>()) as u64
    }

    /// How many sequences of at most `own` tokens after prompts of at most
    /// `prompt`, of which `distinct` differ, fit side by side into `budget`
    /// bytes beside the weights; at most `most`, and none is an error with numbers.
    pub(crate) fn places(
        &self,
        (prompt, distinct): (usize, usize),
        own: usize,
        most: usize,
        budget: u64,
    ) -> Result<usize, String> {
        let own = own.min(self.longest);
        let position = self.bytes_per_position() as u64;
        // Logits, and once more for sampling from them.
        let row = position * own.next_multiple_of(PANEL) as u64
            + (2 * self.vocabulary * size_of::<f32>()) as u64;
        // A prompt is kept for the next request beside those in use.
        let needed = |places: usize| {
            let prompts = (places + 1).min(distinct + 1) as u64
                * position
                * prompt.next_multiple_of(PANEL) as u64;
            self.pass_bytes() + prompts + places as u64 * row
        };
        match (1..=most).rev().find(|&places| needed(places) <= budget) {
            Some(places) => Ok(places),
            None => Err(format!(
                "a sequence of {prompt} + {own} tokens needs {} beside the weights, and {} are left",
                megabytes(needed(1)),
                megabytes(budget),
            )),
        }
    }
}
