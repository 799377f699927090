//! Symmetric positive definite systems, small and dense.

/// Cholesky factor of a symmetric matrix, row by row; `None` where it is not positive definite.
pub(super) struct Cholesky {
    size: usize,
    /// Lower triangle, the rest not used.
    factor: Vec<f64>,
}

impl Cholesky {
    /// Factors `matrix` (`size` times `size`); a pivot below 1e-12 of its diagonal counts as 0.
    pub(super) fn new(mut matrix: Vec<f64>, size: usize) -> Option<Self> {
        for row in 0..size {
            let diagonal = matrix[row * size + row];
            for column in 0..=row {
                let (above, below) = matrix.split_at(row * size);
                let left = &below[..column];
                let other =
                    if column < row { &above[column * size..column * size + column] } else { left };
                let dot: f64 = left.iter().zip(other).map(|(a, b)| a * b).sum();
                let rest = matrix[row * size + column] - dot;
                matrix[row * size + column] = if column < row {
                    rest / matrix[column * size + column]
                } else if rest > 1e-12 * diagonal && rest.is_finite() {
                    rest.sqrt()
                } else {
                    return None;
                };
            }
        }
        Some(Self { size, factor: matrix })
    }

    /// Solves for one right side, in place.
    pub(super) fn solve(&self, right: &mut [f64]) {
        let size = self.size;
        for row in 0..size {
            let line = &self.factor[row * size..row * size + row];
            let dot: f64 = line.iter().zip(&*right).map(|(a, b)| a * b).sum();
            right[row] = (right[row] - dot) / self.factor[row * size + row];
        }
        for row in (0..size).rev() {
            let known = right[row + 1..].iter().enumerate();
            let dot: f64 =
                known.map(|(at, value)| self.factor[(row + 1 + at) * size + row] * value).sum();
            right[row] = (right[row] - dot) / self.factor[row * size + row];
        }
    }

    /// The inverse, row by row.
    pub(super) fn inverse(&self) -> Vec<f64> {
        let size = self.size;
        let mut inverse = vec![0.0; size * size];
        for column in 0..size {
            // The inverse is symmetric, so that a solved column is a row.
            let row = &mut inverse[column * size..(column + 1) * size];
            row[column] = 1.0;
            self.solve(row);
        }
        inverse
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Hilbert's matrix of order 3; its inverse has the whole entries of the literature (OEIS A005249 and others).
    #[test]
    fn the_inverse_of_hilberts_matrix_is_whole() {
        let hilbert: Vec<f64> = (0..9).map(|at| 1.0 / f64::from(at / 3 + at % 3 + 1)).collect();
        let inverse = Cholesky::new(hilbert, 3).unwrap().inverse();
        let expected = [9.0, -36.0, 30.0, -36.0, 192.0, -180.0, 30.0, -180.0, 180.0];
        for (found, expected) in inverse.iter().zip(expected) {
            assert!((found - expected).abs() < 1e-10, "{found} {expected}");
        }
    }

    #[test]
    fn a_singular_matrix_has_no_factor() {
        assert!(Cholesky::new(vec![1.0, 1.0, 1.0, 1.0], 2).is_none());
        assert!(Cholesky::new(vec![1.0, 0.0, 0.0, f64::NAN], 2).is_none());
    }
}
