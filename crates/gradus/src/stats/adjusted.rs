/// Benjamini and Hochberg's adjusted p (1995): the smallest false discovery rate at which
/// each test is a discovery, in the order of the tests. No test has `None` and is not
/// counted among them.
///
/// # Panics
/// If a p is NaN.
pub fn benjamini_hochberg(tests: &[Option<f64>]) -> Vec<Option<f64>> {
    let mut order: Vec<(usize, f64)> = Vec::new();
    for (place, p) in tests.iter().enumerate() {
        if let Some(p) = *p {
            assert!(!p.is_nan(), "a p is a number");
            order.push((place, p));
        }
    }
    order.sort_by(|one, other| other.1.total_cmp(&one.1));
    let count = order.len() as f64;
    let mut adjusted = vec![None; tests.len()];
    let mut least: f64 = 1.0;
    for (above, &(place, p)) in order.iter().enumerate() {
        least = least.min(p * count / (count - above as f64));
        adjusted[place] = Some(least);
    }
    adjusted
}

#[cfg(test)]
mod tests {
    use super::*;

    /// R: p.adjust(c(0.01, 0.04, 0.03, 0.005, 0.8), "BH") is .025 .05 .05 .025 .8.
    #[test]
    fn adjusted_values_are_those_of_r() {
        let tests = [Some(0.01), Some(0.04), None, Some(0.03), Some(0.005), Some(0.8)];
        let found = benjamini_hochberg(&tests);
        assert_eq!(found[2], None);
        for (found, expected) in found.iter().flatten().zip([0.025, 0.05, 0.05, 0.025, 0.8]) {
            assert!((found - expected).abs() < 1e-15, "{found} {expected}");
        }
        assert!(benjamini_hochberg(&[]).is_empty());
    }
}
