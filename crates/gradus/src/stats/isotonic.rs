/// The non-decreasing values that are nearest to `values` in weighted squares, by
/// pooling adjacent violators (Ayer et al. 1955; Barlow et al. 1972, chapter 1).
///
/// A weight of 0 takes the value of its pool. Panics if there is not one weight a value.
pub fn isotonic(values: &[f64], weights: &[f64]) -> Vec<f64> {
    assert_eq!(values.len(), weights.len(), "one weight per value");
    // A pool: weighted sum, weight, number of values.
    let mut pools: Vec<(f64, f64, usize)> = Vec::with_capacity(values.len());
    let mean = |pool: &(f64, f64, usize)| pool.0 / pool.1;
    for (&value, &weight) in values.iter().zip(weights) {
        let mut pool = (value * weight, weight, 1);
        while let Some(before) = pools.last() {
            let weightless = pool.1 == 0.0 || before.1 == 0.0;
            if !weightless && mean(before) < mean(&pool) {
                break;
            }
            pool = (before.0 + pool.0, before.1 + pool.1, before.2 + pool.2);
            pools.pop();
        }
        pools.push(pool);
    }
    pools.iter().flat_map(|pool| vec![mean(pool); pool.2]).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(found: &[f64], expected: &[f64]) {
        assert_eq!(found.len(), expected.len());
        for (found, expected) in found.iter().zip(expected) {
            assert!((found - expected).abs() < 1e-12, "{found} {expected}");
        }
    }

    // scikit-learn 1.9.1, sklearn.isotonic.isotonic_regression(y, sample_weight=w).
    #[test]
    fn scikit_learns_digits_are_reproduced() {
        let values = [1.0, 3.0, 2.0, 4.0, 3.5, 3.0, 7.0, 6.0, 6.5];
        check(&isotonic(&values, &[1.0; 9]), &[1.0, 2.5, 2.5, 3.5, 3.5, 3.5, 6.5, 6.5, 6.5]);
        let weights = [1.0, 2.0, 1.0, 0.5, 3.0, 1.0, 1.0, 4.0, 2.0];
        check(
            &isotonic(&values, &weights),
            &[
                1.0,
                2.666_666_666_666_666_5,
                2.666_666_666_666_666_5,
                3.444_444_444_444_444_6,
                3.444_444_444_444_444_6,
                3.444_444_444_444_444_6,
                6.2,
                6.2,
                6.5,
            ],
        );
    }

    #[test]
    fn what_rises_stays_and_what_falls_is_one_mean() {
        check(&isotonic(&[1.0, 2.0, 2.0, 5.0], &[1.0; 4]), &[1.0, 2.0, 2.0, 5.0]);
        check(&isotonic(&[5.0, 2.0, 2.0], &[1.0; 3]), &[3.0; 3]);
        assert!(isotonic(&[], &[]).is_empty());
    }

    #[test]
    fn a_value_without_weight_joins_its_pool() {
        let found = isotonic(&[1.0, 9.0, 2.0, 3.0], &[1.0, 0.0, 1.0, 1.0]);
        assert!(found.windows(2).all(|pair| pair[0] <= pair[1]), "{found:?}");
        assert_eq!((found[2], found[3]), (2.0, 3.0));
    }
}
