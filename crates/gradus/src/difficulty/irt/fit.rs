//! From responses to item parameters with all that belongs to them.

use std::collections::HashMap;
use std::ops::Range;

use super::bank::{Bank, CalibratedItem};
use super::cells::Cells;
use super::em::{Em, Ended, State};
use super::error::IrtError;
use super::grid::Grid;
use super::lanes::{Lanes, add, lanes, sum};
use super::maximise::STEEPEST;
use super::model::{ItemModel, Slopes};
use super::observed_information::{StandardErrors, standard_errors};
use super::posterior::{Items, Posterior, Windows, posterior, whole_grid};
use super::prior::Priors;
use super::record::FEW;
use crate::difficulty::responses::Responses;

/// Half the width of the grid, in standard deviations of the reference population.
const WIDTH: f64 = 6.0;
/// Largest spacing of nodes.
const COARSEST: f64 = 0.2;
/// A grid is refined where its spacing is more than so many of the smallest posterior standard deviation.
const TOO_COARSE: f64 = 1.2;
/// One byte holds a category and the sign for missing.
const MOST_CATEGORIES: usize = 40;
/// With fewer respondents nothing can be said of an item.
const FEWEST: usize = 3;
/// With fewer, slopes run off to their bounds, one item at a time, and estimation never ends.
const FEWEST_FOR_SLOPES: usize = 10;
/// Cycles for so few respondents that more would only follow parameters to infinity.
const CYCLES_OF_FEW: usize = 300;

/// How a model is fitted.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The model.
    pub model: &'static ItemModel,
    /// Priors of item parameters.
    pub priors: Priors,
    /// Items that are not estimated, by name. Abilities are then on their scale.
    pub anchors: HashMap<String, CalibratedItem>,
    /// The population of each respondent, from 0; empty where all are of one. The mean
    /// and standard deviation of population 0 are 0 and 1 unless there are anchors.
    pub populations: Vec<u32>,
    /// Estimated distance from the end, of every parameter, at which estimation ends.
    pub tolerance: f64,
    /// Cycles after which estimation gives up.
    pub most_cycles: usize,
    /// Threads; results do not depend on their number.
    pub threads: usize,
    /// Are standard errors computed.
    pub standard_errors: bool,
}

impl Settings {
    /// Defaults for a model: one population, tolerance 1e-4, 2,000 cycles, one thread, standard errors.
    pub fn new(model: &'static ItemModel) -> Self {
        Self {
            model,
            priors: Priors::default(),
            anchors: HashMap::new(),
            populations: Vec::new(),
            tolerance: 1e-4,
            most_cycles: 2000,
            threads: 1,
            standard_errors: true,
        }
    }
}

/// Whether an item's parameters are estimates.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum ItemStatus {
    /// Estimated.
    Estimated,
    /// Given.
    Anchored,
    /// Estimated, and the slope is negative: abler respondents do worse, often a wrong key.
    Reflected,
    /// The slope ran to the largest that is allowed: its value says only "very steep".
    Steep,
    /// All answers are in the highest category: the difficulty is at most `difficulty_below`.
    AllRight {
        /// At the mean slope: were it higher, the chance of these answers would be below 0.05.
        difficulty_below: f64,
    },
    /// All answers are in the lowest category: the difficulty is at least `difficulty_above`.
    AllWrong {
        /// At the mean slope: were it lower, the chance of these answers would be below 0.05.
        difficulty_above: f64,
    },
    /// Nobody answered it, or all answers are the same middle score: there is nothing to say.
    Unknown,
}

impl ItemStatus {
    /// Do the parameters mean what they say.
    pub fn is_estimated(self) -> bool {
        matches!(self, Self::Estimated | Self::Anchored | Self::Reflected | Self::Steep)
    }
}

/// A posterior mean of ability.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Ability {
    /// The value.
    pub ability: f64,
    /// Its standard error.
    pub se: f64,
}

/// A population of respondents.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Population {
    /// Mean ability.
    pub mean: f64,
    /// Standard deviation of ability.
    pub sd: f64,
}

/// The nodes that integrals were taken over.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Quadrature {
    /// Lowest ability.
    pub low: f64,
    /// Highest ability.
    pub high: f64,
    /// Number of nodes, equally spaced.
    pub nodes: usize,
}

/// A fitted model.
#[derive(Clone, Debug)]
pub struct Fit {
    /// The items that have parameters, in the order of the responses.
    pub bank: Bank,
    /// For each item of the responses: what is known, and its number in the bank.
    pub items: Vec<(ItemStatus, Option<usize>)>,
    /// Expected a posteriori ability of each respondent.
    pub abilities: Vec<Ability>,
    /// Populations, the reference first.
    pub populations: Vec<Population>,
    /// ln of the marginal likelihood, without priors.
    pub log_likelihood: f64,
    /// ln of the priors, up to a constant.
    pub log_prior: f64,
    /// Number of free parameters.
    pub parameters: usize,
    /// Number of respondents, with counts.
    pub respondents: f64,
    /// EM cycles.
    pub cycles: usize,
    /// Estimated distance of the parameters from where they would end.
    pub change: f64,
    /// The grid.
    pub quadrature: Quadrature,
    /// Standard errors, where they were asked for.
    pub standard_errors: Option<StandardErrors>,
    pub(super) core: Core,
}

/// What later statistics are computed from.
#[derive(Clone, Debug)]
pub(super) struct Core {
    pub(super) cells: Cells,
    /// Packed row of each respondent.
    pub(super) place: Vec<u32>,
    pub(super) grid: Grid,
    pub(super) starts: Vec<usize>,
    pub(super) parameters: Vec<f64>,
    pub(super) free: Vec<bool>,
    /// ln weights of each population at each node.
    pub(super) log_weights: Vec<Vec<Lanes>>,
    /// Chunks of the grid that count for each packed row.
    windows: Windows,
}

impl Core {
    pub(super) fn items<'a>(&'a self, model: &'a ItemModel) -> Items<'a> {
        Items { model, starts: &self.starts, parameters: &self.parameters }
    }

    /// Posteriors of all packed rows.
    pub(super) fn posterior(&self, model: &ItemModel, threads: usize) -> Posterior {
        let (items, windows) = (self.items(model), self.windows.clone());
        let rows = 0..self.cells.rows();
        posterior(&self.cells, rows, items, &self.grid, &self.log_weights, windows, threads)
    }
}

impl Fit {
    /// Akaike's criterion: 2 parameters - 2 ln likelihood.
    pub fn aic(&self) -> f64 {
        2.0 * (self.parameters as f64 - self.log_likelihood)
    }

    /// Schwarz's criterion: parameters ln n - 2 ln likelihood, n respondents.
    pub fn bic(&self) -> f64 {
        self.parameters as f64 * self.respondents.ln() - 2.0 * self.log_likelihood
    }

    /// Variance of the abilities' estimates over that plus their mean squared standard
    /// error, over respondents with answers, with counts.
    pub fn reliability(&self) -> f64 {
        let core = &self.core;
        let mut rows: Vec<Option<Ability>> = vec![None; core.cells.rows()];
        for (&row, &ability) in core.place.iter().zip(&self.abilities) {
            rows[row as usize] = Some(ability);
        }
        let over = |value: &dyn Fn(Ability) -> f64| -> f64 {
            let rows = rows.iter().zip(&core.cells.weights);
            let terms = rows.filter_map(|(ability, weight)| Some(weight * value((*ability)?)));
            terms.sum::<f64>() / self.respondents
        };
        let mean = over(&|at| at.ability);
        let variance = over(&|at| (at.ability - mean).powi(2));
        variance / (variance + over(&|at| at.se * at.se))
    }
}

/// Responses as categories of the items that vary or are anchored.
struct Prepared {
    rows: Vec<(Vec<u32>, Vec<u8>)>,
    names: Vec<String>,
    levels: Vec<Vec<f32>>,
    anchors: Vec<Option<Vec<f64>>>,
    /// For each item of the responses, its place above, or why it has none.
    places: Vec<Result<usize, Constant>>,
}

/// An item whose answers are all the same.
#[derive(Clone, Copy)]
struct Constant {
    score: Option<f32>,
    /// With counts.
    answers: f64,
}

/// Fits a model to responses.
///
/// Items on which all answers are the same are left out of the likelihood and get a
/// bound instead of an estimate; respondents without an answer count in nothing and
/// get their population's mean. What did not converge, or cannot be identified, is an error.
pub fn fit(responses: &Responses, settings: &Settings) -> Result<Fit, IrtError> {
    fit_near(responses, settings, None)
}

/// Estimates near the end, from which a fit begins: items by name, and populations.
pub(super) type Near<'a> = (&'a [CalibratedItem], &'a [Population]);

/// As [`fit`]; where the estimates of a like fit are at hand, fewer cycles are needed.
pub(super) fn fit_near(
    responses: &Responses,
    settings: &Settings,
    near: Option<Near<'_>>,
) -> Result<Fit, IrtError> {
    let model = settings.model;
    let count = responses.respondents().len();
    if !settings.populations.is_empty() && settings.populations.len() != count {
        return Err(IrtError::Setting {
            setting: "populations",
            found: format!("{} values", settings.populations.len()),
            expected: format!("{count}, one a respondent"),
        });
    }
    let prepared = prepare(responses, settings)?;
    identified(&prepared, settings, responses)?;
    let categories: Vec<usize> = prepared.levels.iter().map(Vec::len).collect();
    let weights: Vec<f64> = (0..count)
        .map(|row| if prepared.rows[row].0.is_empty() { 0.0 } else { responses.weight(row) })
        .collect();
    let populations =
        if settings.populations.is_empty() { vec![0; count] } else { settings.populations.clone() };
    let longest = prepared.rows.iter().map(|row| row.0.len()).max().unwrap_or(0);
    let (cells, place) = Cells::new(categories, &prepared.rows, &weights, &populations);
    let free: Vec<bool> = prepared.anchors.iter().map(Option::is_none).collect();
    let (starts, parameters) = start(model, &prepared, &cells, &weights, near);
    drop(prepared.rows);
    let number = populations.iter().max().map_or(1, |&highest| highest as usize + 1);
    let begin = near.map(|near| near.1).filter(|populations| populations.len() == number);
    let begin = begin.map(|populations| populations.iter().map(|at| (at.mean, at.sd)).collect());
    let mut state =
        State { parameters, populations: begin.unwrap_or_else(|| vec![(0.0, 1.0); number]) };
    let few = weights.iter().sum::<f64>() < FEW;
    let most_cycles = settings.most_cycles.min(if few { CYCLES_OF_FEW } else { usize::MAX });
    let em = Em {
        model,
        cells: &cells,
        starts: &starts,
        free: &free,
        anchored: free.contains(&false),
        priors: &settings.priors,
        tolerance: settings.tolerance,
        most_cycles,
        threads: settings.threads,
    };
    // About the standard deviation of a posterior after so many answers.
    let step = COARSEST.min(1.0 / (1.0 + 0.2 * longest as f64).sqrt());
    let mut grid = Grid::new(-WIDTH, WIDTH, step);
    let mut cycles = 0;
    let (ended, log_weights, last) = loop {
        let ended = em.run(state, &grid, cycles);
        let log_weights = ended.state.log_weights(&grid);
        let last = last_pass(&em, &ended, &grid, &log_weights);
        let reach = |sign: f64| {
            let ends = ended.state.populations.iter().map(|&(mean, sd)| sign * mean + 5.0 * sd);
            ends.fold(WIDTH, f64::max)
        };
        let (low, high) = (-reach(-1.0), reach(1.0));
        let narrow = low < grid.low() - 0.5 || high > grid.high() + 0.5;
        let coarse = grid.step > TOO_COARSE * last.narrowest;
        if !(ended.converged && (narrow || coarse)) {
            break (ended, log_weights, last);
        }
        let step = if coarse { last.narrowest } else { grid.step };
        grid = Grid::new(low.min(grid.low()), high.max(grid.high()), step);
        (state, cycles) = (ended.state, ended.cycles);
    };
    let log_prior = em.log_prior(&ended.state);
    let mut fit = Fit {
        bank: Bank { model, items: Vec::new() },
        items: Vec::new(),
        abilities: last.abilities(&place),
        populations: Vec::new(),
        log_likelihood: last.log_likelihood,
        log_prior,
        parameters: free_parameters(model, &cells, &free, ended.state.populations.len()),
        respondents: weights.iter().sum(),
        cycles: ended.cycles,
        change: ended.change,
        quadrature: Quadrature { low: grid.low(), high: grid.high(), nodes: grid.nodes() },
        standard_errors: None,
        core: Core {
            cells,
            place,
            grid,
            starts,
            parameters: ended.state.parameters,
            free,
            log_weights,
            windows: last.windows,
        },
    };
    fit.populations =
        ended.state.populations.iter().map(|&(mean, sd)| Population { mean, sd }).collect();
    if settings.standard_errors && ended.converged {
        fit.standard_errors = Some(standard_errors(&fit, model, settings));
    }
    reflect(&mut fit);
    if model.slopes == Slopes::One {
        unit_slopes(&mut fit);
    }
    describe(&mut fit, prepared.names, prepared.levels, &prepared.places, &last.mass);
    if ended.converged {
        Ok(fit)
    } else if most_cycles < settings.most_cycles {
        Err(IrtError::TooFewRespondents {
            model: model.name,
            found: fit.respondents,
            needed: FEW as usize,
            instead: "parameters were still running off when it was given up: use rasch or 1pl, or \
                      a prior on the slopes (--prior-log-slope 0,0.5)",
        })
    } else {
        let (cycles, change) = (fit.cycles, fit.change);
        let tolerance = settings.tolerance;
        Err(IrtError::NotConverged { cycles, change, tolerance, last: Box::new(fit) })
    }
}

fn prepare(responses: &Responses, settings: &Settings) -> Result<Prepared, IrtError> {
    let model = settings.model;
    let items = responses.items();
    let mut levels: Vec<Vec<f32>> = vec![Vec::new(); items.len()];
    let mut counts = vec![0.0; items.len()];
    for respondent in 0..responses.respondents().len() {
        let (answered, scores) = responses.row(respondent);
        for (&item, &score) in answered.iter().zip(scores) {
            counts[item as usize] += responses.weight(respondent);
            let levels = &mut levels[item as usize];
            if levels.contains(&score) {
                continue;
            }
            let item = || items[item as usize].clone();
            if !model.graded && score != 0.0 && score != 1.0 {
                let respondent = responses.respondents()[respondent].clone();
                return Err(IrtError::NotBinary {
                    item: item(),
                    respondent,
                    score,
                    model: model.name,
                });
            }
            if levels.len() == MOST_CATEGORIES {
                let (found, most) = (levels.len() + 1, MOST_CATEGORIES);
                return Err(IrtError::TooManyCategories { item: item(), found, most });
            }
            levels.push(score);
        }
    }
    for name in settings.anchors.keys() {
        if !items.contains(name) {
            return Err(IrtError::Setting {
                setting: "anchors",
                found: format!("an item {name:?}"),
                expected: "names of items of the responses only".into(),
            });
        }
    }
    let mut prepared = Prepared {
        rows: Vec::with_capacity(responses.respondents().len()),
        names: Vec::new(),
        levels: Vec::new(),
        anchors: Vec::new(),
        places: Vec::new(),
    };
    for ((name, mut found), answers) in items.iter().zip(levels).zip(counts) {
        found.sort_by(f32::total_cmp);
        let anchor = settings.anchors.get(name);
        if let Some(anchor) = anchor {
            if let Some(score) = found.iter().find(|score| anchor.category(**score).is_none()) {
                return Err(IrtError::Setting {
                    setting: "anchors",
                    found: format!("a score {score} on item {name:?}"),
                    expected: format!("one of {:?}, which the anchor has", anchor.levels),
                });
            }
            if anchor.parameters.len() != model.parameters(anchor.levels.len()) {
                return Err(IrtError::Setting {
                    setting: "anchors",
                    found: format!("{} parameters of item {name:?}", anchor.parameters.len()),
                    expected: format!(
                        "{} under {}",
                        model.parameters(anchor.levels.len()),
                        model.name
                    ),
                });
            }
            found.clone_from(&anchor.levels);
        }
        if found.len() < 2 {
            prepared.places.push(Err(Constant { score: found.first().copied(), answers }));
            continue;
        }
        prepared.places.push(Ok(prepared.names.len()));
        prepared.names.push(name.clone());
        prepared.levels.push(found);
        prepared.anchors.push(anchor.map(|anchor| anchor.parameters.clone()));
    }
    for respondent in 0..responses.respondents().len() {
        let (answered, scores) = responses.row(respondent);
        let mut row = (Vec::with_capacity(answered.len()), Vec::with_capacity(answered.len()));
        for (&item, &score) in answered.iter().zip(scores) {
            if let Ok(place) = prepared.places[item as usize] {
                let category = prepared.levels[place].iter().position(|&level| level == score);
                row.0.push(place as u32);
                row.1.push(category.unwrap_or_default() as u8);
            }
        }
        prepared.rows.push(row);
    }
    Ok(prepared)
}

fn identified(
    prepared: &Prepared,
    settings: &Settings,
    responses: &Responses,
) -> Result<(), IrtError> {
    let model = settings.model;
    let refuse = |reason: String| Err(IrtError::NotIdentified { model: model.name, reason });
    let answering = prepared.rows.iter().filter(|row| !row.0.is_empty()).count();
    let silent = (0..prepared.rows.len()).filter(|&row| responses.row(row).0.is_empty());
    let all: f64 = (0..prepared.rows.len()).map(|row| responses.weight(row)).sum::<f64>()
        - silent.map(|row| responses.weight(row)).sum::<f64>();
    if all < FEWEST as f64 && settings.anchors.is_empty() {
        return Err(IrtError::TooFewRespondents {
            model: model.name,
            found: all,
            needed: FEWEST,
            instead: "add respondents, or give the items' parameters with --anchors",
        });
    }
    let needed = if model.slopes == Slopes::Free { 3 } else { 2 };
    if settings.anchors.is_empty() && prepared.names.len() < needed {
        return refuse(format!(
            "{} of {} items vary, and at least {needed} must; add respondents who answer differently",
            prepared.names.len(),
            responses.items().len(),
        ));
    }
    if answering < 2 || all < FEWEST as f64 {
        return refuse(format!(
            "{answering} respondents, and at least {FEWEST} are needed to say anything of an item; \
             fit the transposed table where respondents are few and items many"
        ));
    }
    let bound = settings.priors.log_slope.is_some() || !settings.anchors.is_empty();
    if model.slopes == Slopes::Free && all < FEWEST_FOR_SLOPES as f64 && !bound {
        return Err(IrtError::TooFewRespondents {
            model: model.name,
            found: all,
            needed: FEWEST_FOR_SLOPES,
            instead: "use rasch or 1pl, or a prior on the slopes (--prior-log-slope 0,0.5)",
        });
    }
    let longest = prepared.rows.iter().map(|row| row.0.len()).max().unwrap_or(0);
    if longest < 2 && settings.anchors.is_empty() {
        return refuse("no respondent answered two items that vary".into());
    }
    Ok(())
}

/// Starting parameters: given ones of anchors, else from shares of answers.
fn start(
    model: &ItemModel,
    prepared: &Prepared,
    cells: &Cells,
    weights: &[f64],
    near: Option<Near<'_>>,
) -> (Vec<usize>, Vec<f64>) {
    let mut shares: Vec<Vec<f64>> =
        cells.categories.iter().map(|&count| vec![0.5; count]).collect();
    for ((items, outcomes), weight) in prepared.rows.iter().zip(weights) {
        for (&item, &outcome) in items.iter().zip(outcomes) {
            shares[item as usize][usize::from(outcome)] += weight;
        }
    }
    let near: HashMap<&str, &CalibratedItem> =
        near.into_iter().flat_map(|near| near.0).map(|item| (item.name.as_str(), item)).collect();
    let mut given: Vec<f64> = prepared.anchors.iter().flatten().map(|anchor| anchor[0]).collect();
    if given.is_empty() {
        given.extend(near.values().map(|item| item.discrimination()));
    }
    let mut starts = vec![0];
    let mut parameters = Vec::new();
    for (place, (shares, anchor)) in shares.iter_mut().zip(&prepared.anchors).enumerate() {
        let total: f64 = shares.iter().sum();
        for share in shares.iter_mut() {
            *share /= total;
        }
        if let Some(anchor) = anchor {
            parameters.extend(anchor);
        } else {
            let known = near.get(prepared.names[place].as_str());
            let known = known.filter(|item| item.levels == prepared.levels[place]);
            let mut own = match known {
                Some(item) => item.parameters.clone(),
                None => (model.start)(shares),
            };
            if model.slopes != Slopes::Free && !given.is_empty() {
                own[0] = given.iter().sum::<f64>() / given.len() as f64;
            }
            parameters.extend(own);
        }
        starts.push(parameters.len());
    }
    (starts, parameters)
}

fn free_parameters(model: &ItemModel, cells: &Cells, free: &[bool], populations: usize) -> usize {
    let own = |item: usize| model.parameters(cells.categories[item]);
    let items: usize = (0..free.len()).filter(|&item| free[item]).map(own).sum();
    let count = free.iter().filter(|free| **free).count();
    let anchored = count < free.len();
    let of_populations = 2 * (populations - usize::from(!anchored));
    let shared = match model.slopes {
        Slopes::Free => 0,
        // All slopes are one number, or none where it is given.
        Slopes::Common | Slopes::One => count.saturating_sub(usize::from(!anchored)),
    };
    items - shared + of_populations
}

/// What a pass over the whole grid says.
struct LastPass {
    log_likelihood: f64,
    /// Moments of each packed row.
    moments: Vec<(f64, f64)>,
    narrowest: f64,
    /// Expected number of respondents at each node.
    mass: Vec<Lanes>,
    windows: Windows,
}

impl LastPass {
    fn see(&mut self, em: &Em<'_>, rows: Range<usize>, posterior: &Posterior, grid: &Grid) {
        for row in 0..rows.len() {
            let count = em.cells.weights[rows.start + row];
            self.log_likelihood += count * posterior.log_likelihoods[row];
            let (mean, sd) = posterior.moments(row, grid);
            if count > 0.0 {
                self.narrowest = self.narrowest.min(sd);
            }
            self.moments.push((mean, sd));
            let (first, weights) = posterior.row(row);
            for (mass, weight) in self.mass[first..].iter_mut().zip(weights) {
                add(mass, &weight.map(|weight| weight * count));
            }
        }
    }

    fn abilities(&self, place: &[u32]) -> Vec<Ability> {
        let moments = place.iter().map(|&row| self.moments[row as usize]);
        moments.map(|(ability, se)| Ability { ability, se }).collect()
    }
}

fn last_pass(em: &Em<'_>, ended: &Ended, grid: &Grid, log_weights: &[Vec<Lanes>]) -> LastPass {
    let items = Items { model: em.model, starts: em.starts, parameters: &ended.state.parameters };
    let mut last = LastPass {
        log_likelihood: 0.0,
        moments: Vec::with_capacity(em.cells.rows()),
        narrowest: f64::INFINITY,
        mass: vec![[0.0; 8]; grid.chunks.len()],
        windows: ended.windows.clone(),
    };
    let rows = em.cells.rows();
    if em.model.asymptotes.is_empty() {
        // The posterior is log-concave: its window, once wide enough, is all of it.
        let windows = last.windows.clone();
        let posterior = posterior(em.cells, 0..rows, items, grid, log_weights, windows, em.threads);
        last.see(em, 0..rows, &posterior, grid);
    } else {
        let see = |rows, posterior: &Posterior| last.see(em, rows, posterior, grid);
        last.windows = whole_grid(em.cells, items, grid, log_weights, em.threads, see);
    }
    last
}

/// Turns the scale round where most slopes are negative: nothing in the likelihood
/// says which end is the able one, so the sum of the slopes does.
fn reflect(fit: &mut Fit) {
    let core = &mut fit.core;
    let all: f64 = (0..core.free.len()).map(|item| core.parameters[core.starts[item]]).sum();
    if all >= 0.0 || core.free.contains(&false) {
        return;
    }
    for item in 0..core.free.len() {
        core.parameters[core.starts[item]] *= -1.0;
    }
    for ability in &mut fit.abilities {
        ability.ability *= -1.0;
    }
    if let Some(errors) = &mut fit.standard_errors {
        errors.reflect();
    }
    // Each node keeps its place and weights; only its ability changes its sign.
    for chunk in &mut core.grid.chunks {
        *chunk = chunk.map(|ability| -ability);
    }
    for population in &mut fit.populations {
        population.mean *= -1.0;
    }
}

/// From one common slope and abilities of variance 1 to slopes of 1 and a free variance.
fn unit_slopes(fit: &mut Fit) {
    let core = &mut fit.core;
    if core.free.contains(&false) {
        return;
    }
    let sd = core.parameters[0];
    for item in 0..core.free.len() {
        core.parameters[core.starts[item]] = 1.0;
    }
    for chunk in &mut core.grid.chunks {
        *chunk = chunk.map(|ability| ability * sd);
    }
    core.grid.step *= sd;
    if let Some(errors) = &mut fit.standard_errors {
        errors.unit_slopes(sd);
    }
    for ability in &mut fit.abilities {
        *ability = Ability { ability: ability.ability * sd, se: ability.se * sd };
    }
    for population in &mut fit.populations {
        *population = Population { mean: population.mean * sd, sd: population.sd * sd };
    }
    fit.quadrature.low *= sd;
    fit.quadrature.high *= sd;
}

fn describe(
    fit: &mut Fit,
    names: Vec<String>,
    levels: Vec<Vec<f32>>,
    places: &[Result<usize, Constant>],
    mass: &[Lanes],
) {
    let core = &fit.core;
    for (place, (name, levels)) in names.into_iter().zip(levels).enumerate() {
        let parameters = core.parameters[core.starts[place]..core.starts[place + 1]].to_vec();
        fit.bank.items.push(CalibratedItem { name, levels, parameters });
    }
    let slopes = fit.bank.items.iter().map(CalibratedItem::discrimination);
    let slope = slopes.sum::<f64>() / fit.bank.items.len() as f64;
    fit.items = places
        .iter()
        .map(|place| match *place {
            Ok(place) => {
                let slope = fit.bank.items[place].discrimination();
                let status = if !core.free[place] {
                    ItemStatus::Anchored
                } else if slope.abs() >= STEEPEST {
                    ItemStatus::Steep
                } else if slope < 0.0 {
                    ItemStatus::Reflected
                } else {
                    ItemStatus::Estimated
                };
                (status, Some(place))
            }
            Err(Constant { score: Some(score), answers }) if score >= 1.0 => {
                let difficulty_below = extreme(slope, 1.0, &core.grid, mass, answers);
                (ItemStatus::AllRight { difficulty_below }, None)
            }
            Err(Constant { score: Some(0.0), answers }) => {
                let difficulty_above = extreme(slope, -1.0, &core.grid, mass, answers);
                (ItemStatus::AllWrong { difficulty_above }, None)
            }
            Err(_) => (ItemStatus::Unknown, None),
        })
        .collect();
}

/// Where the chance that so many respondents are all right (`sign` 1) or wrong (-1) is 0.05,
/// by bisection; they are taken to be as able as all are.
fn extreme(slope: f64, sign: f64, grid: &Grid, mass: &[Lanes], answers: f64) -> f64 {
    let share = answers / mass.iter().map(sum).sum::<f64>();
    let log_chance = |difficulty: f64| -> f64 {
        let at = |ability: f64| -(-sign * slope * (ability - difficulty)).exp().ln_1p();
        let chunks = grid.chunks.iter().zip(mass);
        let all: f64 =
            chunks.map(|(ability, mass)| sum(&lanes(|lane| mass[lane] * at(ability[lane])))).sum();
        share * all
    };
    let (mut low, mut high) = (-40.0, 40.0);
    for _ in 0..60 {
        let middle = 0.5 * (low + high);
        // All right becomes less likely with difficulty, all wrong more.
        if (log_chance(middle) > 0.05f64.ln()) == (sign > 0.0) {
            low = middle;
        } else {
            high = middle;
        }
    }
    0.5 * (low + high)
}
