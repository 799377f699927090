/// Local linear regression by Cleveland 1979, "Robust locally weighted regression and
/// smoothing scatterplots", without the robustness steps: at each point a line through
/// the nearest share `span` of the values, weighted by the tricube of their distance.
///
/// The neighbourhoods are made once, for many responses and resamples over the same
/// places. Where all of a neighbourhood lies at one place its value is the weighted mean.
#[derive(Clone, Debug)]
pub struct Loess {
    neighbourhoods: Vec<Vec<Neighbour>>,
}

#[derive(Clone, Copy, Debug)]
struct Neighbour {
    value: u32,
    /// Signed distance from the point over the neighbourhood's radius.
    offset: f64,
    weight: f64,
}

impl Loess {
    /// Neighbourhoods of `points` among `places`; `span`, in `(0, 1]`, is the share of
    /// the places in each. Panics on another span.
    pub fn new(places: &[f64], points: &[f64], span: f64) -> Self {
        assert!(span > 0.0 && span <= 1.0, "a span of {span} is not in (0, 1]");
        // As in R and statsmodels: a product that is whole but for rounding counts as whole.
        let size = ((span * places.len() as f64 + 1e-10) as usize)
            .clamp(2.min(places.len()), places.len());
        let neighbourhoods = points.iter().map(|&point| neighbourhood(places, point, size));
        Self { neighbourhoods: neighbourhoods.collect() }
    }

    /// The regression of `responses` at each point, each response counted as often as
    /// `counts` says; `None` where none of a neighbourhood counts.
    pub fn fit(&self, responses: &[f64], counts: &[u8]) -> Vec<Option<f64>> {
        assert_eq!(responses.len(), counts.len(), "one count per response");
        let fit = |neighbours: &Vec<Neighbour>| line_at_zero(neighbours, responses, counts);
        self.neighbourhoods.iter().map(fit).collect()
    }
}

fn neighbourhood(places: &[f64], point: f64, size: usize) -> Vec<Neighbour> {
    let mut distances: Vec<f64> = places.iter().map(|place| (place - point).abs()).collect();
    let Some(last) = size.checked_sub(1) else { return Vec::new() };
    let radius = *distances.select_nth_unstable_by(last, f64::total_cmp).1;
    let near = places.iter().enumerate().filter_map(|(value, place)| {
        // Without a radius only what lies at the point itself is near.
        let offset = if place == &point { 0.0 } else { (place - point) / radius };
        let weight = (1.0 - offset.abs().powi(3)).powi(3);
        (offset.abs() < 1.0).then_some(Neighbour { value: value as u32, offset, weight })
    });
    near.collect()
}

/// The weighted least-squares line at offset 0.
fn line_at_zero(neighbours: &[Neighbour], responses: &[f64], counts: &[u8]) -> Option<f64> {
    let (mut s0, mut s1, mut s2, mut t0, mut t1) = (0.0, 0.0, 0.0, 0.0, 0.0);
    for &Neighbour { value, offset, weight } in neighbours {
        let weight = weight * f64::from(counts[value as usize]);
        let response = responses[value as usize];
        s0 += weight;
        s1 += weight * offset;
        s2 += weight * offset * offset;
        t0 += weight * response;
        t1 += weight * offset * response;
    }
    if s0 == 0.0 {
        return None;
    }
    let determinant = s0 * s2 - s1 * s1;
    let at_one_place = determinant <= 1e-12 * s0 * s0;
    Some(if at_one_place { t0 / s0 } else { (s2 * t0 - s1 * t1) / determinant })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fit(places: &[f64], points: &[f64], span: f64, responses: &[f64]) -> Vec<f64> {
        let counts = vec![1; places.len()];
        let fit = Loess::new(places, points, span).fit(responses, &counts);
        fit.into_iter().map(Option::unwrap).collect()
    }

    const PLACES: [f64; 12] = [0.0, 0.4, 0.5, 1.1, 1.9, 2.0, 2.6, 3.3, 3.4, 4.0, 4.2, 5.0];
    const RESPONSES: [f64; 12] = [1.0, 1.0, 0.0, 1.0, 1.0, 0.0, 1.0, 0.0, 1.0, 0.0, 0.0, 0.0];

    const LOWESS: [f64; 12] = [
        0.791_301_504_159_638_1,
        0.735_795_059_753_031_4,
        0.730_809_935_640_040_6,
        0.751_442_679_139_833,
        0.692_144_457_274_978_2,
        0.683_551_513_389_798_7,
        0.603_186_975_837_143_8,
        0.521_408_792_323_346_8,
        0.457_316_335_858_821_5,
        0.154_491_634_530_039_4,
        0.111_126_889_422_715_27,
        -0.095_598_265_079_443_66,
    ];

    // statsmodels 0.15.0, nonparametric.lowess(y, x, frac=0.5, it=0, delta=0); it leaves out
    // points beyond 0.999 of the radius, which changes the eighth digit.
    #[test]
    fn statsmodels_digits_are_reproduced() {
        let found = fit(&PLACES, &PLACES, 0.5, &RESPONSES);
        for (found, expected) in found.iter().zip(LOWESS) {
            assert!((found - expected).abs() < 1e-7, "{found} {expected}");
        }
    }

    #[test]
    fn a_line_is_found_again_everywhere() {
        let line: Vec<f64> = PLACES.iter().map(|x| 2.0 - 0.3 * x).collect();
        for (point, found) in [0.0, 2.2, 5.0].iter().zip(fit(&PLACES, &[0.0, 2.2, 5.0], 0.4, &line))
        {
            assert!((found - (2.0 - 0.3 * point)).abs() < 1e-12);
        }
    }

    #[test]
    fn values_at_one_place_have_their_mean() {
        let found = fit(&[1.0, 1.0, 1.0, 2.0], &[1.0], 0.75, &[0.0, 1.0, 1.0, 0.0]);
        assert!((found[0] - 2.0 / 3.0).abs() < 1e-15);
        assert!(fit(&[], &[], 0.5, &[]).is_empty());
    }

    #[test]
    fn counts_stand_for_repetitions_within_the_same_neighbourhood() {
        let loess = Loess::new(&PLACES, &[2.0], 0.6);
        let mut counts = [1; 12];
        counts[3] = 0;
        counts[5] = 2;
        let kept: Vec<usize> = vec![0, 1, 2, 4, 5, 5, 6, 7, 8, 9, 10, 11];
        let weighted = loess.fit(&RESPONSES, &counts)[0].unwrap();
        let (mut places, mut responses) = (Vec::new(), Vec::new());
        for &value in &kept {
            places.push(PLACES[value]);
            responses.push(RESPONSES[value]);
        }
        // The same radius: the seventh nearest of the full set, in both.
        let repeated = fit(&places, &[2.0], 7.0 / 12.0, &responses)[0];
        assert!((weighted - repeated).abs() < 1e-12, "{weighted} {repeated}");
        assert_eq!(loess.fit(&RESPONSES, &[0; 12]), [None]);
    }
}
