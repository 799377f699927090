//! Attention of one new position over what came before it.

use super::attention::{seen_in, softmax};
use super::kernel;

/// Lanes: keys are kept sixteen positions at a time.
const PANEL: usize = 16;

/// Heads, and the width of one.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Heads {
    pub(crate) count: usize,
    pub(crate) width: usize,
}

/// Rotated keys and values of consecutive positions, in one layer.
///
/// Keys: per head, per sixteen positions, per element, sixteen numbers side by
/// side. Values: per position, per head, padded to whole lanes.
#[derive(Clone, Debug)]
pub(crate) struct Segment {
    heads: Heads,
    keys: Vec<f32>,
    values: Vec<f32>,
    capacity: usize,
    len: usize,
}

impl Segment {
    /// Room for `capacity` positions.
    pub(crate) fn new(heads: Heads, capacity: usize) -> Self {
        let capacity = capacity.next_multiple_of(PANEL);
        let keys = vec![0.0; heads.count * heads.width * capacity];
        let values = vec![0.0; heads.count * heads.width.next_multiple_of(PANEL) * capacity];
        Self { heads, keys, values, capacity, len: 0 }
    }

    /// Forgets every position.
    pub(crate) fn clear(&mut self) {
        self.len = 0;
    }

    /// Adds a position, from its row of packed query, key and value.
    pub(crate) fn push(&mut self, qkv: &[f32]) {
        let Heads { count, width } = self.heads;
        assert!(self.len < self.capacity, "a full segment");
        let (panel, lane) = (self.len / PANEL, self.len % PANEL);
        let padded = width.next_multiple_of(PANEL);
        let (_, key_value) = qkv.split_at(count * width);
        let (key, value) = key_value.split_at(count * width);
        for (head, key) in key.chunks_exact(width).enumerate() {
            let start = (head * self.capacity + panel * PANEL) * width;
            let to = self.keys[start..start + width * PANEL].as_chunks_mut::<PANEL>().0;
            for (to, &key) in to.iter_mut().zip(key) {
                to[lane] = key;
            }
        }
        let to = &mut self.values[self.len * count * padded..][..count * padded];
        for (to, value) in to.chunks_exact_mut(padded).zip(value.chunks_exact(width)) {
            to[..width].copy_from_slice(value);
        }
        self.len += 1;
    }

    /// Number of positions.
    pub(crate) fn len(&self) -> usize {
        self.len
    }
}

kernel! {
    /// `output = softmax(query keys^T) values` per head, over the positions of
    /// `before` and then of `own`; the query comes scaled.
    pub(crate) fn attend(
        query: &[f32],
        before: &Segment,
        own: &Segment,
        output: &mut [f32],
        scores: &mut Vec<f32>,
    ) {
        let Heads { count, width } = own.heads;
        let padded = width.next_multiple_of(PANEL);
        let (seen_before, seen_own) =
            (before.len.next_multiple_of(PANEL), own.len.next_multiple_of(PANEL));
        let seen = seen_before + seen_own;
        scores.resize(count * seen, 0.0);
        for (head, scores) in scores.chunks_exact_mut(seen).enumerate() {
            let query = &query[head * width..][..width];
            let (first, second) = scores.split_at_mut(seen_before);
            for (segment, scores) in [(before, &mut *first), (own, &mut *second)] {
                let keys = &segment.keys[head * segment.capacity * width..];
                let panels = keys.chunks_exact(width * PANEL);
                for (panel, scores) in panels.zip(scores.as_chunks_mut::<PANEL>().0) {
                    // Two sums, because one would wait for itself; a width is even.
                    let mut sums = [L::splat(0.0); 2];
                    let pairs = panel.as_chunks::<PANEL>().0.as_chunks::<2>().0;
                    for (keys, query) in pairs.iter().zip(query.as_chunks::<2>().0) {
                        for of in 0..2 {
                            sums[of] = L::splat(query[of]).mul_add(L::load(&keys[of]), sums[of]);
                        }
                    }
                    sums[0].add(sums[1]).store(scores);
                }
            }
        }
        for scores in scores.chunks_mut(8 * seen) {
            softmax::<L>(scores, seen, seen / PANEL, |_, panel| {
                match panel.checked_sub(seen_before / PANEL) {
                    None => seen_in(before.len, panel),
                    Some(panel) => seen_in(own.len, panel),
                }
            });
        }

        // Four registers of output at a time, so that their sums overlap.
        let vectors = count * padded / PANEL;
        for group in (0..vectors).step_by(4) {
            let vector = |of: usize| (group + of).min(vectors - 1);
            let weights = |of: usize| &scores[vector(of) * PANEL / padded * seen..][..seen];
            let weights = [weights(0), weights(1), weights(2), weights(3)];
            let columns = [vector(0), vector(1), vector(2), vector(3)];
            let mut sums = [L::splat(0.0); 4];
            for (segment, offset) in [(before, 0), (own, seen_before)] {
                let weights = weights.map(|weights| &weights[offset..][..segment.len]);
                let (values, _) = segment.values.as_chunks::<PANEL>();
                for (at, row) in values.chunks_exact(vectors).take(segment.len).enumerate() {
                    for of in 0..4 {
                        let weight = L::splat(weights[of][at]);
                        sums[of] = weight.mul_add(L::load(&row[columns[of]]), sums[of]);
                    }
                }
            }
            let mut mixed = [[0.0; PANEL]; 4];
            for of in 0..4 {
                sums[of].store(&mut mixed[of]);
            }
            for (of, mixed) in mixed.iter().enumerate().take(vectors - group) {
                let at = (group + of) * PANEL;
                let (head, within) = (at / padded, at % padded);
                let wanted = PANEL.min(width - within);
                output[head * width + within..][..wanted].copy_from_slice(&mixed[..wanted]);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn attention_over_segments_agrees_with_the_definition() {
        for (count, width, before, own) in [(4, 16, 22, 9), (2, 6, 3, 17), (3, 20, 16, 1)] {
            let heads = Heads { count, width };
            let hidden = count * width;
            let number = |at: usize| ((at * 7919) % 1009) as f32 / 500.0 - 1.0;
            let rows: Vec<Vec<f32>> = (0..before + own)
                .map(|row| (0..3 * hidden).map(|at| number(row * 3 * hidden + at)).collect())
                .collect();
            let mut segments = [Segment::new(heads, before), Segment::new(heads, own)];
            for (at, row) in rows.iter().enumerate() {
                segments[usize::from(at >= before)].push(row);
            }
            let mut found = vec![0.0; hidden];
            let query = &rows[before + own - 1][..hidden];
            attend(query, &segments[0], &segments[1], &mut found, &mut Vec::new());
            for head in 0..count {
                let place =
                    |part: usize| part * hidden + head * width..part * hidden + (head + 1) * width;
                let weights: Vec<f64> = rows
                    .iter()
                    .map(|row| {
                        let pairs = query[place(0)].iter().zip(&row[place(1)]);
                        pairs.map(|(q, k)| f64::from(*q) * f64::from(*k)).sum::<f64>().exp()
                    })
                    .collect();
                let total: f64 = weights.iter().sum();
                for element in 0..width {
                    let expected: f64 = rows
                        .iter()
                        .zip(&weights)
                        .map(|(row, weight)| weight / total * f64::from(row[place(2)][element]))
                        .sum();
                    let found = f64::from(found[head * width + element]);
                    assert!((found - expected).abs() < 1e-5, "{found} {expected}");
                }
            }
        }
    }
}
