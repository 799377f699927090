//! Attention of query heads that share keys and values in groups (Ainslie et al.
//! 2023, "GQA"), over what several sequences have read in common and what each
//! has read itself.
//!
//! For one key head the queries of all heads of its group, of several positions
//! and of several sequences are rows of one product with the common keys; so
//! the samples of a prompt read its keys and values once. One softmax goes over
//! both parts. Scores and mixtures are chains of fused multiply-adds in the order
//! of elements and positions, so a row has the same bits in any company.

use std::ops::Range;

use rayon::prelude::*;

use super::kernel;
use super::lanes::Lanes;
use super::matmul::{ROWS, Strided, block, down};

/// Positions of a panel of keys, columns of a panel of values.
const PANEL: usize = 32;
/// Rows and scores that are worked on at once, beyond the first few rows.
const MOST_ROWS: usize = 96;
const MOST_SCORES: usize = 1 << 18;
/// Multiplications below which attention stays on its thread.
const WORTH_SHARING: usize = 1 << 20;

/// Rotated keys, and values, of consecutive positions in one layer.
///
/// Keys: per head, per 32 positions, per element, 32 numbers side by side.
/// Values: per head, per 32 elements, per position, 32 numbers side by side.
#[derive(Clone, Debug)]
pub(crate) struct KeyValues {
    width: usize,
    capacity: usize,
    len: usize,
    keys: Vec<f32>,
    values: Vec<f32>,
}

impl KeyValues {
    /// Room for `capacity` positions of `heads` keys and values, `width` numbers each.
    pub(crate) fn new(heads: usize, width: usize, capacity: usize) -> Self {
        let capacity = capacity.next_multiple_of(PANEL);
        let keys = vec![0.0; heads * width * capacity];
        let values = vec![0.0; heads * width.next_multiple_of(PANEL) * capacity];
        Self { width, capacity, len: 0, keys, values }
    }

    /// Number of positions.
    pub(crate) fn len(&self) -> usize {
        self.len
    }

    /// Forgets every position.
    pub(crate) fn clear(&mut self) {
        self.len = 0;
    }

    /// Adds a position: the keys and the values of all heads.
    pub(crate) fn push(&mut self, keys: &[f32], values: &[f32]) {
        assert!(self.len < self.capacity, "a full segment");
        let (panel, lane) = (self.len / PANEL, self.len % PANEL);
        let heads = self.keys.chunks_exact_mut(self.width * self.capacity);
        for (head, key) in heads.zip(keys.chunks_exact(self.width)) {
            let panel = &mut head[panel * PANEL * self.width..][..PANEL * self.width];
            for (to, &number) in panel.as_chunks_mut::<PANEL>().0.iter_mut().zip(key) {
                to[lane] = number;
            }
        }
        let padded = self.width.next_multiple_of(PANEL);
        let heads = self.values.chunks_exact_mut(padded * self.capacity);
        for (head, value) in heads.zip(values.chunks_exact(self.width)) {
            let panels = head.chunks_exact_mut(PANEL * self.capacity);
            for (panel, numbers) in panels.zip(value.chunks(PANEL)) {
                panel[self.len * PANEL..][..numbers.len()].copy_from_slice(numbers);
            }
        }
        self.len += 1;
    }

    /// The keys of a head, panel by panel.
    #[inline(always)]
    fn keys_of(&self, head: usize) -> &[f32] {
        &self.keys[head * self.width * self.capacity..][..self.width * self.capacity]
    }

    /// The values of a head, panel by panel.
    #[inline(always)]
    fn values_of(&self, head: usize) -> &[f32] {
        let len = self.width.next_multiple_of(PANEL) * self.capacity;
        &self.values[head * len..][..len]
    }

    fn heads(&self) -> usize {
        self.keys.len() / (self.width * self.capacity)
    }
}

/// Consecutive positions of one sequence that look at what is before them, themselves included.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Reading<'a> {
    /// What comes first and may be shared with other sequences.
    pub(crate) before: Option<&'a KeyValues>,
    /// What follows and is the sequence's own; the positions that look are its last.
    pub(crate) own: &'a KeyValues,
    /// How many positions look.
    pub(crate) count: usize,
}

impl Reading<'_> {
    fn shares_with(&self, other: &Self) -> bool {
        match (self.before, other.before) {
            (None, None) => true,
            (Some(one), Some(other)) => std::ptr::eq(one, other),
            _ => false,
        }
    }
}

/// One position that looks: the head's part of its queries and its output.
struct Looking<'a> {
    reading: usize,
    /// Positions of its own that it sees.
    visible: usize,
    queries: &'a [f32],
    output: &'a mut [f32],
}

/// `output = softmax(queries keys^T) values` per query head, for the positions
/// of `readings`, one behind the other.
///
/// `queries` has a row of `stride` numbers for each, which begins with the
/// queries, head by head, scaled; `output` has a row of as many numbers as there
/// are queries. With `window`, a position sees only so many of the last positions.
pub(crate) fn attend_grouped(
    queries: &[f32],
    stride: usize,
    readings: &[Reading<'_>],
    window: Option<usize>,
    output: &mut [f32],
) {
    let Some(first) = readings.first() else { return };
    let (heads, width) = (first.own.heads(), first.own.width);
    let rows = queries.len() / stride;
    let query_width = output.len() / rows;
    let group = query_width / heads;
    assert_eq!(group % width, 0, "query heads divide into groups");
    let mut jobs: Vec<(usize, &[Reading<'_>], Vec<Looking<'_>>)> = Vec::new();
    let mut rows = queries.chunks_exact(stride).zip(output.chunks_exact_mut(query_width));
    let mut work = 0;
    for (at, reading) in readings.iter().enumerate() {
        let before = reading.before.map_or(0, KeyValues::len);
        work += reading.count * query_width * (before + reading.own.len());
        for (position, (queries, output)) in rows.by_ref().take(reading.count).enumerate() {
            let visible = reading.own.len() - reading.count + position + 1;
            let full = |looking: &[Looking<'_>]| {
                let rows = (looking.len() + 1) * group / width;
                rows > MOST_ROWS
                    || (rows > ROWS && rows * (before + reading.own.len()) > MOST_SCORES)
            };
            let joins = jobs.last().is_some_and(|(_, _, looking)| {
                looking.last().is_some_and(|last| readings[last.reading].shares_with(reading))
                    && !full(looking)
            });
            if !joins {
                jobs.extend((0..heads).map(|head| (head, readings, Vec::new())));
            }
            let parts = queries.chunks_exact(group).zip(output.chunks_exact_mut(group));
            let start = jobs.len() - heads;
            for ((_, _, looking), (queries, output)) in jobs[start..].iter_mut().zip(parts) {
                looking.push(Looking { reading: at, visible, queries, output });
            }
        }
    }
    let window = window.unwrap_or(usize::MAX);
    let run = |scratch: &mut Scratch, (head, readings, looking): &mut (usize, &[_], Vec<_>)| {
        look(*head, readings, window, looking, scratch);
    };
    if work < WORTH_SHARING || rayon::current_num_threads() == 1 {
        let mut scratch = Scratch::default();
        for job in &mut jobs {
            run(&mut scratch, job);
        }
    } else {
        jobs.par_iter_mut().for_each_init(Scratch::default, run);
    }
}

#[derive(Default)]
struct Scratch {
    queries: Vec<f32>,
    scores: Vec<f32>,
    mixed: Vec<f32>,
    rows: Vec<Row>,
}

/// What a query sees: positions of the common part and of its sequence's own.
#[derive(Clone, Default)]
struct Row {
    reading: usize,
    before: Range<usize>,
    own: Range<usize>,
}

/// Cuts rows into tiles of up to [`ROWS`], which share what `same` says.
#[inline(always)]
fn tiles(rows: &[Row], same: impl Fn(&Row, &Row) -> bool) -> impl Iterator<Item = Range<usize>> {
    let mut start = 0;
    std::iter::from_fn(move || {
        let first = rows.get(start)?;
        let count = rows[start..].iter().take(ROWS).take_while(|row| same(first, row)).count();
        let tile = start..start + count;
        start = tile.end;
        Some(tile)
    })
}

/// The positions that one row or another of a tile sees, from a panel's first one on.
#[inline(always)]
fn seen(ranges: impl Iterator<Item = Range<usize>>) -> Range<usize> {
    let (mut start, mut end) = (usize::MAX, 0);
    for range in ranges {
        (start, end) = (start.min(range.start), end.max(range.end));
    }
    start.min(end) / PANEL * PANEL..end
}

/// A tile, and where the scores of a part lie in its rows of scores.
#[derive(Clone)]
struct Place {
    tile: Range<usize>,
    start: usize,
    /// Length of a row of scores.
    stride: usize,
}

/// Scores of a tile's queries and the keys of a head at `positions`.
#[inline(always)]
fn score<L: Lanes>(
    queries: &[f32],
    width: usize,
    place: &Place,
    keys: &[f32],
    positions: Range<usize>,
    scores: &mut [f32],
) {
    let Place { tile, start: first, stride } = place;
    for start in positions.step_by(PANEL) {
        let panel = &keys[start * width..][..PANEL * width];
        let mut target = Strided {
            to: &mut scores[tile.start * stride + first + start..],
            stride: *stride,
            rows: tile.len(),
            columns: PANEL,
            add: false,
        };
        let queries = &queries[..tile.end * width];
        let queries = down(queries, width, width, tile.start, tile.end);
        block::<L, PANEL>(&queries, panel.as_chunks().0, &mut target);
    }
}

/// Mixtures of a head's values at `positions`, by a tile's weights.
#[inline(always)]
fn mix<L: Lanes>(
    weights: &[f32],
    place: &Place,
    values: &[f32],
    capacity: usize,
    positions: Range<usize>,
    mixed: &mut [f32],
    add: bool,
) {
    let tile = &place.tile;
    let padded = values.len() / capacity;
    for (at, panel) in values.chunks_exact(PANEL * capacity).enumerate() {
        let mut target = Strided {
            to: &mut mixed[tile.start * padded + at * PANEL..],
            stride: padded,
            rows: tile.len(),
            columns: PANEL,
            add,
        };
        let weights = &weights[place.start + positions.start..];
        let weights = down(weights, place.stride, positions.len(), tile.start, tile.end);
        block::<L, PANEL>(&weights, &panel.as_chunks().0[positions.clone()], &mut target);
    }
}

/// Softmax of a row over both parts; zero where it does not see.
#[inline(always)]
fn softmax<L: Lanes>(scores: &mut [f32], own_start: usize, row: &Row) {
    let (before, own) = scores.split_at_mut(own_start);
    let parts = [(before, row.before.clone()), (own, row.own.clone())];
    let mut largest = L::splat(f32::NEG_INFINITY);
    let mut sum = L::splat(0.0);
    let mut parts = parts.map(|(scores, range)| {
        scores[..range.start].fill(f32::NEG_INFINITY);
        scores[range.end..].fill(f32::NEG_INFINITY);
        let whole = range.start / 16..range.end.div_ceil(16).max(range.start / 16);
        (scores, range, whole)
    });
    for (scores, _, whole) in &parts {
        for scores in &scores.as_chunks().0[whole.clone()] {
            largest = largest.max(L::load(scores));
        }
    }
    let shift = L::splat(-largest.largest());
    for (scores, _, whole) in &mut parts {
        for scores in &mut scores.as_chunks_mut().0[whole.clone()] {
            let weight = L::load(scores).add(shift).exp_of_negative();
            weight.store(scores);
            sum = sum.add(weight);
        }
    }
    let scale = L::splat(1.0 / sum.sum());
    for (scores, range, whole) in parts {
        for scores in &mut scores.as_chunks_mut().0[whole] {
            L::load(scores).mul(scale).store(scores);
        }
        scores[..range.start].fill(0.0);
        scores[range.end..].fill(0.0);
    }
}

kernel! {
    /// One head of keys and values, and all that looks at it in a job.
    fn look(
        head: usize,
        readings: &[Reading<'_>],
        window: usize,
        looking: &mut [Looking<'_>],
        scratch: &mut Scratch,
    ) {
        let Scratch { queries, scores, mixed, rows } = scratch;
        let before = readings[looking[0].reading].before;
        let (width, group) = (readings[0].own.width, looking[0].queries.len());
        let padded = width.next_multiple_of(PANEL);
        let before_len = before.map_or(0, KeyValues::len);
        queries.clear();
        rows.clear();
        for looking in &*looking {
            queries.extend_from_slice(looking.queries);
            let hidden = (before_len + looking.visible).saturating_sub(window);
            let own = hidden.saturating_sub(before_len)..looking.visible;
            let row = Row { reading: looking.reading, before: hidden.min(before_len)..before_len, own };
            rows.extend(std::iter::repeat_n(row, group / width));
        }
        let own_start = before_len.next_multiple_of(PANEL);
        let longest = looking.iter().map(|looking| looking.visible).max().unwrap_or(0);
        // Rows at equal places of a cache's sets would push each other out.
        let stride = own_start + longest.next_multiple_of(PANEL) + 16;
        let first = |tile| Place { tile, start: 0, stride };
        let second = |tile| Place { tile, start: own_start, stride };
        scores.resize(rows.len() * stride, 0.0);
        mixed.resize(rows.len() * padded, 0.0);

        if let Some(before) = before {
            for tile in tiles(rows, |_, _| true) {
                let seen = seen(rows[tile.clone()].iter().map(|row| row.before.clone()));
                score::<L>(queries, width, &first(tile), before.keys_of(head), seen, scores);
            }
        }
        for tile in tiles(rows, |one, other| one.reading == other.reading) {
            let own = readings[rows[tile.start].reading].own;
            let seen = seen(rows[tile.clone()].iter().map(|row| row.own.clone()));
            score::<L>(queries, width, &second(tile), own.keys_of(head), seen, scores);
        }
        for (row, scores) in rows.iter().zip(scores.chunks_exact_mut(stride)) {
            softmax::<L>(scores, own_start, row);
        }
        if let Some(before) = before {
            for tile in tiles(rows, |_, _| true) {
                let seen = seen(rows[tile.clone()].iter().map(|row| row.before.clone()));
                let values = before.values_of(head);
                mix::<L>(scores, &first(tile), values, before.capacity, seen, mixed, false);
            }
        }
        for tile in tiles(rows, |one, other| one.reading == other.reading) {
            let own = readings[rows[tile.start].reading].own;
            let seen = seen(rows[tile.clone()].iter().map(|row| row.own.clone()));
            let values = own.values_of(head);
            mix::<L>(scores, &second(tile), values, own.capacity, seen, mixed, before.is_some());
        }
        let heads = looking.iter_mut().flat_map(|looking| looking.output.chunks_exact_mut(width));
        for (output, mixed) in heads.zip(mixed.chunks_exact(padded)) {
            output.copy_from_slice(&mixed[..width]);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::{AT_MOST, Instructions};
    use super::*;

    const HEADS: usize = 2;
    const GROUP: usize = 3;

    fn number(at: usize) -> f32 {
        ((at * 7919) % 1009) as f32 / 500.0 - 1.0
    }

    fn numbers(len: usize, seed: usize) -> Vec<f32> {
        (0..len).map(|at| number(at * 31 + seed * 101)).collect()
    }

    /// Positions of a sequence: keys and values of all heads.
    struct Sequence {
        before: usize,
        keys: Vec<Vec<f32>>,
        values: Vec<Vec<f32>>,
        queries: Vec<Vec<f32>>,
    }

    impl Sequence {
        /// Sequences with the same `prompt` begin with the same `before` positions.
        fn new(width: usize, prompt: usize, before: usize, own: usize, seed: usize) -> Self {
            let of = |position: usize, kind: usize, heads: usize| {
                let seed = if position < before { prompt } else { seed };
                numbers(heads * width, seed * 1000 + position * 10 + kind)
            };
            let all = |kind, heads| (0..before + own).map(|at| of(at, kind, heads)).collect();
            let (keys, values) = (all(1, HEADS), all(2, HEADS));
            Self { before, keys, values, queries: all(3, HEADS * GROUP) }
        }

        fn part(&self, width: usize, range: Range<usize>) -> KeyValues {
            let mut part = KeyValues::new(HEADS, width, range.len());
            for at in range {
                part.push(&self.keys[at], &self.values[at]);
            }
            part
        }

        /// Softmax attention of the last position as it is defined, in f64.
        fn expected(&self, width: usize, position: usize, window: Option<usize>) -> Vec<f64> {
            let first = window.map_or(0, |window| (position + 1).saturating_sub(window));
            let query = self.queries[position].chunks_exact(width);
            let outputs = query.enumerate().flat_map(|(head, query)| {
                let place = head / GROUP * width..(head / GROUP + 1) * width;
                let weights: Vec<f64> = (first..=position)
                    .map(|at| {
                        let pairs = query.iter().zip(&self.keys[at][place.clone()]);
                        pairs.map(|(q, k)| f64::from(*q) * f64::from(*k)).sum::<f64>().exp()
                    })
                    .collect();
                let total: f64 = weights.iter().sum();
                let mut output = vec![0.0; width];
                for (weight, at) in weights.iter().zip(first..) {
                    for (output, value) in output.iter_mut().zip(&self.values[at][place.clone()]) {
                        *output += weight / total * f64::from(*value);
                    }
                }
                output
            });
            outputs.collect()
        }
    }

    /// Attention of the last `count` positions of each sequence.
    fn attend(
        sequences: &[(&Sequence, &KeyValues, &KeyValues, usize)],
        width: usize,
        window: Option<usize>,
    ) -> Vec<f32> {
        let readings: Vec<Reading<'_>> = sequences
            .iter()
            .map(|(sequence, before, own, count)| Reading {
                before: (sequence.before > 0).then_some(*before),
                own,
                count: *count,
            })
            .collect();
        let stride = HEADS * GROUP * width + 5;
        let mut queries = Vec::new();
        for (sequence, _, _, count) in sequences {
            for query in &sequence.queries[sequence.queries.len() - count..] {
                queries.extend_from_slice(query);
                queries.extend_from_slice(&[f32::NAN; 5]);
            }
        }
        let mut output = vec![f32::NAN; queries.len() / stride * HEADS * GROUP * width];
        attend_grouped(&queries, stride, &readings, window, &mut output);
        output
    }

    const SIZES: [(usize, usize, usize, usize); 6] = [
        (8, 0, 40, 40),
        (64, 37, 9, 1),
        (16, 64, 33, 33),
        (80, 3, 70, 7),
        (48, 130, 1, 1),
        (6, 0, 1, 1),
    ];

    #[test]
    fn attention_agrees_with_the_definition() {
        for (width, before, own, count) in SIZES {
            for window in [None, Some(1), Some(20), Some(45)] {
                let sequence = Sequence::new(width, 1, before, own, 2);
                let parts =
                    [0..before, before..before + own].map(|part| sequence.part(width, part));
                let found = attend(&[(&sequence, &parts[0], &parts[1], count)], width, window);
                let rows = found.chunks_exact(HEADS * GROUP * width);
                for (found, position) in rows.zip(before + own - count..) {
                    let expected = sequence.expected(width, position, window);
                    for (found, expected) in found.iter().zip(expected) {
                        assert!((f64::from(*found) - expected).abs() < 1e-5, "{found} {expected}");
                    }
                }
            }
        }
    }

    /// Fifty samples of one prompt and seven of another, of different lengths.
    fn samples(width: usize) -> (Vec<Sequence>, [KeyValues; 2], Vec<KeyValues>) {
        let before = |sample: usize| if sample < 50 { 75 } else { 20 };
        let sequences: Vec<Sequence> = (0..57)
            .map(|sample| {
                let prompt = 1000 + sample / 50;
                Sequence::new(width, prompt, before(sample), 1 + sample % 40, sample)
            })
            .collect();
        let prompts = [sequences[0].part(width, 0..75), sequences[50].part(width, 0..20)];
        let own = sequences
            .iter()
            .map(|sequence| sequence.part(width, sequence.before..sequence.keys.len()))
            .collect();
        (sequences, prompts, own)
    }

    #[test]
    fn a_row_is_the_same_to_the_bit_in_any_company_and_on_any_number_of_threads() {
        let width = 64;
        let (sequences, prompts, own) = samples(width);
        let of = |sample: usize| {
            (
                &sequences[sample],
                &prompts[sample / 50],
                &own[sample],
                1 + (sample % 5) % own[sample].len(),
            )
        };
        let pool = |threads| rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        let everything: Vec<_> = (0..57).map(of).collect();
        for window in [None, Some(30)] {
            let all = pool(1).install(|| attend(&everything, width, window));
            let shared = pool(3).install(|| attend(&everything, width, window));
            assert_eq!(all, shared);
            let mut start = 0;
            for alone in &everything {
                let one = attend(std::slice::from_ref(alone), width, window);
                assert_eq!(one, all[start..start + one.len()]);
                start += one.len();
            }
        }
    }

    #[test]
    fn a_cleared_segment_is_as_good_as_a_new_one() {
        let sequence = Sequence::new(64, 1, 0, 40, 2);
        let nothing = sequence.part(64, 0..0);
        let new = sequence.part(64, 0..40);
        let mut used = Sequence::new(64, 1, 0, 40, 3).part(64, 0..40);
        used.clear();
        assert_eq!(used.len(), 0);
        for (keys, values) in sequence.keys.iter().zip(&sequence.values) {
            used.push(keys, values);
        }
        let [new, used] =
            [new, used].map(|own| attend(&[(&sequence, &nothing, &own, 5)], 64, None));
        assert_eq!(new, used);
    }

    #[cfg(target_arch = "x86_64")]
    #[test]
    fn every_instruction_set_gives_the_same_bits() {
        let (sequences, prompts, own) = samples(16);
        let everything: Vec<_> = (0..57)
            .map(|sample| (&sequences[sample], &prompts[sample / 50], &own[sample], 1))
            .collect();
        let results =
            [Instructions::Baseline, Instructions::Avx2, Instructions::Avx512].map(|most| {
                AT_MOST.set(Some(most));
                attend(&everything, 16, None)
            });
        AT_MOST.set(None);
        assert_eq!(results[0], results[1]);
        assert_eq!(results[1], results[2]);
    }
}
