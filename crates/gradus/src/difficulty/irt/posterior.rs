//! The E step: where on the grid each respondent's ability lies.
//!
//! A posterior is narrow on a long test, so each row keeps a window of chunks
//! outside of which its weight is below [`NEGLIGIBLE`] of the highest. Windows are
//! found on a coarse grid and follow the posterior. Where a posterior can have more
//! than one mode (models with asymptotes), the last pass of a fit goes over the whole grid.

use std::ops::Range;

use super::cells::{Cells, Dense, Pack, Sparse, Storage};
use super::grid::Grid;
use super::lanes::{LANES, Lanes, add, exp, lanes, sum};
use super::model::ItemModel;
use super::workers;

/// Share of the highest weight below which a node does not count.
const NEGLIGIBLE: f64 = 1e-12;
/// A window gives up a chunk only where its weight is far below that.
const FORGOTTEN: f64 = 1e-16;
/// Packs whose tables are in the cache together.
const PACKS: usize = 128;
/// Packs whose counts are in the cache together.
const COUNTED_PACKS: usize = 32;
/// Items of a unit where answers stand alone.
const COUNTED_ITEMS: usize = 64;
/// Rows of a unit; a table is made for each unit, so few rows would not pay for it.
const ROWS: usize = 8192;
const SPARSE_ROWS: usize = 32_768;

/// A model with the parameters of all items.
#[derive(Clone, Copy)]
pub(super) struct Items<'a> {
    pub(super) model: &'a ItemModel,
    /// Where the parameters of each item begin, and where the last end.
    pub(super) starts: &'a [usize],
    pub(super) parameters: &'a [f64],
}

impl<'a> Items<'a> {
    pub(super) fn of(&self, item: usize) -> &'a [f64] {
        &self.parameters[self.starts[item]..self.starts[item + 1]]
    }
}

/// The chunks that count for each row, as first and end.
pub(super) type Windows = Vec<(u32, u32)>;

/// Posterior weights of rows over the nodes of their windows.
pub(super) struct Posterior {
    pub(super) windows: Windows,
    /// Where each row's chunks begin in `weights`.
    starts: Vec<usize>,
    weights: Vec<Lanes>,
    /// Rows whose window holds a chunk, for each chunk, ascending.
    rows: Vec<Vec<u32>>,
    /// ln of the marginal chance of each row's answers.
    pub(super) log_likelihoods: Vec<f64>,
}

impl Posterior {
    /// First chunk and weights of a row; they sum to 1.
    pub(super) fn row(&self, row: usize) -> (usize, &[Lanes]) {
        (self.windows[row].0 as usize, &self.weights[self.starts[row]..self.starts[row + 1]])
    }

    /// Rows whose window holds a chunk, ascending.
    pub(super) fn rows_at(&self, chunk: usize) -> &[u32] {
        &self.rows[chunk]
    }

    /// Mean and standard deviation of a row's posterior.
    pub(super) fn moments(&self, row: usize, grid: &Grid) -> (f64, f64) {
        let (first, weights) = self.row(row);
        let abilities = &grid.chunks[first..];
        let (mut total, mut mean) = (0.0, 0.0);
        for (weight, ability) in weights.iter().zip(abilities) {
            total += sum(weight);
            mean += sum(&lanes(|lane| weight[lane] * ability[lane]));
        }
        mean /= total;
        let mut variance = 0.0;
        for (weight, ability) in weights.iter().zip(abilities) {
            variance += sum(&lanes(|lane| weight[lane] * (ability[lane] - mean).powi(2)));
        }
        (mean, (variance / total).sqrt())
    }

    /// Windows for the next pass, and whether one was too narrow in this.
    pub(super) fn next_windows(&self, chunks: usize) -> (Windows, bool) {
        let mut narrow = false;
        let windows = (0..self.windows.len())
            .map(|row| {
                let (mut first, mut end) = self.windows[row];
                let weights = &self.weights[self.starts[row]..self.starts[row + 1]];
                let highest = weights.iter().flatten().copied().fold(0.0, f64::max);
                let below = |weight: f64, share: f64| weight < share * highest;
                let unused = |chunk: &Lanes, next: f64| {
                    chunk.iter().all(|&weight| below(weight, NEGLIGIBLE)) && below(next, FORGOTTEN)
                };
                let (low, high) = (weights[0], weights[weights.len() - 1]);
                if first > 0 && !below(low[0], NEGLIGIBLE) {
                    narrow = true;
                    first = first.saturating_sub(if low.contains(&highest) { 3 } else { 1 });
                } else {
                    let pairs = weights.windows(2);
                    first += pairs.take_while(|pair| unused(&pair[0], pair[1][0])).count() as u32;
                }
                if (end as usize) < chunks && !below(high[7], NEGLIGIBLE) {
                    narrow = true;
                    end = (end + if high.contains(&highest) { 3 } else { 1 }).min(chunks as u32);
                } else {
                    let pairs = weights.windows(2).rev();
                    end -= pairs.take_while(|pair| unused(&pair[1], pair[0][7])).count() as u32;
                }
                (first, end)
            })
            .collect();
        (windows, narrow)
    }
}

/// Windows of all rows, found on the whole grid; `see` gets the posteriors, as many rows at
/// a time as memory allows.
pub(super) fn whole_grid(
    cells: &Cells,
    items: Items<'_>,
    grid: &Grid,
    priors: &[Vec<Lanes>],
    threads: usize,
    mut see: impl FnMut(Range<usize>, &Posterior),
) -> Windows {
    let chunks = grid.chunks.len();
    let at_once = (1_000_000 / chunks).max(1024);
    let mut windows = Vec::with_capacity(cells.rows());
    let mut from = 0;
    while from < cells.rows() {
        let rows = from..(from + at_once).min(cells.rows());
        let all = vec![(0, chunks as u32); rows.len()];
        let posterior = posterior(cells, rows.clone(), items, grid, priors, all, threads);
        windows.extend(posterior.next_windows(chunks).0);
        see(rows.clone(), &posterior);
        from = rows.end;
    }
    windows
}

/// Windows to begin with, found on a grid of a quarter of the nodes.
pub(super) fn first_windows(
    cells: &Cells,
    items: Items<'_>,
    grid: &Grid,
    populations: &[(f64, f64)],
    threads: usize,
) -> Windows {
    let coarse = Grid::new(grid.low(), grid.high(), 4.0 * grid.step);
    let priors: Vec<_> =
        populations.iter().map(|&(mean, sd)| coarse.log_weights(mean, sd)).collect();
    let windows = whole_grid(cells, items, &coarse, &priors, threads, |_, _| ());
    let chunk = |ability: f64| ((ability - grid.low()) / grid.step).max(0.0) as usize / LANES;
    let last = grid.chunks.len() - 1;
    let mapped = windows.into_iter().map(|(first, end)| {
        let low = coarse.chunks[first as usize][0] - coarse.step;
        let high = coarse.chunks[end as usize - 1][LANES - 1] + coarse.step;
        (chunk(low).min(last) as u32, chunk(high).min(last) as u32 + 1)
    });
    mapped.collect()
}

/// One chunk of the grid, some rows, and where their sums go.
struct Unit<'a> {
    chunk: usize,
    rows: &'a [u32],
    sums: &'a mut [Lanes],
}

/// Posteriors of a range of rows, one window a row.
pub(super) fn posterior(
    cells: &Cells,
    range: Range<usize>,
    items: Items<'_>,
    grid: &Grid,
    priors: &[Vec<Lanes>],
    windows: Windows,
    threads: usize,
) -> Posterior {
    let chunks = grid.chunks.len();
    let mut rows: Vec<Vec<u32>> = vec![Vec::new(); chunks];
    let mut starts = Vec::with_capacity(windows.len() + 1);
    starts.push(0);
    for (row, &(first, end)) in windows.iter().enumerate() {
        for chunk in first..end {
            rows[chunk as usize].push(row as u32);
        }
        starts.push(starts[row] + (end - first) as usize);
    }
    let mut sums: Vec<Vec<Lanes>> = rows.iter().map(|rows| vec![[0.0; 8]; rows.len()]).collect();
    let at_once = if matches!(cells.storage, Storage::Dense(_)) { ROWS } else { SPARSE_ROWS };
    let mut units = Vec::new();
    for (chunk, (rows, sums)) in rows.iter().zip(&mut sums).enumerate() {
        for (rows, sums) in rows.chunks(at_once).zip(sums.chunks_mut(at_once)) {
            units.push(Unit { chunk, rows, sums });
        }
    }
    workers::each(threads, units, Tables::default, |tables, Unit { chunk, rows, sums }| {
        for (&row, sum) in rows.iter().zip(&mut *sums) {
            *sum = priors[cells.populations[range.start + row as usize] as usize][chunk];
        }
        let ability = &grid.chunks[chunk];
        match &cells.storage {
            Storage::Dense(dense) => {
                add_dense(cells, dense, range.start, items, ability, rows, sums, tables);
            }
            Storage::Sparse(sparse) => {
                add_sparse(cells, sparse, range.start, items, ability, rows, sums, tables);
            }
        }
    });
    let mut weights = Vec::with_capacity(starts[windows.len()]);
    let mut log_likelihoods = Vec::with_capacity(windows.len());
    let mut next = vec![0; chunks];
    for &(first, end) in &windows {
        let from = weights.len();
        for chunk in first as usize..end as usize {
            weights.push(sums[chunk][next[chunk]]);
            next[chunk] += 1;
        }
        let row: &mut [Lanes] = &mut weights[from..];
        let highest = row.iter().flatten().copied().fold(f64::NEG_INFINITY, f64::max);
        let mut total = [0.0; 8];
        for weights in row.iter_mut() {
            *weights = exp(&weights.map(|log| log - highest));
            add(&mut total, weights);
        }
        let total = sum(&total);
        for weights in row {
            *weights = weights.map(|weight| weight / total);
        }
        log_likelihoods.push(highest + total.ln());
    }
    Posterior { windows, starts, weights, rows, log_likelihoods }
}

/// What a worker keeps between units.
#[derive(Default)]
struct Tables {
    table: Vec<Lanes>,
    log_p: Vec<Lanes>,
}

/// ln P of every outcome of a pack: sums over its items.
fn pack_table(
    cells: &Cells,
    pack: &Pack,
    items: Items<'_>,
    ability: &Lanes,
    table: &mut Vec<Lanes>,
    log_p: &mut Vec<Lanes>,
) {
    let from = table.len();
    table.push([0.0; 8]);
    for (item, &outcomes) in pack.items.clone().zip(&pack.outcomes) {
        let categories = cells.categories[item];
        log_p.resize(categories.max(log_p.len()), [0.0; 8]);
        (items.model.log_probabilities)(items.of(item), ability, &mut log_p[..categories]);
        let known = table.len() - from;
        for outcome in 1..outcomes {
            for pattern in from..from + known {
                let mut sums = table[pattern];
                // A missing answer adds nothing.
                if let Some(log_p) = log_p[..categories].get(outcome) {
                    add(&mut sums, log_p);
                }
                table.push(sums);
            }
        }
        for sums in &mut table[from..from + known] {
            add(sums, &log_p[0]);
        }
    }
}

#[expect(clippy::too_many_arguments, reason = "the two ways to store cells share one shape")]
fn add_dense(
    cells: &Cells,
    dense: &Dense,
    offset: usize,
    items: Items<'_>,
    ability: &Lanes,
    rows: &[u32],
    sums: &mut [Lanes],
    tables: &mut Tables,
) {
    let Tables { table, log_p } = tables;
    let width = dense.packs.len();
    let mut bases = Vec::with_capacity(PACKS);
    for (block, packs) in dense.packs.chunks(PACKS).enumerate() {
        table.clear();
        bases.clear();
        for pack in packs {
            bases.push(table.len());
            pack_table(cells, pack, items, ability, table, log_p);
        }
        for (&row, total) in rows.iter().zip(&mut *sums) {
            let from = (offset + row as usize) * width + block * PACKS;
            let mut sum = *total;
            for (&code, &base) in dense.codes[from..from + packs.len()].iter().zip(&bases) {
                add(&mut sum, &table[base + usize::from(code)]);
            }
            *total = sum;
        }
    }
}

#[expect(clippy::too_many_arguments, reason = "the two ways to store cells share one shape")]
fn add_sparse(
    cells: &Cells,
    sparse: &Sparse,
    offset: usize,
    items: Items<'_>,
    ability: &Lanes,
    rows: &[u32],
    sums: &mut [Lanes],
    tables: &mut Tables,
) {
    let table = &mut tables.table;
    let all: usize = cells.categories.iter().sum();
    table.resize(all, [0.0; 8]);
    for (item, &categories) in cells.categories.iter().enumerate() {
        let first = cells.first[item];
        (items.model.log_probabilities)(
            items.of(item),
            ability,
            &mut table[first..first + categories],
        );
    }
    for (&row, total) in rows.iter().zip(sums) {
        let row = offset + row as usize;
        let mut sum = *total;
        for &cell in &sparse.by_row[sparse.row_starts[row]..sparse.row_starts[row + 1]] {
            add(&mut sum, &table[cell as usize]);
        }
        *total = sum;
    }
}

/// Expected numbers of answers of one item: by category, then by node.
pub(super) struct Counts<'a> {
    pub(super) categories: usize,
    pub(super) chunks: usize,
    by_node: &'a [Lanes],
}

impl Counts<'_> {
    /// Counts of a category over the chunks of the grid.
    pub(super) fn of(&self, category: usize) -> &[Lanes] {
        &self.by_node[category * self.chunks..(category + 1) * self.chunks]
    }

    /// Expected number of answers at the nodes of a chunk.
    pub(super) fn answers(&self, chunk: usize) -> Lanes {
        let mut total = self.of(0)[chunk];
        for category in 1..self.categories {
            add(&mut total, &self.of(category)[chunk]);
        }
        total
    }
}

/// Calls `visit` with the expected counts of every item, over all rows of the posterior.
pub(super) fn by_item<T: Send>(
    cells: &Cells,
    posterior: &Posterior,
    chunks: usize,
    threads: usize,
    visit: impl Fn(usize, &Counts<'_>) -> T + Sync,
) -> Vec<T> {
    let done = workers::each(
        threads,
        units(cells),
        <(Vec<Lanes>, Vec<Lanes>)>::default,
        |(table, counts), unit| {
            let items = unit_items(cells, &unit);
            counts.clear();
            let categories: usize = cells.categories[items.clone()].iter().sum();
            counts.resize(categories * chunks, [0.0; 8]);
            match &cells.storage {
                Storage::Dense(dense) => {
                    count_dense(cells, dense, unit, &items, posterior, chunks, table, counts);
                }
                Storage::Sparse(sparse) => {
                    count_sparse(cells, sparse, &unit, posterior, chunks, counts);
                }
            }
            let before = cells.first[items.start];
            items
                .map(|item| {
                    let categories = cells.categories[item];
                    let from = (cells.first[item] - before) * chunks;
                    let counts = &counts[from..from + categories * chunks];
                    visit(item, &Counts { categories, chunks, by_node: counts })
                })
                .collect::<Vec<T>>()
        },
    );
    done.into_iter().flatten().collect()
}

/// Packs of neighbouring items, or items, that are worked on together.
pub(super) fn units(cells: &Cells) -> Vec<Range<usize>> {
    let (total, at_once) = match &cells.storage {
        Storage::Dense(dense) => (dense.packs.len(), COUNTED_PACKS),
        Storage::Sparse(_) => (cells.items(), COUNTED_ITEMS),
    };
    (0..total).step_by(at_once).map(|from| from..(from + at_once).min(total)).collect()
}

/// The items of a unit.
pub(super) fn unit_items(cells: &Cells, unit: &Range<usize>) -> Range<usize> {
    match &cells.storage {
        Storage::Dense(dense) => {
            dense.packs[unit.start].items.start..dense.packs[unit.end - 1].items.end
        }
        Storage::Sparse(_) => unit.clone(),
    }
}

/// Calls `answer` with row, item and category of each answer to the items of a unit;
/// those of an item come in the order of the rows.
pub(super) fn answers(
    cells: &Cells,
    unit: &Range<usize>,
    mut answer: impl FnMut(usize, usize, usize),
) {
    match &cells.storage {
        Storage::Dense(dense) => {
            let width = dense.packs.len();
            for row in 0..cells.rows() {
                let codes = &dense.codes[row * width + unit.start..row * width + unit.end];
                for (pack, &code) in dense.packs[unit.clone()].iter().zip(codes) {
                    pack.each(&cells.categories, code, |item, outcome| answer(row, item, outcome));
                }
            }
        }
        Storage::Sparse(sparse) => {
            for item in unit.clone() {
                let range = sparse.item_starts[item]..sparse.item_starts[item + 1];
                for (&row, &outcome) in
                    sparse.rows[range.clone()].iter().zip(&sparse.outcomes[range])
                {
                    answer(row as usize, item, usize::from(outcome));
                }
            }
        }
    }
}

#[expect(clippy::too_many_arguments, reason = "scratch memory is kept between units")]
fn count_dense(
    cells: &Cells,
    dense: &Dense,
    unit: Range<usize>,
    items: &Range<usize>,
    posterior: &Posterior,
    chunks: usize,
    table: &mut Vec<Lanes>,
    counts: &mut [Lanes],
) {
    let width = dense.packs.len();
    let packs = &dense.packs[unit.clone()];
    let mut bases = Vec::with_capacity(packs.len());
    let mut size = 0;
    for pack in packs {
        bases.push(size);
        size += pack.patterns;
    }
    let before = cells.first[items.start];
    for (chunk, rows) in posterior.rows.iter().enumerate() {
        if rows.is_empty() {
            continue;
        }
        table.clear();
        table.resize(size, [0.0; 8]);
        for &row in rows {
            let row = row as usize;
            let at = posterior.starts[row] + chunk - posterior.windows[row].0 as usize;
            let weight = posterior.weights[at].map(|weight| weight * cells.weights[row]);
            let codes = &dense.codes[row * width + unit.start..row * width + unit.end];
            for (&code, &base) in codes.iter().zip(&bases) {
                add(&mut table[base + usize::from(code)], &weight);
            }
        }
        for (pack, &base) in packs.iter().zip(&bases) {
            let table = &mut table[base..base + pack.patterns];
            let mut known = pack.patterns;
            // The last item varies slowest: sum its blocks, then fold them into one.
            for (item, &outcomes) in pack.items.clone().zip(&pack.outcomes).rev() {
                let inner = known / outcomes;
                let first = (cells.first[item] - before) * chunks + chunk;
                for category in 0..cells.categories[item] {
                    let count = &mut counts[first + category * chunks];
                    for weights in &table[category * inner..(category + 1) * inner] {
                        add(count, weights);
                    }
                }
                let (fold, rest) = table.split_at_mut(inner);
                for block in rest[..known - inner].chunks(inner) {
                    fold.iter_mut().zip(block).for_each(|(sum, weights)| add(sum, weights));
                }
                known = inner;
            }
        }
    }
}

fn count_sparse(
    cells: &Cells,
    sparse: &Sparse,
    items: &Range<usize>,
    posterior: &Posterior,
    chunks: usize,
    counts: &mut [Lanes],
) {
    let before = cells.first[items.start];
    for item in items.clone() {
        let range = sparse.item_starts[item]..sparse.item_starts[item + 1];
        let first = (cells.first[item] - before) * chunks;
        for (&row, &outcome) in sparse.rows[range.clone()].iter().zip(&sparse.outcomes[range]) {
            let (chunk, weights) = posterior.row(row as usize);
            let count = cells.weights[row as usize];
            let from = first + usize::from(outcome) * chunks + chunk;
            for (sum, weight) in counts[from..].iter_mut().zip(weights) {
                for (sum, weight) in sum.iter_mut().zip(weight) {
                    *sum += count * weight;
                }
            }
        }
    }
}
