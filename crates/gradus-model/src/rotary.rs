/// Position times frequency, for every position and every pair of a head's
/// elements: `position * theta^(-2 pair / head)` (Su et al. 2021, equation 15).
pub(crate) fn angles(head: usize, theta: f32, positions: usize) -> Vec<f64> {
    let frequency = |pair: usize| f64::from(theta).powf(-2.0 * pair as f64 / head as f64);
    (0..positions)
        .flat_map(|position| (0..head / 2).map(move |pair| position as f64 * frequency(pair)))
        .collect()
}
