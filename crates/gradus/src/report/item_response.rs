//! What of a fitted item response model is looked at: as much of 20,000 items as of 20.
//!
//! Lists are cut at a fixed length, with what they were cut from beside them. Items
//! are pointed out by screens, not by tests that would prove anything:
//!
//! | sign | screen |
//! | --- | --- |
//! | slope | negative, at its bound, or with 95% confidence below half of the median slope |
//! | item-rest correlation | below 0 by more than 1.96 / sqrt(n) |
//! | infit, outfit | above 1.3 (Wright and Linacre 1994) and above 1 by three rough standard errors, sqrt(2 / n) and 1 / sqrt(n m (1 - m)) at a mean score m |
//! | S-X2 | false discovery rate 0.05 over items (Benjamini and Hochberg 1995) |
//! | local dependence | Q3 above its mean by 0.2 (Christensen, Makransky and Horton 2017) and by 4 / sqrt(n) |

use serde::{Deserialize, Serialize};

use super::item_map::MapStep;
use super::item_response_groups::{DifLine, dif_lines};
use crate::difficulty::irt::{FEW, Fit, ItemStatus, Record, Slopes, Summary};
use crate::difficulty::responses::Responses;
use crate::stats::{benjamini_hochberg, quantile};

/// Most lines of the lists of items and of respondents: half from each end.
const LINES: usize = 30;
/// Most items pointed out.
const SUSPECTS: usize = 25;
/// Up to so many items are named on the map.
const NAMED: usize = 60;
/// Most items whose curves are drawn.
const CURVES: usize = 6;
/// Points of every curve.
const POINTS: usize = 41;
/// Steps of the map are the narrowest round width that makes no more than these.
const STEPS: f64 = 24.0;
/// Residual products up to which pairs of items are compared: about a second.
const PAIRS: f64 = 1e9;
/// Quantile of the normal distribution for 95% intervals.
const Z: f64 = 1.96;

/// A fitted model as the report shows it; it comes back from its JSON.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ItemResponse {
    /// The numbers of the fit.
    pub summary: Summary,
    /// So few respondents that nothing is said of single items.
    pub few: bool,
    /// Abilities beside difficulties.
    pub map: Vec<MapStep>,
    /// Characteristic curves of a few items.
    pub curves: Vec<Curve>,
    /// What the whole test says at each ability.
    pub information: Vec<InformationPoint>,
    /// Items from the hardest, those in the middle left out.
    pub items: Vec<ItemLine>,
    /// Mean scores that occur and the number of items that have them; where there are few
    /// respondents only.
    pub items_by_mean: Vec<(f64, u64)>,
    /// Items most likely broken, the most striking first.
    pub suspects: Vec<Suspect>,
    /// How many there are.
    pub suspects_found: usize,
    /// Respondents from the ablest, those in the middle left out.
    pub respondents: Vec<RespondentLine>,
    /// Rows of respondents in all.
    pub respondents_found: usize,
    /// Items that are not the same for groups of respondents, the clearest first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub dif: Vec<DifLine>,
    /// How many there are.
    #[serde(default)]
    pub dif_found: usize,
    /// What was not computed, and why.
    pub not_computed: Vec<String>,
}

/// The characteristic curve of an item.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Curve {
    /// Name of the item.
    pub item: String,
    /// Why it is shown; empty where all are.
    pub why: String,
    /// Ability and expected share of the highest score.
    pub points: Vec<(f64, f64)>,
}

/// The information of all items at an ability.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct InformationPoint {
    /// The ability, in logits.
    pub ability: f64,
    /// Fisher information of all items about it.
    pub information: f64,
}

/// An item with its estimates.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ItemLine {
    /// Its name.
    pub item: String,
    /// Its difficulty, in logits.
    pub difficulty: f64,
    /// The standard error of that, where there is one.
    pub se_difficulty: Option<f64>,
    /// Its discrimination.
    pub discrimination: f64,
    /// Number of answers, with counts.
    pub n: f64,
    /// Mean score.
    pub mean: f64,
}

/// An item that looks broken.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Suspect {
    /// The item.
    pub line: ItemLine,
    /// Correlation of its score with the mean of each respondent's other scores.
    pub item_rest: Option<f64>,
    /// Mean square weighted by information.
    pub infit: f64,
    /// Mean square not weighted.
    pub outfit: f64,
    /// What speaks against it.
    pub evidence: Vec<String>,
}

/// A respondent with an ability.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RespondentLine {
    /// Its name.
    pub respondent: String,
    /// How many it stands for.
    pub count: f64,
    /// Its ability, in logits; `None` where the method has no finite one.
    pub ability: Option<f64>,
    /// The standard error of that.
    pub se: Option<f64>,
    /// Number of answers.
    pub n: usize,
    /// Sum of scores.
    pub score: f64,
    /// `l_z`: far below 0 is an unlikely pattern.
    pub person_fit: Option<f64>,
}

impl ItemResponse {
    /// What is shown of a record; `threads` do not change it.
    pub fn new(record: &Record<'_>, threads: usize) -> Self {
        let summary = record.summary.clone();
        let few = summary.respondents < FEW;
        let lines = item_lines(record);
        let abilities = abilities(record);
        let steps = map(&lines, &abilities, few);
        let (low, high) = match (steps.first(), steps.last()) {
            (Some(first), Some(last)) => (first.from.min(-3.0), last.to.max(3.0)),
            _ => (-3.0, 3.0),
        };
        let grid: Vec<f64> = (0..POINTS)
            .map(|point| low + (high - low) * point as f64 / (POINTS - 1) as f64)
            .collect();
        let mut not_computed = record.not_computed.clone();
        let suspects =
            if few { Vec::new() } else { suspects(record, &lines, &mut not_computed, threads) };
        let curves = if few { Vec::new() } else { curves(record.fit, &lines, &suspects, &grid) };
        let information = |&ability: &f64| InformationPoint {
            ability,
            information: (0..lines.len())
                .map(|item| record.fit.bank.information(item, ability))
                .sum(),
        };
        let mut sorted: Vec<ItemLine> = lines.clone();
        sorted.sort_by(|one, other| other.difficulty.total_cmp(&one.difficulty));
        let mut respondents = respondent_lines(record);
        let respondents_found = respondents.len();
        ends(&mut respondents);
        if few {
            sorted.clear();
        }
        ends(&mut sorted);
        let (dif, dif_found) = dif_lines(record);
        Self {
            few,
            dif,
            dif_found,
            map: steps,
            curves,
            information: grid.iter().map(information).collect(),
            items: sorted,
            items_by_mean: if few { by_mean(record) } else { Vec::new() },
            suspects_found: suspects.len(),
            suspects: suspects.into_iter().take(SUSPECTS).map(|(_, suspect)| suspect).collect(),
            respondents,
            respondents_found,
            not_computed,
            summary,
        }
    }
}

/// Keeps the first and the last of a long list.
fn ends<T>(list: &mut Vec<T>) {
    if list.len() > LINES {
        list.drain(LINES / 2..list.len() - LINES / 2);
    }
}

/// The items of the bank, in its order.
fn item_lines(record: &Record<'_>) -> Vec<ItemLine> {
    let fit = record.fit;
    let (counts, sums) = record.answers();
    let mut lines = Vec::with_capacity(fit.bank.items.len());
    for (place, &(_, number)) in fit.items.iter().enumerate() {
        let Some(number) = number else { continue };
        let item = &fit.bank.items[number];
        let errors = fit.standard_errors.as_ref().filter(|_| item.levels.len() == 2);
        lines.push(ItemLine {
            item: item.name.clone(),
            difficulty: item.difficulty(),
            se_difficulty: errors.and_then(|errors| errors.threshold(fit, number, 0)),
            discrimination: item.discrimination(),
            n: counts[place],
            mean: if counts[place] > 0.0 { sums[place] / counts[place] } else { f64::NAN },
        });
    }
    lines
}

/// Finite abilities with their counts.
fn abilities(record: &Record<'_>) -> Vec<(f64, f64)> {
    let rows = record.respondents.iter().enumerate();
    rows.filter_map(|(row, line)| {
        let ability = line.scored?.ability;
        ability.is_finite().then(|| (ability, record.responses.weight(row)))
    })
    .collect()
}

fn respondent_lines(record: &Record<'_>) -> Vec<RespondentLine> {
    let mut lines: Vec<(f64, RespondentLine)> = record
        .respondents
        .iter()
        .enumerate()
        .filter_map(|(row, line)| {
            let scored = line.scored?;
            let line = RespondentLine {
                respondent: line.respondent.to_owned(),
                count: record.responses.weight(row),
                ability: Some(scored.ability).filter(|ability| ability.is_finite()),
                se: scored.se.filter(|se| se.is_finite()),
                n: scored.answers,
                score: line.score,
                person_fit: line.person_fit,
            };
            Some((scored.ability, line))
        })
        .collect();
    lines.sort_by(|one, other| other.0.total_cmp(&one.0));
    lines.into_iter().map(|(_, line)| line).collect()
}

/// How many items have each mean score, from the highest.
fn by_mean(record: &Record<'_>) -> Vec<(f64, u64)> {
    let (counts, sums) = record.answers();
    let answered = counts.iter().zip(&sums).filter(|(count, _)| **count > 0.0);
    let mut means: Vec<f64> = answered.map(|(count, sum)| sum / count).collect();
    means.sort_by(|one, other| other.total_cmp(one));
    let groups = means.chunk_by(|one, other| one == other);
    groups.map(|group| (group[0], group.len() as u64)).collect()
}

/// Counts of abilities and difficulties over round steps that hold the middle 98% of both.
fn map(lines: &[ItemLine], abilities: &[(f64, f64)], few: bool) -> Vec<MapStep> {
    let middle = |values: &mut dyn Iterator<Item = f64>| {
        let mut sorted: Vec<f64> = values.filter(|value| value.is_finite()).collect();
        sorted.sort_by(f64::total_cmp);
        Some((quantile(&sorted, 0.01)?, quantile(&sorted, 0.99)?))
    };
    let items = middle(&mut lines.iter().map(|line| line.difficulty));
    let people = middle(&mut abilities.iter().map(|&(ability, _)| ability));
    let found = [items, people].into_iter().flatten();
    let (low, high) = found
        .fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), (a, b)| (low.min(a), high.max(b)));
    if low > high {
        return Vec::new();
    }
    let (low, high) = (low.clamp(-8.0, 7.0), high.clamp(-7.0, 8.0));
    let rough = (high - low) / (STEPS - 2.0);
    let width = [0.1, 0.2, 0.25].into_iter().find(|&width| width >= rough).unwrap_or(0.5);
    let width = if rough > 0.5 { 1.0 } else { width };
    let first = (low / width).floor();
    let count = ((high / width).floor() - first) as usize + 1;
    let mut steps: Vec<MapStep> = (0..count)
        .map(|step| MapStep {
            from: (first + step as f64) * width,
            to: (first + step as f64 + 1.0) * width,
            respondents: 0.0,
            items: 0,
            names: Vec::new(),
        })
        .collect();
    // A float becomes the nearest number that an index can be, so what lies beyond is clamped.
    let place = |value: f64| ((value / width).floor() - first).clamp(0.0, count as f64 - 1.0);
    for &(ability, weight) in abilities {
        steps[place(ability) as usize].respondents += weight;
    }
    for line in lines.iter().filter(|line| line.difficulty.is_finite()) {
        let step = &mut steps[place(line.difficulty) as usize];
        step.items += 1;
        if lines.len() <= NAMED && !few {
            step.names.push(line.item.clone());
        }
    }
    steps
}

/// Each with its weight, the most striking first.
fn suspects(
    record: &Record<'_>,
    lines: &[ItemLine],
    not_computed: &mut Vec<String>,
    threads: usize,
) -> Vec<(f64, Suspect)> {
    let fit = record.fit;
    let mut slopes: Vec<f64> = lines.iter().map(|line| line.discrimination).collect();
    slopes.sort_by(f64::total_cmp);
    let median = quantile(&slopes, 0.5).unwrap_or(1.0);
    let rest = item_rest(record.responses);
    let misfit = discoveries(record);
    let dependent = dependence(record, lines, not_computed, threads);
    let mut found = Vec::new();
    for (place, &(status, number)) in fit.items.iter().enumerate() {
        let Some(number) = number else { continue };
        let line = &lines[number];
        let (slope, squares) = (line.discrimination, record.mean_squares[number]);
        let mut signs: Vec<(f64, String)> = Vec::new();
        if status == ItemStatus::Reflected {
            let why = format!("slope {slope:.2}: abler respondents do worse, as with a wrong key");
            signs.push((4.0, why));
        }
        if let Some(r) = rest[place].filter(|r| *r < -Z / line.n.sqrt()) {
            signs.push((3.0, format!("item-rest correlation {r:.2}")));
        }
        if status == ItemStatus::Steep {
            signs.push((2.0, "the slope ran to its bound".to_owned()));
        }
        let error = fit.standard_errors.as_ref().and_then(|all| all.discrimination(number));
        let flat = |se: f64| slope >= 0.0 && slope + Z * se < 0.5 * median;
        if fit.bank.model.slopes == Slopes::Free && error.is_some_and(flat) {
            let why = format!("slope {slope:.2} where the median is {median:.2}");
            signs.push((1.5, why));
        }
        if let Some(test) = record.s_x2[number].filter(|_| misfit[number]) {
            let p = if test.p < 1e-4 { "< 0.0001".to_owned() } else { format!("{:.4}", test.p) };
            signs.push((2.0, format!("S-X2 {:.1} on {} df, p {p}", test.statistic, test.df)));
        }
        // Rough standard errors of mean squares; far from the middle outfit has a long tail.
        let share = if (0.0..=1.0).contains(&line.mean) { line.mean } else { 0.5 };
        let outfit_error = (line.n * share * (1.0 - share)).sqrt().recip();
        let infit_error = (2.0 / line.n).sqrt();
        for (name, square, error) in
            [("infit", squares.infit, infit_error), ("outfit", squares.outfit, outfit_error)]
        {
            if square > f64::max(1.3, 1.0 + 3.0 * error) {
                signs.push((square.min(3.0) - 0.3, format!("{name} {square:.2}")));
            }
        }
        for (other, q3) in dependent.iter().filter_map(|&(one, two, q3)| match number {
            at if at == one => Some((two, q3)),
            at if at == two => Some((one, q3)),
            _ => None,
        }) {
            let name = &lines[other].item;
            signs.push((1.5 + q3, format!("goes with {name} beyond ability, Q3 {q3:.2}")));
        }
        if !signs.is_empty() {
            let suspect = Suspect {
                line: line.clone(),
                item_rest: rest[place],
                infit: squares.infit,
                outfit: squares.outfit,
                evidence: signs.iter().map(|(_, sign)| sign.clone()).collect(),
            };
            found.push((signs.iter().map(|(weight, _)| weight).sum(), suspect));
        }
    }
    found.sort_by(|one: &(f64, Suspect), other| other.0.total_cmp(&one.0));
    found
}

/// Correlation of each item's scores with the mean of each respondent's other scores;
/// `None` where either does not vary.
fn item_rest(responses: &Responses) -> Vec<Option<f64>> {
    let mut sums = vec![[0.0f64; 6]; responses.items().len()];
    for respondent in 0..responses.respondents().len() {
        let (items, scores) = responses.row(respondent);
        let weight = responses.weight(respondent);
        let total: f64 = scores.iter().map(|&score| f64::from(score)).sum();
        let others = scores.len() as f64 - 1.0;
        if others < 1.0 {
            continue;
        }
        for (&item, &score) in items.iter().zip(scores) {
            let x = f64::from(score);
            let y = (total - x) / others;
            let terms = [1.0, x, y, x * x, y * y, x * y];
            for (sum, term) in sums[item as usize].iter_mut().zip(terms) {
                *sum += weight * term;
            }
        }
    }
    let correlation = |[n, x, y, xx, yy, xy]: [f64; 6]| {
        let (of_x, of_y) = (xx - x * x / n, yy - y * y / n);
        (n > 2.0 && of_x > 1e-9 && of_y > 1e-9).then(|| (xy - x * y / n) / (of_x * of_y).sqrt())
    };
    sums.into_iter().map(correlation).collect()
}

/// Items of the bank whose S-X2 stands out at a false discovery rate of 0.05.
fn discoveries(record: &Record<'_>) -> Vec<bool> {
    let tests: Vec<Option<f64>> =
        record.s_x2.iter().map(|test| test.map(|test| test.p).filter(|p| !p.is_nan())).collect();
    benjamini_hochberg(&tests).into_iter().map(|p| p.is_some_and(|p| p <= 0.05)).collect()
}

/// Pairs of items of the bank that go together beyond ability.
fn dependence(
    record: &Record<'_>,
    lines: &[ItemLine],
    not_computed: &mut Vec<String>,
    threads: usize,
) -> Vec<(usize, usize, f64)> {
    let rows = record.responses.respondents().len() as f64;
    let items = lines.len() as f64;
    if items * items / 2.0 * rows > PAIRS {
        not_computed.push(format!(
            "pairs of items were not compared: {items} items and {rows} respondents are too many \
             for the report"
        ));
        return Vec::new();
    }
    match record.fit.local_dependence(SUSPECTS, threads) {
        Ok(found) => {
            let above = |&&(one, two, q3): &&(usize, usize, f64)| {
                let n = lines[one].n.min(lines[two].n);
                q3 - found.mean > f64::max(0.2, 4.0 / n.sqrt())
            };
            found.highest.iter().filter(above).copied().collect()
        }
        Err(error) => {
            not_computed.push(error.to_string());
            Vec::new()
        }
    }
}

/// Curves of all items where they are few, else of those that say most.
fn curves(fit: &Fit, lines: &[ItemLine], suspects: &[(f64, Suspect)], grid: &[f64]) -> Vec<Curve> {
    let mut chosen: Vec<(usize, &str)> = Vec::new();
    if lines.len() <= CURVES {
        chosen.extend((0..lines.len()).map(|item| (item, "")));
    } else {
        let mut by_difficulty: Vec<usize> = (0..lines.len()).collect();
        by_difficulty.sort_by(|&a, &b| lines[a].difficulty.total_cmp(&lines[b].difficulty));
        let mut by_slope = by_difficulty.clone();
        by_slope.sort_by(|&a, &b| lines[a].discrimination.total_cmp(&lines[b].discrimination));
        let last = lines.len() - 1;
        let mut wanted = Vec::new();
        if let Some((_, suspect)) = suspects.first() {
            let place = lines.iter().position(|line| line.item == suspect.line.item);
            wanted.extend(place.map(|place| (place, "most striking")));
        }
        wanted.extend([
            (by_difficulty[0], "easiest"),
            (by_difficulty[last / 2], "median"),
            (by_difficulty[last], "hardest"),
        ]);
        if fit.bank.model.slopes == Slopes::Free {
            wanted.extend([(by_slope[0], "flattest"), (by_slope[last], "steepest")]);
        }
        for (item, why) in wanted {
            if chosen.iter().all(|&(other, _)| other != item) {
                chosen.push((item, why));
            }
        }
    }
    let curve = |(item, why): (usize, &str)| {
        let levels = &fit.bank.items[item].levels;
        let (low, high) = (f64::from(levels[0]), f64::from(levels[levels.len() - 1]));
        let share = |&ability: &f64| {
            (ability, (fit.bank.expected_score(item, ability) - low) / (high - low))
        };
        Curve {
            item: lines[item].item.clone(),
            why: why.to_owned(),
            points: grid.iter().map(share).collect(),
        }
    };
    chosen.into_iter().map(curve).collect()
}
