//! What is lost by not seeing abilities: the posterior covariance of the complete-data
//! score, summed over respondents (the second term of Louis 1982).
//!
//! It is the posterior mean of the score's square less the square of its posterior mean.
//! Ability enters an item only through slope times ability plus intercepts, so that the
//! derivative by a slope is ability times the sum of those by the intercepts. So squares are
//! summed at each node for intercepts and asymptotes alone, and what slopes add follows from
//! these sums weighted by the ability and its square: a quarter of the products of a 2PL.

use super::fit::Fit;
use super::lanes::LANES;
use super::model::ItemModel;
use super::observed_information::{ItemScores, Layout};
use super::posterior::Posterior;
use super::workers;

/// Share of a posterior below which a node does not count.
const NEGLIGIBLE: f64 = 1e-9;
/// Rows whose scores stand in the cache together.
const ROWS: usize = 64;

/// Derivatives that do not belong to slopes, in a row.
struct Bases {
    size: usize,
    /// Of each item, where its intercepts and asymptotes begin; none for given items.
    items: Vec<Option<usize>>,
    /// Of each population: its mean, then its standard deviation.
    populations: Vec<Option<usize>>,
    /// Of each parameter of the layout: the bases that are summed, and whether the sum is
    /// multiplied by the ability.
    parameters: Vec<(Vec<usize>, bool)>,
}

impl Bases {
    fn new(fit: &Fit, layout: &Layout) -> Self {
        let categories = &fit.core.cells.categories;
        let mut bases = Self {
            size: 0,
            items: Vec::with_capacity(layout.items.len()),
            populations: Vec::new(),
            parameters: vec![(Vec::new(), false); layout.size],
        };
        for (item, indices) in layout.items.iter().enumerate() {
            bases.items.push((!indices.is_empty()).then_some(bases.size));
            for (number, &index) in indices.iter().enumerate().skip(1) {
                bases.parameters[index].0.push(bases.size);
                if number < categories[item] {
                    bases.parameters[indices[0]].0.push(bases.size);
                    bases.parameters[indices[0]].1 = true;
                }
                bases.size += 1;
            }
        }
        for at in &layout.populations {
            bases.populations.push(at.map(|_| bases.size));
            if let Some(at) = *at {
                for number in 0..2 {
                    bases.parameters[at + number].0.push(bases.size);
                    bases.size += 1;
                }
            }
        }
        bases
    }

    /// Writes a row's derivatives at the nodes of a chunk: by lane, then by base.
    fn at(&self, fit: &Fit, scores: &[ItemScores], (row, chunk): (usize, usize), to: &mut [f64]) {
        let cells = &fit.core.cells;
        to.fill(0.0);
        cells.each(row, |item, category| {
            let Some(first) = self.items[item] else { return };
            let scores = &scores[item];
            for parameter in 1..scores.width {
                let values = &scores.of(category, parameter)[chunk];
                for (lane, value) in values.iter().enumerate() {
                    to[lane * self.size + first + parameter - 1] = *value;
                }
            }
        });
        let population = cells.populations[row] as usize;
        if let Some(first) = self.populations[population] {
            let (mean, sd) = (fit.populations[population].mean, fit.populations[population].sd);
            for (lane, ability) in fit.core.grid.chunks[chunk].iter().enumerate() {
                let off = (ability - mean) / sd;
                to[lane * self.size + first] = off / sd;
                to[lane * self.size + first + 1] = (off * off - 1.0) / sd;
            }
        }
    }
}

/// Adds squares of vectors to the upper triangle of a matrix: `rows` of `size` numbers, each
/// pair of which is multiplied by the row's weight. Four rows share a pass over the matrix.
fn add_squares(size: usize, rows: &[&[f64]], weights: &[f64], sums: &mut [f64]) {
    for (rows, weights) in rows.chunks(4).zip(weights.chunks(4)) {
        if let ([a, b, c, d], [wa, wb, wc, wd]) = (rows, weights) {
            for at in 0..size {
                let factors = [wa * a[at], wb * b[at], wc * c[at], wd * d[at]];
                if factors == [0.0; 4] {
                    continue;
                }
                let line = &mut sums[at * size + at..(at + 1) * size];
                let values = a[at..].iter().zip(&b[at..]).zip(&c[at..]).zip(&d[at..]);
                for (sum, (((a, b), c), d)) in line.iter_mut().zip(values) {
                    *sum += (factors[0] * a + factors[1] * b) + (factors[2] * c + factors[3] * d);
                }
            }
            continue;
        }
        for (row, weight) in rows.iter().zip(weights) {
            for at in 0..size {
                let factor = weight * row[at];
                let line = &mut sums[at * size + at..(at + 1) * size];
                line.iter_mut().zip(&row[at..]).for_each(|(sum, value)| *sum += factor * value);
            }
        }
    }
}

/// The loss for all parameters of a layout, upper triangle, row by row. For populations
/// their own complete-data information is taken away from it.
pub(super) fn lost_information(
    fit: &Fit,
    model: &ItemModel,
    threads: usize,
    posterior: &Posterior,
    layout: &Layout,
) -> Vec<f64> {
    let core = &fit.core;
    let scores: Vec<ItemScores> = (0..core.cells.items())
        .map(|item| {
            let categories = core.cells.categories[item];
            ItemScores::new(model, core.items(model).of(item), categories, &core.grid)
        })
        .collect();
    let bases = Bases::new(fit, layout);
    let moments = squares(fit, threads, posterior, &bases, &scores);
    let mut lost = vec![0.0; layout.size * layout.size];
    for row in 0..layout.size {
        let (left, by_ability) = &bases.parameters[row];
        for column in row..layout.size {
            let (right, and_by_ability) = &bases.parameters[column];
            let moment = &moments[usize::from(*by_ability) + usize::from(*and_by_ability)];
            let mut total = 0.0;
            for &one in left {
                for &other in right {
                    total += moment[one.min(other) * bases.size + one.max(other)];
                }
            }
            lost[row * layout.size + column] = total;
        }
    }
    let rows = core.cells.rows();
    let units: Vec<(usize, usize)> =
        (0..rows).step_by(8 * ROWS).map(|from| (from, (from + 8 * ROWS).min(rows))).collect();
    // Each unit sums its own rows and the sums are added in order.
    let means = workers::each(
        threads,
        units,
        || (),
        |(), (from, end)| {
            let mut sums = vec![0.0; layout.size * layout.size];
            let means: Vec<Vec<f64>> = (from..end)
                .map(|row| mean(fit, posterior, layout, &bases, &scores, row, &mut sums))
                .collect();
            let means: Vec<&[f64]> = means.iter().map(Vec::as_slice).collect();
            add_squares(layout.size, &means, &core.cells.weights[from..end], &mut sums);
            sums
        },
    );
    for sums in means {
        lost.iter_mut().zip(sums).for_each(|(lost, sum)| *lost -= sum);
    }
    lost
}

/// Posterior means of products of two bases, over respondents: themselves, times the
/// ability, and times its square.
fn squares(
    fit: &Fit,
    threads: usize,
    posterior: &Posterior,
    bases: &Bases,
    scores: &[ItemScores],
) -> [Vec<f64>; 3] {
    let (core, size) = (&fit.core, bases.size);
    let empty = || [vec![0.0; size * size], vec![0.0; size * size], vec![0.0; size * size]];
    let chunks: Vec<usize> = (0..core.grid.chunks.len()).collect();
    let done = workers::each(
        threads,
        chunks,
        || (),
        |(), chunk| {
            let rows = posterior.rows_at(chunk);
            if rows.is_empty() {
                return None;
            }
            let mut sums = empty();
            let mut values = vec![0.0; ROWS * LANES * size];
            let mut at_node = vec![0.0; size * size];
            for rows in rows.chunks(ROWS) {
                for (&row, values) in rows.iter().zip(values.chunks_exact_mut(LANES * size)) {
                    bases.at(fit, scores, (row as usize, chunk), values);
                }
                for lane in 0..LANES {
                    let (mut vectors, mut weights) =
                        (Vec::with_capacity(ROWS), Vec::with_capacity(ROWS));
                    for (&row, values) in rows.iter().zip(values.chunks_exact(LANES * size)) {
                        let (first, own) = posterior.row(row as usize);
                        let weight = own[chunk - first][lane];
                        if weight >= NEGLIGIBLE {
                            vectors.push(&values[lane * size..(lane + 1) * size]);
                            weights.push(weight * core.cells.weights[row as usize]);
                        }
                    }
                    if vectors.is_empty() {
                        continue;
                    }
                    at_node.fill(0.0);
                    add_squares(size, &vectors, &weights, &mut at_node);
                    let ability = core.grid.chunks[chunk][lane];
                    for (factor, sums) in
                        [1.0, ability, ability * ability].into_iter().zip(&mut sums)
                    {
                        sums.iter_mut()
                            .zip(&at_node)
                            .for_each(|(sum, value)| *sum += factor * value);
                    }
                }
            }
            Some(sums)
        },
    );
    let mut total = empty();
    for sums in done.into_iter().flatten() {
        for (total, sums) in total.iter_mut().zip(sums) {
            total.iter_mut().zip(sums).for_each(|(total, sum)| *total += sum);
        }
    }
    total
}

/// The posterior mean of a row's score, in the order of the layout; adds the complete-data
/// information about its population to `sums`.
fn mean(
    fit: &Fit,
    posterior: &Posterior,
    layout: &Layout,
    bases: &Bases,
    scores: &[ItemScores],
    row: usize,
    sums: &mut [f64],
) -> Vec<f64> {
    let core = &fit.core;
    let (first, weights) = posterior.row(row);
    let mut plain = vec![0.0; bases.size];
    let mut by_ability = vec![0.0; bases.size];
    core.cells.each(row, |item, category| {
        let Some(base) = bases.items[item] else { return };
        let scores = &scores[item];
        for parameter in 1..scores.width {
            let (mut total, mut times) = ([0.0; LANES], [0.0; LANES]);
            let values = scores.of(category, parameter)[first..].iter();
            for ((weight, value), ability) in
                weights.iter().zip(values).zip(&core.grid.chunks[first..])
            {
                for lane in 0..LANES {
                    let product = weight[lane] * value[lane];
                    total[lane] += product;
                    times[lane] += product * ability[lane];
                }
            }
            plain[base + parameter - 1] = total.iter().sum();
            by_ability[base + parameter - 1] = times.iter().sum();
        }
    });
    let population = core.cells.populations[row] as usize;
    if let (Some(base), Some(at)) = (bases.populations[population], layout.populations[population])
    {
        let (mean, sd) = (fit.populations[population].mean, fit.populations[population].sd);
        let (mut off, mut square) = (0.0, 0.0);
        let abilities = core.grid.chunks[first..].iter().flatten();
        for (ability, weight) in abilities.zip(weights.iter().flatten()) {
            let own = (ability - mean) / sd;
            off += weight * own;
            square += weight * own * own;
        }
        plain[base] = off / sd;
        plain[base + 1] = (square - 1.0) / sd;
        let count = core.cells.weights[row] / (sd * sd);
        sums[at * layout.size + at] += count;
        sums[at * layout.size + at + 1] += count * 2.0 * off;
        sums[(at + 1) * layout.size + at + 1] += count * (3.0 * square - 1.0);
    }
    let of = |(own, times): &(Vec<usize>, bool)| -> f64 {
        let from = if *times { &by_ability } else { &plain };
        own.iter().map(|&base| from[base]).sum()
    };
    bases.parameters.iter().map(of).collect()
}
