//! Products of rows with weights in [`Panels`], from one row upwards.
//!
//! Up to four rows are done beside several panels at once, because then the
//! weights must come from memory and one panel alone would wait for its own
//! sums; more rows are done in blocks of eight, which repeat their last row.
//! Every element is one chain of fused multiply-adds along the inputs in either
//! case, so a row has the same bits in any company.

use std::marker::PhantomData;
use std::ops::Range;

use super::kernel;
use super::lanes::Lanes;
use super::matmul::{Down, Left, Panels, Pieces, ROWS, block, down, store};

/// Rows that share a pass over the panels (with a panel they fit a second-level cache).
const PASS: usize = 64;
const PANEL: usize = Panels::PANEL;

impl Panels {
    /// `to = left self` for the columns of `panels`, or `to += left self`: `left`
    /// has a row of inputs for each piece in `to`, and a piece is as long as the columns.
    pub(super) fn product(
        &self,
        left: &[f32],
        panels: Range<usize>,
        to: &mut [&mut [f32]],
        add: bool,
    ) {
        assert_eq!(left.len(), to.len() * self.depth(), "left side of a product");
        product(self, left, &panels, to, add);
    }
}

kernel! {
    fn product(
        right: &Panels,
        left: &[f32],
        panels: &Range<usize>,
        to: &mut [&mut [f32]],
        add: bool,
    ) {
        let depth = right.depth();
        for (left, to) in left.chunks(PASS * depth).zip(to.chunks_mut(PASS)) {
            let rows = to.len();
            let all = right.panels(panels.clone());
            match rows {
                1 if L::WIDE => thin::<L, 1, 4, 2>(left, depth, all, to, add),
                1 => thin::<L, 1, 2, 2>(left, depth, all, to, add),
                2 if L::WIDE => thin::<L, 2, 2, 2>(left, depth, all, to, add),
                2 => thin::<L, 2, 1, 2>(left, depth, all, to, add),
                3 | 4 if L::WIDE => thin::<L, 4, 1, 2>(left, depth, all, to, add),
                3 | 4 => thin::<L, 4, 1, 1>(left, depth, all, to, add),
                _ => thick::<L>(left, depth, all, to, add),
            }
        }
    }
}

/// Rows that ask for a line of what comes next, each time they are read.
struct Fetching<'a, L> {
    left: Down<'a>,
    next: &'a [f32],
    lanes: PhantomData<L>,
}

impl<L: Lanes> Left for Fetching<'_, L> {
    #[inline(always)]
    fn at(&self, at: usize) -> [f32; ROWS] {
        if let Some(line) = self.next.get(16 * at..) {
            L::fetch(line);
        }
        self.left.at(at)
    }
}

/// More than four rows: each panel with one block of rows after the other.
#[inline(always)]
fn thick<L: Lanes>(left: &[f32], depth: usize, panels: &[f32], to: &mut [&mut [f32]], add: bool) {
    let rows = to.len();
    let mut panels = panels.chunks_exact(PANEL * depth).enumerate().peekable();
    while let Some((at, panel)) = panels.next() {
        let mut next = panels.peek().map_or(&[][..], |(_, next)| next);
        let panel = panel.as_chunks::<PANEL>().0;
        for (of, to) in to.chunks_mut(ROWS).enumerate() {
            // The next panel comes in while this one is used, a part with each block.
            let share;
            (share, next) = next.split_at(next.len().min(16 * depth));
            let left = down(left, depth, depth, of * ROWS, rows);
            let left = Fetching { left, next: share, lanes: PhantomData::<L> };
            let mut target = Pieces { rows: to, column: at * PANEL, add };
            block::<L, PANEL>(&left, panel, &mut target);
        }
    }
}

/// Up to `COUNT` rows, `BESIDE` panels at once, `VECTORS` times sixteen columns at once.
#[inline(always)]
fn thin<L: Lanes, const COUNT: usize, const BESIDE: usize, const VECTORS: usize>(
    left: &[f32],
    depth: usize,
    panels: &[f32],
    to: &mut [&mut [f32]],
    add: bool,
) {
    let rows: [&[f32]; COUNT] =
        std::array::from_fn(|row| &left[row.min(to.len() - 1) * depth..][..depth]);
    let mut groups = panels.chunks_exact(BESIDE * PANEL * depth);
    let mut column = 0;
    for group in &mut groups {
        let beside: [&[f32]; BESIDE] =
            std::array::from_fn(|at| &group[at * PANEL * depth..][..PANEL * depth]);
        strip::<L, COUNT, BESIDE, VECTORS>(rows, beside, column, to, add);
        column += BESIDE * PANEL;
    }
    for panel in groups.remainder().chunks_exact(PANEL * depth) {
        strip::<L, COUNT, 1, VECTORS>(rows, [panel], column, to, add);
        column += PANEL;
    }
}

#[inline(always)]
fn strip<L: Lanes, const COUNT: usize, const BESIDE: usize, const VECTORS: usize>(
    rows: [&[f32]; COUNT],
    panels: [&[f32]; BESIDE],
    column: usize,
    to: &mut [&mut [f32]],
    add: bool,
) {
    let depth = rows[0].len();
    let panels = panels.map(|panel| &panel.as_chunks::<16>().0[..2 * depth]);
    for first in (0..2).step_by(VECTORS) {
        let mut sums = [[[L::splat(0.0); VECTORS]; COUNT]; BESIDE];
        for at in 0..depth {
            let left = rows.map(|row| L::splat(row[at]));
            for (panel, sums) in panels.iter().zip(&mut sums) {
                for vector in 0..VECTORS {
                    let right = L::load(&panel[2 * at + first + vector]);
                    for (left, sums) in left.iter().zip(&mut *sums) {
                        sums[vector] = left.mul_add(right, sums[vector]);
                    }
                }
            }
        }
        for (beside, sums) in sums.into_iter().enumerate() {
            let column = column + beside * PANEL + first * 16;
            let mut target = Pieces { rows: to, column, add };
            store::<L, 0, 0, COUNT, VECTORS>(sums, &mut target);
        }
    }
}
