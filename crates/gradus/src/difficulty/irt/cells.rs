//! The answers, packed for estimation.
//!
//! Where most cells are filled, neighbouring items are packed: the joint outcome of
//! a few items is one code, so that a row costs one addition a pack instead of one
//! an item (the "four Russians" device of Arlazarov et al. 1970). Where most are
//! missing, each answer stands alone, once by row and once by item. Equal rows of
//! short tests are one row with a weight.

use std::collections::HashMap;
use std::ops::Range;

/// Outcomes of a pack: a code is one byte.
const PATTERNS: usize = 81;
/// Fewer rows do not pay for larger packs.
const FEW_PATTERNS: usize = 16;
const FEW_ROWS: usize = 2000;
/// Below this share of filled cells answers are stored one by one.
const DENSE: f64 = 0.15;
/// Rows of longer tests are hardly ever equal.
const COLLAPSED_ITEMS: usize = 32;

/// The answers of some rows on some items.
#[derive(Clone, Debug)]
pub(super) struct Cells {
    /// Number of categories of each item.
    pub(super) categories: Vec<usize>,
    /// Where the categories of each item begin in a table of all categories.
    pub(super) first: Vec<usize>,
    /// How many respondents each row stands for.
    pub(super) weights: Vec<f64>,
    /// The population of each row.
    pub(super) populations: Vec<u32>,
    pub(super) storage: Storage,
}

#[derive(Clone, Debug)]
pub(super) enum Storage {
    Dense(Dense),
    Sparse(Sparse),
}

#[derive(Clone, Debug)]
pub(super) struct Dense {
    pub(super) packs: Vec<Pack>,
    /// One code a pack, row by row.
    pub(super) codes: Vec<u8>,
}

/// Neighbouring items whose joint outcome is one code, the first item varying fastest.
#[derive(Clone, Debug)]
pub(super) struct Pack {
    pub(super) items: Range<usize>,
    pub(super) patterns: usize,
    /// Outcomes of each item: its categories, and missing as the last where it occurs.
    pub(super) outcomes: Vec<usize>,
}

#[derive(Clone, Debug)]
pub(super) struct Sparse {
    /// Where each row begins in `by_row`.
    pub(super) row_starts: Vec<usize>,
    /// Item's first category plus category.
    pub(super) by_row: Vec<u32>,
    /// Where each item begins in `rows` and `outcomes`.
    pub(super) item_starts: Vec<usize>,
    pub(super) rows: Vec<u32>,
    pub(super) outcomes: Vec<u8>,
}

impl Cells {
    /// Packs rows; also says in which packed row each row went.
    pub(super) fn new(
        categories: Vec<usize>,
        rows: &[(Vec<u32>, Vec<u8>)],
        weights: &[f64],
        populations: &[u32],
    ) -> (Self, Vec<u32>) {
        let items = categories.len();
        let filled: usize = rows.iter().map(|row| row.0.len()).sum();
        let mut first = Vec::with_capacity(items);
        let mut next = 0;
        for &count in &categories {
            first.push(next);
            next += count;
        }
        let mut place: Vec<u32> = Vec::with_capacity(rows.len());
        let mut kept: Vec<usize> = Vec::new();
        let mut total: Vec<f64> = Vec::new();
        let mut known: HashMap<(u32, &[u32], &[u8]), u32> = HashMap::new();
        for (index, row) in rows.iter().enumerate() {
            let new = kept.len() as u32;
            let at = if items <= COLLAPSED_ITEMS {
                *known.entry((populations[index], &row.0, &row.1)).or_insert(new)
            } else {
                new
            };
            if at == new {
                kept.push(index);
                total.push(0.0);
            }
            total[at as usize] += weights[index];
            place.push(at);
        }
        let populations = kept.iter().map(|&row| populations[row]).collect();
        let dense = filled as f64 >= DENSE * (rows.len() * items) as f64;
        let storage = if dense {
            Storage::Dense(Dense::new(&categories, rows, &kept))
        } else {
            Storage::Sparse(Sparse::new(&first, rows, &kept))
        };
        (Self { categories, first, weights: total, populations, storage }, place)
    }

    pub(super) fn rows(&self) -> usize {
        self.weights.len()
    }

    pub(super) fn items(&self) -> usize {
        self.categories.len()
    }

    /// Calls `answer` with item and category of each answer of a row.
    pub(super) fn each(&self, row: usize, mut answer: impl FnMut(usize, usize)) {
        match &self.storage {
            Storage::Dense(Dense { packs, codes }) => {
                let codes = &codes[row * packs.len()..(row + 1) * packs.len()];
                for (pack, &code) in packs.iter().zip(codes) {
                    pack.each(&self.categories, code, &mut answer);
                }
            }
            Storage::Sparse(sparse) => {
                let range = sparse.row_starts[row]..sparse.row_starts[row + 1];
                let mut item = 0;
                for &cell in &sparse.by_row[range] {
                    let cell = cell as usize;
                    while item + 1 < self.first.len() && self.first[item + 1] <= cell {
                        item += 1;
                    }
                    answer(item, cell - self.first[item]);
                }
            }
        }
    }
}

impl Pack {
    /// Calls `answer` with item and category of each answer in a code.
    pub(super) fn each(
        &self,
        categories: &[usize],
        code: u8,
        mut answer: impl FnMut(usize, usize),
    ) {
        let mut code = usize::from(code);
        for (item, &outcomes) in self.items.clone().zip(&self.outcomes) {
            let outcome = code % outcomes;
            code /= outcomes;
            if outcome < categories[item] {
                answer(item, outcome);
            }
        }
    }
}

impl Dense {
    fn new(categories: &[usize], rows: &[(Vec<u32>, Vec<u8>)], kept: &[usize]) -> Self {
        let mut answers = vec![0; categories.len()];
        for &row in kept {
            for &item in &rows[row].0 {
                answers[item as usize] += 1;
            }
        }
        let limit = if kept.len() < FEW_ROWS { FEW_PATTERNS } else { PATTERNS };
        let mut packs: Vec<Pack> = Vec::new();
        for (item, &count) in categories.iter().enumerate() {
            let outcomes = count + usize::from(answers[item] < kept.len());
            match packs.last_mut() {
                Some(pack) if pack.patterns * outcomes <= limit => {
                    pack.items.end += 1;
                    pack.patterns *= outcomes;
                    pack.outcomes.push(outcomes);
                }
                _ => packs.push(Pack {
                    items: item..item + 1,
                    patterns: outcomes,
                    outcomes: vec![outcomes],
                }),
            }
        }
        let mut codes = Vec::with_capacity(packs.len() * kept.len());
        for &row in kept {
            let (items, outcomes) = &rows[row];
            let mut answers = items.iter().zip(outcomes).peekable();
            for pack in &packs {
                let (mut code, mut place) = (0, 1);
                for (item, &count) in pack.items.clone().zip(&pack.outcomes) {
                    let answer = answers.next_if(|(answered, _)| **answered as usize == item);
                    code += place * answer.map_or(count - 1, |(_, &outcome)| usize::from(outcome));
                    place *= count;
                }
                codes.push(code as u8);
            }
        }
        Self { packs, codes }
    }
}

impl Sparse {
    fn new(first: &[usize], rows: &[(Vec<u32>, Vec<u8>)], kept: &[usize]) -> Self {
        let mut row_starts = vec![0];
        let mut by_row = Vec::new();
        let mut item_starts = vec![0; first.len() + 1];
        for &row in kept {
            for (&item, &outcome) in rows[row].0.iter().zip(&rows[row].1) {
                by_row.push(first[item as usize] as u32 + u32::from(outcome));
                item_starts[item as usize + 1] += 1;
            }
            row_starts.push(by_row.len());
        }
        for item in 1..item_starts.len() {
            item_starts[item] += item_starts[item - 1];
        }
        let mut next = item_starts.clone();
        let mut in_rows = vec![0; by_row.len()];
        let mut outcomes = vec![0; by_row.len()];
        for (number, &row) in kept.iter().enumerate() {
            for (&item, &outcome) in rows[row].0.iter().zip(&rows[row].1) {
                let at = next[item as usize];
                in_rows[at] = number as u32;
                outcomes[at] = outcome;
                next[item as usize] += 1;
            }
        }
        Self { row_starts, by_row, item_starts, rows: in_rows, outcomes }
    }
}
