//! Accuracy as a curve over difficulty.
//!
//! The curve is local linear regression with tricube weights (Cleveland 1979), clipped
//! to the range that an accuracy can have; beside it stands the non-increasing step
//! function of least squares (isotonic regression), linear between the problems. Bands
//! are pointwise percentile intervals of the bootstrap over problems (Efron 1979), with
//! the neighbourhoods of the full set: they hold the choice of the problems, and neither
//! the error of the labels nor the training of another model. Errors of the labels make
//! every curve flatter than it is; [`reliability`] says how much of the labels' variance
//! is not error.

use serde::{Deserialize, Serialize};

use super::label::Label;
use super::results::Outcome;
use crate::run::Stream;
use crate::stats::{
    Estimate, Loess, Resamples, bootstrap_mean, isotonic, percentile_estimate, wilson,
};

/// How profiles are made.
#[derive(Clone, Copy, Debug)]
pub struct ProfileSettings {
    /// Share of the problems in each neighbourhood, in `(0, 1]`.
    pub span: f64,
    /// Points of a curve, from the easiest to the hardest problem.
    pub points: usize,
    /// Bins of equal numbers of problems.
    pub bins: usize,
    /// The accuracy at whose crossing the fall-off point lies.
    pub fall_off: f64,
    /// Draws of the bootstrap.
    pub draws: usize,
    /// Confidence of all intervals.
    pub confidence: f64,
    /// Seed of the draws.
    pub seed: u64,
}

impl Default for ProfileSettings {
    fn default() -> Self {
        Self {
            span: 0.5,
            points: 21,
            bins: 10,
            fall_off: 0.5,
            draws: 1000,
            confidence: 0.95,
            seed: 1,
        }
    }
}

/// A curve with its band.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Curve {
    /// Its points, from easy to hard.
    pub points: Vec<CurvePoint>,
}

/// A point of a curve.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct CurvePoint {
    /// Place on the axis of difficulty.
    pub difficulty: f64,
    /// Accuracy, or difference of accuracies.
    pub value: f64,
    /// Lower end of the pointwise band.
    pub low: f64,
    /// Upper end.
    pub high: f64,
}

/// Problems of neighbouring difficulty.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct ProfileBin {
    /// Difficulty of the easiest problem.
    pub from: f64,
    /// Difficulty of the hardest one.
    pub to: f64,
    /// Accuracy, by Wilson's interval where all scores are 0 or 1, else by the bootstrap.
    pub accuracy: Estimate,
}

/// Where the monotone curve falls below a level.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct FallOff {
    /// The accuracy.
    pub level: f64,
    /// The difficulty; `None` where the curve lies on one side of the level.
    pub difficulty: Option<f64>,
    /// Lower end of its interval; `None`: below all problems.
    pub low: Option<f64>,
    /// Upper end; `None`: beyond all problems.
    pub high: Option<f64>,
}

/// A model's accuracy over difficulty.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Profile {
    /// Name of the model.
    pub model: String,
    /// The domain; `None` over all.
    pub domain: Option<String>,
    /// Accuracy over all these problems.
    pub accuracy: Estimate,
    /// Accuracy in bins of about equal size; equal difficulties are never parted.
    pub bins: Vec<ProfileBin>,
    /// Local regression.
    pub smooth: Curve,
    /// Monotone fit.
    pub monotone: Curve,
    /// Where the monotone fit falls off.
    pub fall_off: FallOff,
}

impl Profile {
    /// The profile of outcomes that are sorted from easy to hard, as
    /// [`super::join`] gives them. `None` without outcomes.
    ///
    /// # Panics
    /// If the settings have no draws, a span outside `(0, 1]` or a confidence outside `(0, 1)`.
    pub fn of(
        model: &str,
        domain: Option<&str>,
        outcomes: &[&Outcome],
        settings: &ProfileSettings,
    ) -> Option<Self> {
        let difficulties: Vec<f64> = outcomes.iter().map(|outcome| outcome.difficulty).collect();
        let scores: Vec<f64> = outcomes.iter().map(|outcome| outcome.score).collect();
        let resamples = settings.resamples(outcomes.len());
        let grid = grid(&difficulties, settings.points)?;
        let loess = Loess::new(&difficulties, &grid, settings.span);
        let smooth = curve(&grid, settings, &resamples, |counts| {
            clipped(loess.fit(&scores, counts), 0.0, 1.0)
        })?;
        let steps = Steps::new(&difficulties);
        let monotone = curve(&grid, settings, &resamples, |counts| {
            let fitted = steps.falling(&scores, counts);
            grid.iter().map(|&place| Some(steps.at(&fitted, place))).collect()
        })?;
        Some(Self {
            model: model.to_owned(),
            domain: domain.map(str::to_owned),
            accuracy: resamples.mean(&scores, settings.confidence)?,
            bins: bins(&difficulties, &scores, settings),
            smooth,
            monotone,
            fall_off: fall_off(&steps, &scores, &resamples, settings),
        })
    }
}

impl ProfileSettings {
    fn resamples(&self, values: usize) -> Resamples {
        let mut stream = Stream::new(self.seed, &["difficulty", "profile"]);
        Resamples::new(values, self.draws, &mut stream)
    }
}

/// The difference of two models' scores, first less second, over the problems that both
/// tried: the mean and the local regression. What is hard for both cancels. `None`
/// without such problems.
pub fn paired_difference(
    first: &[Outcome],
    second: &[Outcome],
    settings: &ProfileSettings,
) -> Option<(Estimate, Curve)> {
    let second: std::collections::HashMap<&str, f64> =
        second.iter().map(|outcome| (outcome.problem.as_str(), outcome.score)).collect();
    let (mut difficulties, mut differences) = (Vec::new(), Vec::new());
    for outcome in first {
        if let Some(other) = second.get(outcome.problem.as_str()) {
            difficulties.push(outcome.difficulty);
            differences.push(outcome.score - other);
        }
    }
    let resamples = settings.resamples(differences.len());
    let grid = grid(&difficulties, settings.points)?;
    let loess = Loess::new(&difficulties, &grid, settings.span);
    let curve = curve(&grid, settings, &resamples, |counts| {
        clipped(loess.fit(&differences, counts), -1.0, 1.0)
    })?;
    Some((resamples.mean(&differences, settings.confidence)?, curve))
}

/// The share of the variance of the labels' ratings that is not their own error,
/// `1 - mean(std^2) / var(rating)`, at least 0. `None` where a label has no standard
/// error or the ratings do not differ.
pub fn reliability(labels: &[Label]) -> Option<f64> {
    let n = labels.len() as f64;
    let errors: Option<Vec<f64>> = labels.iter().map(|label| label.unnorm_rating_std).collect();
    let error = errors?.iter().map(|std| std * std).sum::<f64>() / n;
    let mean = labels.iter().map(|label| label.unnorm_rating).sum::<f64>() / n;
    let squares = labels.iter().map(|label| (label.unnorm_rating - mean).powi(2)).sum::<f64>();
    let variance = squares / (n - 1.0);
    (variance > 0.0).then(|| (1.0 - error / variance).max(0.0))
}

/// Places from the first to the last of sorted difficulties.
fn grid(difficulties: &[f64], points: usize) -> Option<Vec<f64>> {
    let (&low, &high) = (difficulties.first()?, difficulties.last()?);
    if low == high {
        return Some(vec![low]);
    }
    let steps = points.max(2) - 1;
    let at = |step: usize| low + (high - low) * (step as f64 / steps as f64);
    Some((0..=steps).map(at).collect())
}

/// A curve with pointwise percentile intervals; a point that is not defined in a draw
/// goes without it, and a point that has no neighbours of its own is left out, as between
/// the difficulties of items that have but a few.
fn curve(
    grid: &[f64],
    settings: &ProfileSettings,
    resamples: &Resamples,
    of: impl Fn(&[u8]) -> Vec<Option<f64>>,
) -> Option<Curve> {
    let mut draws: Vec<Vec<f64>> = vec![Vec::with_capacity(settings.draws); grid.len()];
    let mut n = 0;
    for counts in resamples.draws() {
        n = counts.len();
        for (draws, value) in draws.iter_mut().zip(of(counts)) {
            draws.extend(value);
        }
    }
    let values = of(&vec![1; n]);
    let points = grid.iter().zip(values).zip(&mut draws);
    let points = points.filter_map(|((&difficulty, value), draws)| {
        let Estimate { value, low, high, .. } =
            percentile_estimate(value?, draws, settings.confidence, n)?;
        Some(CurvePoint { difficulty, value, low, high })
    });
    let points: Vec<CurvePoint> = points.collect();
    (!points.is_empty()).then_some(Curve { points })
}

fn clipped(values: Vec<Option<f64>>, low: f64, high: f64) -> Vec<Option<f64>> {
    values.into_iter().map(|value| value.map(|value| value.clamp(low, high))).collect()
}

/// Problems grouped by equal difficulty, for monotone fits.
struct Steps {
    /// The distinct difficulties, rising.
    places: Vec<f64>,
    /// Where in the problems each of them ends.
    ends: Vec<usize>,
}

impl Steps {
    fn new(difficulties: &[f64]) -> Self {
        let (mut places, mut ends) = (Vec::new(), Vec::new());
        for group in difficulties.chunk_by(|one, other| one == other) {
            places.push(group[0]);
            ends.push(ends.last().copied().unwrap_or(0) + group.len());
        }
        Self { places, ends }
    }

    /// The non-increasing fit at each place.
    fn falling(&self, scores: &[f64], counts: &[u8]) -> Vec<f64> {
        let (mut losses, mut weights) = (Vec::new(), Vec::new());
        let mut from = 0;
        for &to in &self.ends {
            let weight: f64 = counts[from..to].iter().map(|&count| f64::from(count)).sum();
            let pairs = scores[from..to].iter().zip(&counts[from..to]);
            let sum: f64 = pairs.map(|(score, &count)| score * f64::from(count)).sum();
            losses.push(if weight > 0.0 { -sum / weight } else { 0.0 });
            weights.push(weight);
            from = to;
        }
        isotonic(&losses, &weights).into_iter().map(|value| -value).collect()
    }

    /// Linear between the places.
    fn at(&self, fitted: &[f64], place: f64) -> f64 {
        let above = self.places.partition_point(|&known| known < place);
        if above == 0 || above == self.places.len() {
            return fitted[above.min(fitted.len() - 1)];
        }
        let share =
            (place - self.places[above - 1]) / (self.places[above] - self.places[above - 1]);
        fitted[above - 1] + share * (fitted[above] - fitted[above - 1])
    }

    /// The first place at which the fit is below the level: infinite where there is none
    /// on the far side, negative infinite where all of it is below.
    fn crossing(&self, fitted: &[f64], level: f64) -> f64 {
        let below = fitted.partition_point(|&value| value >= level);
        if below == 0 {
            return f64::NEG_INFINITY;
        }
        if below == fitted.len() {
            return f64::INFINITY;
        }
        let (before, after) = (fitted[below - 1], fitted[below]);
        let share = (before - level) / (before - after);
        self.places[below - 1] + share * (self.places[below] - self.places[below - 1])
    }
}

fn fall_off(
    steps: &Steps,
    scores: &[f64],
    resamples: &Resamples,
    settings: &ProfileSettings,
) -> FallOff {
    let level = settings.fall_off;
    let of = |counts: &[u8]| steps.crossing(&steps.falling(scores, counts), level);
    let mut draws: Vec<f64> = resamples.draws().map(of).collect();
    draws.sort_by(f64::total_cmp);
    // Order statistics themselves: nothing lies between a place and infinity.
    let tail = (1.0 - settings.confidence) / 2.0;
    let last = draws.len().saturating_sub(1) as f64;
    let at = |place: f64| draws.get(place as usize).copied().filter(|value| value.is_finite());
    FallOff {
        level,
        difficulty: Some(of(&vec![1; scores.len()])).filter(|value| value.is_finite()),
        low: at((tail * last).floor()),
        high: at(((1.0 - tail) * last).ceil()),
    }
}

fn bins(difficulties: &[f64], scores: &[f64], settings: &ProfileSettings) -> Vec<ProfileBin> {
    let n = scores.len();
    let mut bins = Vec::new();
    let mut from = 0;
    for bin in 1..=settings.bins {
        let mut to = (n * bin).div_ceil(settings.bins.max(1)).max(from);
        while to > from && to < n && difficulties[to] == difficulties[to - 1] {
            to += 1;
        }
        if to == from {
            continue;
        }
        let inside = &scores[from..to];
        let yes_or_no = inside.iter().all(|&score| score == 0.0 || score == 1.0);
        let accuracy = if yes_or_no {
            let right = inside.iter().filter(|&&score| score == 1.0).count() as u64;
            let trials = inside.len() as u64;
            wilson(right, trials, settings.confidence).map(|interval| Estimate {
                value: right as f64 / trials as f64,
                low: interval.low,
                high: interval.high,
                n: trials,
            })
        } else {
            let mut stream = Stream::new(settings.seed, &["difficulty", "profile", "bin"]);
            bootstrap_mean(inside, settings.draws, settings.confidence, &mut stream)
        };
        bins.extend(accuracy.map(|accuracy| ProfileBin {
            from: difficulties[from],
            to: difficulties[to - 1],
            accuracy,
        }));
        from = to;
    }
    bins
}

#[cfg(test)]
mod tests {
    use super::super::label::tests::labels;
    use super::*;
    use crate::data::{AuthoredProblem, Completion, gsm8k_solutions, test_data};

    fn outcomes(n: usize, score: impl Fn(f64, usize) -> f64) -> Vec<Outcome> {
        let outcome = |index: usize| {
            let difficulty = index as f64 / (n - 1) as f64;
            let (problem, score) = (format!("p{index}"), score(difficulty, index));
            Outcome { problem, domain: None, difficulty, score }
        };
        (0..n).map(outcome).collect()
    }

    fn profile(outcomes: &[Outcome], settings: &ProfileSettings) -> Profile {
        let outcomes: Vec<&Outcome> = outcomes.iter().collect();
        Profile::of("m", None, &outcomes, settings).unwrap()
    }

    fn quick() -> ProfileSettings {
        ProfileSettings { draws: 300, ..ProfileSettings::default() }
    }

    #[test]
    fn a_line_of_shares_is_found_by_both_fits() {
        let falling = outcomes(101, |difficulty, _| 1.0 - 0.8 * difficulty);
        let found = profile(&falling, &quick());
        for curve in [&found.smooth, &found.monotone] {
            for point in &curve.points {
                let expected = 1.0 - 0.8 * point.difficulty;
                assert!((point.value - expected).abs() < 1e-9, "{point:?}");
            }
        }
        assert_eq!((found.smooth.points.len(), found.bins.len()), (21, 10));
        assert!((found.fall_off.difficulty.unwrap() - 0.625).abs() < 1e-9);
        assert!((found.accuracy.value - 0.6).abs() < 1e-12);
    }

    // Logistic with its middle at 0.4: bands of 95% cover the truth at most points.
    #[test]
    fn bands_hold_the_curve_that_made_the_answers() {
        let truth = |difficulty: f64| 1.0 / (1.0 + (8.0 * (difficulty - 0.4)).exp());
        let mut stream = Stream::new(2, &["profile"]);
        let draws: Vec<f64> = (0..600).map(|_| stream.unit()).collect();
        let answers =
            outcomes(600, |difficulty, at| f64::from(u8::from(draws[at] < truth(difficulty))));
        let found = profile(&answers, &ProfileSettings { span: 0.3, ..quick() });
        for curve in [&found.smooth, &found.monotone] {
            let holds = |point: &&CurvePoint| {
                let truth = truth(point.difficulty);
                point.low - 0.02 <= truth && truth <= point.high + 0.02
            };
            assert!(curve.points.iter().filter(holds).count() >= 18, "{curve:?}");
        }
        let fall_off = found.fall_off;
        assert!(fall_off.low.unwrap() < 0.4 && fall_off.high.unwrap() > 0.4, "{fall_off:?}");
        assert!(found.bins.iter().all(|bin| bin.accuracy.n == 60));
    }

    #[test]
    fn a_curve_on_one_side_of_the_level_has_no_fall_off_point() {
        let all_right = profile(&outcomes(20, |_, _| 1.0), &quick()).fall_off;
        assert_eq!((all_right.difficulty, all_right.high), (None, None));
        let all_wrong = profile(&outcomes(20, |_, _| 0.0), &quick()).fall_off;
        assert_eq!((all_wrong.difficulty, all_wrong.low), (None, None));
    }

    #[test]
    fn problems_of_one_difficulty_make_a_point() {
        let mut same = outcomes(10, |_, index| f64::from(u8::from(index < 7)));
        for outcome in &mut same {
            outcome.difficulty = 2.0;
        }
        let found = profile(&same, &quick());
        assert_eq!(found.smooth.points.len(), 1);
        assert!((found.smooth.points[0].value - 0.7).abs() < 1e-12);
        assert!((found.monotone.points[0].value - 0.7).abs() < 1e-12);
        assert_eq!(found.bins.len(), 1);
        assert_eq!(Profile::of("m", None, &[], &quick()), None);
    }

    #[test]
    fn between_two_difficulties_there_is_no_curve_and_still_a_profile() {
        let mut two = outcomes(40, |difficulty, _| f64::from(u8::from(difficulty < 0.25)));
        for outcome in &mut two {
            outcome.difficulty = outcome.difficulty.round();
        }
        let found = profile(&two, &quick());
        let ends = [&found.smooth.points[0], &found.smooth.points[found.smooth.points.len() - 1]];
        assert_eq!(ends.map(|point| point.difficulty), [0.0, 1.0]);
        assert_eq!(ends.map(|point| point.value), [0.5, 0.0]);
        assert!(found.smooth.points.len() < 21 && found.monotone.points.len() == 21);
    }

    #[test]
    fn what_both_models_share_cancels() {
        let first = outcomes(80, |_, index| f64::from(u8::from(index % 3 > 0)));
        let second = outcomes(80, |_, index| f64::from(u8::from(index % 3 > 0)));
        let (mean, curve) = paired_difference(&first, &second, &quick()).unwrap();
        assert_eq!((mean.value, mean.low, mean.high, mean.n), (0.0, 0.0, 0.0, 80));
        assert!(curve.points.iter().all(|point| point.low == 0.0 && point.high == 0.0));
        let easy_only =
            outcomes(
                80,
                |difficulty, index| {
                    if difficulty < 0.5 { 1.0 } else { f64::from(u8::from(index % 3 > 0)) }
                },
            );
        let (_, curve) = paired_difference(&easy_only, &second, &quick()).unwrap();
        assert!(curve.points[0].low > 0.0 && curve.points[20].high.abs() < 1e-9);
    }

    // Counted by a script of its own in the published solutions of four models to the test
    // problems of GSM8K: how often the largest one is right by how many of the other three
    // are wrong.
    #[test]
    fn a_published_model_falls_off_over_what_others_could_not_solve() {
        let Some(file) = test_data::file("gsm8k/example_model_solutions.jsonl") else { return };
        let is_right = |completion: &Completion| completion.metadata["is_correct"] == true;
        let outcome = |authored: AuthoredProblem| {
            let [others @ .., last] = &authored.completions[..] else { panic!("four models") };
            let wrong = others.iter().filter(|completion| !is_right(completion)).count();
            Outcome {
                problem: authored.problem.id.clone(),
                domain: None,
                difficulty: wrong as f64,
                score: f64::from(u8::from(is_right(last))),
            }
        };
        let mut outcomes: Vec<Outcome> =
            gsm8k_solutions(&file).unwrap().into_iter().map(outcome).collect();
        outcomes.sort_by(|one, other| one.difficulty.total_cmp(&other.difficulty));
        let found = profile(&outcomes, &ProfileSettings { points: 4, ..quick() });
        let counted = [156.0 / 165.0, 196.0 / 231.0, 201.0 / 302.0, 189.0 / 621.0];
        for (point, counted) in found.monotone.points.iter().zip(counted) {
            assert!((point.value - counted).abs() < 1e-12, "{point:?} {counted}");
            assert!(point.low < counted && counted < point.high);
        }
        assert_eq!(found.accuracy.n, 1319);
        let fall_off = found.fall_off.difficulty.unwrap();
        assert!((2.0..3.0).contains(&fall_off), "{fall_off}");
    }

    // Variance of -2, -1, 0, 1, 2 is 2.5; labels() gives each a standard error of 0.5.
    #[test]
    fn reliability_is_the_share_that_is_no_error() {
        let names = ["a", "b", "c", "d", "e"];
        let values: Vec<_> =
            names.iter().zip(-2..).map(|(&name, v)| (name, f64::from(v))).collect();
        assert!((reliability(&labels(&values)).unwrap() - 0.9).abs() < 1e-12);
    }
}
