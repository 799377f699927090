//! Sums, products and powers of matrices, entry by entry.

use super::expr::Expr;

/// Matrices of more entries than this are not multiplied.
const ENTRIES: usize = 400;

type Matrix = Vec<Vec<Expr>>;

/// The matrix that an expression comes to; `None` where it is none.
pub(super) fn matrix(expr: &Expr) -> Option<Matrix> {
    match expr {
        Expr::Matrix(rows) => Some(rows.clone()),
        Expr::Negative(inner) => Some(each(&matrix(inner)?, &Expr::negative)),
        Expr::Sum(terms) => {
            let mut terms = terms.iter();
            let mut sum = matrix(terms.next()?)?;
            for term in terms {
                let term = matrix(term)?;
                if shape(&sum) != shape(&term) {
                    return None;
                }
                for (entry, other) in sum.iter_mut().flatten().zip(term.into_iter().flatten()) {
                    *entry = Expr::Sum(vec![entry.clone(), other]);
                }
            }
            Some(sum)
        }
        Expr::Product(factors) => {
            let mut result: Option<Matrix> = None;
            let mut scalars: Vec<&Expr> = Vec::new();
            for factor in factors {
                match (matrix(factor), result.take()) {
                    (Some(factor), None) => result = Some(factor),
                    (Some(factor), Some(before)) => result = Some(product(&before, &factor)?),
                    (None, before) => {
                        scalars.push(factor);
                        result = before;
                    }
                }
            }
            let result = result?;
            Some(scalars.into_iter().fold(result, |result, scalar| {
                each(&result, &|entry| Expr::Product(vec![scalar.clone(), entry]))
            }))
        }
        Expr::Quotient(top, bottom) => {
            Some(each(&matrix(top)?, &|entry| entry.quotient((**bottom).clone())))
        }
        _ => None,
    }
}

fn shape(matrix: &Matrix) -> (usize, usize) {
    (matrix.len(), matrix.first().map_or(0, Vec::len))
}

fn each(matrix: &Matrix, change: &dyn Fn(Expr) -> Expr) -> Matrix {
    matrix.iter().map(|row| row.iter().cloned().map(change).collect()).collect()
}

fn product(left: &Matrix, right: &Matrix) -> Option<Matrix> {
    let ((rows, inner), (height, columns)) = (shape(left), shape(right));
    if inner != height || rows * columns * inner > ENTRIES {
        return None;
    }
    let entry = |row: usize, column: usize| {
        let terms = (0..inner)
            .map(|at| Expr::Product(vec![left[row][at].clone(), right[at][column].clone()]));
        Expr::Sum(terms.collect())
    };
    Some((0..rows).map(|row| (0..columns).map(|column| entry(row, column)).collect()).collect())
}
