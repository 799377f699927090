//! What a fit leaves behind: `items.csv`, `respondents.csv` and `fit.json`; and items
//! read back, to score or to link with.

use std::io::Read as _;
use std::path::Path;

use serde::{Deserialize, Serialize};

use super::bank::{Bank, CalibratedItem};
use super::error::IrtError;
use super::family_study::{FamilyStudy, FamilySummary};
use super::fit::{Fit, ItemStatus, Settings};
use super::fit_item::ChiSquare;
use super::groups::{DifSummary, GroupStudy, GroupSummary};
use super::model::{ItemModel, Role};
use super::observed_information::InformationForm;
use super::score::{Method, Scored};
use crate::data::{DataError, RowError, open};
use crate::difficulty::responses::{Counts, Design, Responses};

/// A respondent's ability and score in a record.
pub(crate) struct RespondentRow<'a> {
    pub(crate) respondent: &'a str,
    pub(crate) scored: Option<Scored>,
    pub(crate) score: f64,
    pub(crate) person_fit: Option<f64>,
}

/// The numbers of a fit, as `fit.json` and `--json` have them.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Summary {
    /// Name of the model.
    pub model: String,
    /// Always true: what did not converge has no summary.
    pub converged: bool,
    /// ln of the marginal likelihood, without priors.
    pub log_likelihood: f64,
    /// ln of the priors, up to a constant; 0 where there is none.
    pub log_prior: f64,
    /// Free parameters.
    pub parameters: usize,
    /// Akaike's criterion.
    pub aic: f64,
    /// Schwarz's criterion.
    pub bic: f64,
    /// EM cycles.
    pub cycles: usize,
    /// Estimated distance of the parameters from where they would end.
    pub change: f64,
    /// What that had to be below.
    pub tolerance: f64,
    /// Lowest and highest node and the number of nodes, equally spaced.
    pub quadrature: (f64, f64, usize),
    /// Mean and standard deviation of the abilities of each population.
    pub populations: Vec<(f64, f64)>,
    /// Respondents, with counts.
    pub respondents: f64,
    /// Items of the responses.
    pub items: usize,
    /// Items that have estimates.
    pub items_estimated: usize,
    /// Scores.
    pub responses: usize,
    /// Variance of abilities over that plus their mean squared standard error.
    pub reliability: f64,
    /// What standard errors were computed from: full, by-item or not-positive; none where not asked for.
    pub standard_errors: Option<String>,
    /// How abilities were estimated.
    pub method: String,
    /// M2, df, p and RMSEA, where they can be computed.
    pub m2: Option<(f64, usize, f64, f64)>,
    /// Items that look broken: reflected, or too steep to tell.
    pub broken: Vec<String>,
    /// Items without estimates, as all answers are the same.
    pub constant: Vec<String>,
    /// Respondents who had every item right that varies.
    pub all_right: usize,
    /// Respondents who had every item wrong that varies.
    pub all_wrong: usize,
    /// Respondents with the same answers as an earlier one.
    pub copies: Vec<(String, String)>,
    /// Respondents who agree with an earlier one nearly everywhere.
    pub near_clones: Vec<(String, String)>,
    /// Scores that a log has as NaN or infinite, read as missing: respondent and item.
    pub not_numbers: Vec<(String, String)>,
    /// Answers that are no plain right or wrong.
    #[serde(default)]
    pub counts: Counts,
    /// Groups of respondents that share no item: more than one is no common scale.
    pub components: usize,
    /// Groups of respondents, the reference first; empty where all are one.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub groups: Vec<GroupSummary>,
    /// How many items differ between the reference and each other group.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub dif: Vec<DifSummary>,
    /// What families of respondents do to the errors.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub families: Option<FamilySummary>,
    /// What a reader must know.
    pub warnings: Vec<String>,
    /// Version of this program.
    pub version: String,
    /// Where the responses came from, with a hash of the bytes.
    pub input: Vec<(String, String)>,
}

/// A fit with all that is reported of it.
pub struct Record<'a> {
    pub(crate) fit: &'a Fit,
    pub(crate) responses: &'a Responses,
    /// The numbers.
    pub summary: Summary,
    pub(crate) respondents: Vec<RespondentRow<'a>>,
    pub(crate) mean_squares: Vec<super::fit_item::MeanSquares>,
    pub(crate) s_x2: Vec<Option<ChiSquare>>,
    /// What could not be computed, and why.
    pub(crate) not_computed: Vec<String>,
    pub(crate) families: Option<FamilyStudy>,
    pub(crate) groups: Option<GroupStudy>,
}

/// Below this many respondents nothing is said of single items without a warning.
pub(crate) const FEW: f64 = 30.0;
/// So many are named where there are many of a kind.
const NAMED: usize = 5;

impl<'a> Record<'a> {
    /// Computes what is reported: abilities by `method`, item fit, person fit, M2.
    pub fn new(
        fit: &'a Fit,
        responses: &'a Responses,
        design: &Design,
        settings: &Settings,
        method: Method,
        input: Vec<(String, String)>,
    ) -> Result<Self, IrtError> {
        let scored = if method == Method::Eap {
            let one = |(respondent, ability): (usize, &super::fit::Ability)| {
                let answers = responses.row(respondent).0.len();
                (answers > 0).then_some(Scored {
                    ability: ability.ability,
                    se: Some(ability.se),
                    answers,
                })
            };
            fit.abilities.iter().enumerate().map(one).collect()
        } else {
            scored(fit, responses, settings, method)?
        };
        let person_fit = fit.person_fit();
        let respondents = scored
            .into_iter()
            .zip(person_fit)
            .enumerate()
            .map(|(respondent, (scored, person_fit))| RespondentRow {
                respondent: &responses.respondents()[respondent],
                scored,
                score: responses.row(respondent).1.iter().map(|&score| f64::from(score)).sum(),
                person_fit,
            })
            .collect();
        let mut not_computed = Vec::new();
        let m2 = fit.m2().map_err(|error| not_computed.push(error.to_string())).ok();
        let s_x2 = fit.s_x2(1.0).unwrap_or_else(|error| {
            not_computed.push(error.to_string());
            vec![None; fit.bank.items.len()]
        });
        let mut summary = summary(fit, responses, design, settings, method, input);
        summary.m2 = m2.map(|m2| (m2.test.statistic, m2.test.df, m2.test.p, m2.rmsea));
        let mean_squares = fit.mean_squares(settings.threads);
        Ok(Self {
            fit,
            responses,
            summary,
            respondents,
            mean_squares,
            s_x2,
            not_computed,
            families: None,
            groups: None,
        })
    }

    /// Adds what families do to the errors.
    pub fn add_families(&mut self, found: FamilyStudy) {
        let summary = found.summary(self.fit);
        if summary.failed > 0 {
            let (failed, all) = (summary.failed, summary.fits + summary.failed);
            self.summary.warnings.push(format!(
                "{failed} of {all} fits to families drawn again did not converge and are left out"
            ));
        }
        self.not_computed.extend(summary.missing.iter().cloned());
        self.summary.families = Some(summary);
        self.families = Some(found);
    }

    /// Adds how groups differ; the fit must have them as its populations.
    pub fn add_groups(&mut self, found: GroupStudy) {
        self.summary.groups = found.summaries(self.fit, self.responses);
        self.summary.dif = found.dif();
        self.groups = Some(found);
    }

    /// Writes `items.csv`, `respondents.csv` and `fit.json` into a folder, which is made.
    pub fn write(&self, folder: &Path) -> Result<(), DataError> {
        let io = |source| DataError::Io { action: "write", path: folder.to_owned(), source };
        std::fs::create_dir_all(folder).map_err(io)?;
        let summary = serde_json::to_string_pretty(&self.summary);
        let summary = summary.expect("plain data with finite numbers") + "\n";
        let dif = self.groups.as_ref().map(|groups| csv_text(groups.csv(self.responses)));
        let mut files = vec![
            ("items.csv", self.items_csv()),
            ("respondents.csv", self.respondents_csv()),
            ("fit.json", summary),
        ];
        files.extend(dif.map(|dif| ("dif.csv", dif)));
        for (name, bytes) in files {
            let path = folder.join(name);
            let temporary = folder.join(format!(".{name}.tmp"));
            std::fs::write(&temporary, bytes)
                .and_then(|()| std::fs::rename(&temporary, &path))
                .map_err(|source| DataError::Io { action: "write", path, source })?;
        }
        Ok(())
    }

    /// One line an item, in the order of the responses; what does not exist is empty.
    pub fn items_csv(&self) -> String {
        let bank = &self.fit.bank;
        let steps = if bank.model.graded {
            bank.items.iter().map(|item| item.levels.len() - 1).max().unwrap_or(0)
        } else {
            0
        };
        let mut header: Vec<String> = [
            "item",
            "discrimination",
            "difficulty",
            "guessing",
            "upper",
            "intercept",
            "se_discrimination",
            "se_difficulty",
            "se_intercept",
            "se_guessing",
            "se_upper",
        ]
        .map(str::to_owned)
        .into();
        for step in 1..=steps {
            header.push(format!("threshold_{step}"));
        }
        for step in 1..=steps {
            header.push(format!("se_threshold_{step}"));
        }
        header.extend(
            [
                "infit",
                "outfit",
                "s_x2",
                "s_x2_df",
                "s_x2_p",
                "difficulty_bound",
                "status",
                "n",
                "mean",
            ]
            .map(str::to_owned),
        );
        if self.families.is_some() {
            header.extend(FAMILY_COLUMNS.map(str::to_owned));
        }
        let (counts, sums) = self.answers();
        let mut lines = vec![header];
        for (item, &(status, number)) in self.fit.items.iter().enumerate() {
            let mut line = vec![self.responses.items()[item].clone()];
            line.extend(self.parameters(number, steps));
            line.extend(self.item_fit(number));
            let (name, bound) = describe(status);
            line.extend([cell(bound), name.to_owned()]);
            line.push(counts[item].to_string());
            line.push(cell((counts[item] > 0.0).then(|| sums[item] / counts[item])));
            if let Some(found) = &self.families {
                line.extend(family_cells(found, item));
            }
            lines.push(line);
        }
        csv_text(lines)
    }

    fn parameters(&self, number: Option<usize>, steps: usize) -> Vec<String> {
        let Some(number) = number else { return vec![String::new(); 10 + 2 * steps] };
        let (fit, bank) = (self.fit, &self.fit.bank);
        let item = &bank.items[number];
        let binary = item.levels.len() == 2;
        let errors = fit.standard_errors.as_ref();
        let of =
            |error: &dyn Fn(&super::StandardErrors) -> Option<f64>| cell(errors.and_then(error));
        let asymptote = |role: Role| {
            let which = bank.model.asymptotes.iter().position(|at| *at == role);
            cell(errors.zip(which).and_then(|(errors, which)| errors.asymptote(fit, number, which)))
        };
        let mut cells = vec![
            item.discrimination().to_string(),
            item.difficulty().to_string(),
            bank.guessing(number).to_string(),
            bank.upper(number).to_string(),
            cell(binary.then(|| item.intercepts()[0])),
            of(&|errors| errors.discrimination(number)),
            of(&|errors| if binary { errors.threshold(fit, number, 0) } else { None }),
            of(&|errors| if binary { errors.intercept(number, 0) } else { None }),
            asymptote(Role::Lower),
            asymptote(Role::Upper),
        ];
        let thresholds = item.thresholds();
        for step in 0..steps {
            cells.push(cell(thresholds.get(step).copied()));
        }
        for step in 0..steps {
            cells.push(of(&|errors| {
                if step < thresholds.len() { errors.threshold(fit, number, step) } else { None }
            }));
        }
        cells
    }

    fn item_fit(&self, number: Option<usize>) -> Vec<String> {
        let Some(number) = number else { return vec![String::new(); 5] };
        let squares = self.mean_squares[number];
        let s_x2 = self.s_x2[number];
        vec![
            squares.infit.to_string(),
            squares.outfit.to_string(),
            cell(s_x2.map(|test| test.statistic)),
            s_x2.map_or(String::new(), |test| test.df.to_string()),
            cell(s_x2.map(|test| test.p)),
        ]
    }

    /// Number of answers and sum of scores of each item, with counts.
    pub(crate) fn answers(&self) -> (Vec<f64>, Vec<f64>) {
        let items = self.responses.items().len();
        let (mut counts, mut sums) = (vec![0.0; items], vec![0.0; items]);
        for respondent in 0..self.responses.respondents().len() {
            let weight = self.responses.weight(respondent);
            let (answered, scores) = self.responses.row(respondent);
            for (&item, &score) in answered.iter().zip(scores) {
                counts[item as usize] += weight;
                sums[item as usize] += weight * f64::from(score);
            }
        }
        (counts, sums)
    }

    /// One line a respondent, in the order of the responses.
    pub fn respondents_csv(&self) -> String {
        let header = ["respondent", "ability", "se", "method", "n", "score", "person_fit"];
        let mut header = header.map(str::to_owned).to_vec();
        if self.groups.is_some() {
            header.push("group".to_owned());
        }
        if self.families.is_some() {
            header.extend(["family", "family_se_ability"].map(str::to_owned));
        }
        let mut lines = vec![header];
        for (number, row) in self.respondents.iter().enumerate() {
            let mut line = vec![
                row.respondent.to_owned(),
                row.scored.map_or(String::new(), |scored| match scored.ability {
                    ability if ability == f64::INFINITY => "Inf".into(),
                    ability if ability == f64::NEG_INFINITY => "-Inf".into(),
                    ability => ability.to_string(),
                }),
                cell(row.scored.and_then(|scored| scored.se)),
                self.summary.method.clone(),
                row.scored.map_or(0, |scored| scored.answers).to_string(),
                row.score.to_string(),
                cell(row.person_fit),
            ];
            if let Some(GroupStudy { groups, .. }) = &self.groups {
                line.push(groups.names[groups.of[number] as usize].clone());
            }
            if let Some(found) = &self.families {
                line.push(found.families[number].clone());
                line.push(cell(found.bootstrap.abilities[number]));
            }
            lines.push(line);
        }
        csv_text(lines)
    }
}

/// Columns of `items.csv` where families are known.
const FAMILY_COLUMNS: [&str; 6] = [
    "family_se_discrimination",
    "family_se_difficulty",
    "family_difficulty_low",
    "family_difficulty_high",
    "family_fits",
    "one_per_family_difficulty",
];

fn family_cells(found: &FamilyStudy, item: usize) -> [String; 6] {
    let (slope, difficulty) =
        (found.bootstrap.discrimination[item], found.bootstrap.difficulty[item]);
    let each = found.one_of_each.as_ref().ok().and_then(|each| each.difficulty[item]);
    [
        cell(slope.map(|spread| spread.se)),
        cell(difficulty.map(|spread| spread.se)),
        cell(difficulty.map(|spread| spread.low)),
        cell(difficulty.map(|spread| spread.high)),
        difficulty.map_or(0, |spread| spread.fits).to_string(),
        cell(each),
    ]
}

/// Abilities with the mean and spread of each respondent's own population.
fn scored(
    fit: &Fit,
    responses: &Responses,
    settings: &Settings,
    method: Method,
) -> Result<Vec<Option<Scored>>, IrtError> {
    let score =
        |at: usize| fit.bank.score_all(responses, method, fit.populations[at], settings.threads);
    let mut found = score(0)?;
    for population in 1..fit.populations.len() {
        let own = score(population)?;
        for (row, own) in own.into_iter().enumerate() {
            if settings.populations[row] as usize == population {
                found[row] = own;
            }
        }
    }
    Ok(found)
}

fn csv_text(lines: Vec<Vec<String>>) -> String {
    let mut table = csv::Writer::from_writer(Vec::new());
    for line in lines {
        table.write_record(line).expect("a vector takes every byte, and lines are of one length");
    }
    let bytes = table.into_inner().expect("a vector can always be flushed");
    String::from_utf8(bytes).expect("it was made of strings")
}

fn cell(value: Option<f64>) -> String {
    value.map_or(String::new(), |value| value.to_string())
}

/// A status by name, with the bound of an item without estimates.
fn describe(status: ItemStatus) -> (&'static str, Option<f64>) {
    match status {
        ItemStatus::Estimated => ("estimated", None),
        ItemStatus::Anchored => ("anchored", None),
        ItemStatus::Reflected => ("reflected", None),
        ItemStatus::Steep => ("steep", None),
        ItemStatus::AllRight { difficulty_below } => ("all-right", Some(difficulty_below)),
        ItemStatus::AllWrong { difficulty_above } => ("all-wrong", Some(difficulty_above)),
        ItemStatus::Unknown => ("unknown", None),
    }
}

fn summary(
    fit: &Fit,
    responses: &Responses,
    design: &Design,
    settings: &Settings,
    method: Method,
    input: Vec<(String, String)>,
) -> Summary {
    let named = |wanted: &dyn Fn(ItemStatus) -> bool| -> Vec<String> {
        let items = fit.items.iter().zip(responses.items());
        items.filter(|((status, _), _)| wanted(*status)).map(|(_, name)| name.clone()).collect()
    };
    let pairs = |pairs: &[(usize, usize)]| -> Vec<(String, String)> {
        let name = |respondent: usize| responses.respondents()[respondent].clone();
        pairs.iter().map(|&(one, two)| (name(one), name(two))).collect()
    };
    let broken = named(&|status| matches!(status, ItemStatus::Reflected | ItemStatus::Steep));
    let constant = named(&|status| !status.is_estimated());
    let near_clones = pairs(design.near_clones.as_deref().unwrap_or_default());
    let copies = pairs(&design.copies);
    let no_number = |&(respondent, item): &(u32, u32)| {
        let respondent = responses.respondents()[respondent as usize].clone();
        (respondent, responses.items()[item as usize].clone())
    };
    let not_numbers: Vec<_> = responses.not_numbers().iter().map(no_number).collect();
    let form = fit.standard_errors.as_ref().map(|errors| match errors.form {
        InformationForm::Full => "full",
        InformationForm::ByItem => "by-item",
        InformationForm::NotPositive => "not-positive",
    });
    let mut warnings = Vec::new();
    let mut warn = |said: String| warnings.push(said);
    if fit.respondents < FEW {
        warn(format!(
            "only {} respondents: the standard errors of the items are large, and an order of items by \
             difficulty is no more than an order by share right",
            fit.respondents
        ));
    }
    if design.components.len() > 1 {
        warn(format!(
            "respondents fall into {} groups that share no item: their abilities and difficulties are \
             comparable only as far as the groups are equally able",
            design.components.len()
        ));
    }
    if form == Some("not-positive") {
        warn(
            "the information is not positive definite: there are no standard errors, and some \
              parameters are not identified by these answers"
                .into(),
        );
    }
    if !copies.is_empty() || !near_clones.is_empty() {
        warn(format!(
            "{} respondents are copies and {} near-copies of others: standard errors count them as \
             independent and are too small",
            copies.len(),
            near_clones.len()
        ));
    }
    if !constant.is_empty() {
        warn(format!(
            "{} of {} items have the same score everywhere and get a bound, not an estimate",
            constant.len(),
            responses.items().len()
        ));
    }
    if !broken.is_empty() {
        warn(format!(
            "{} items have a negative or boundless slope, which often is a wrong key",
            broken.len()
        ));
    }
    if !not_numbers.is_empty() {
        let named = not_numbers.iter().take(NAMED).map(|(one, item)| format!("{one} on {item}"));
        let more = if not_numbers.len() > NAMED { ", ..." } else { "" };
        warn(format!(
            "{} scores are NaN or infinite in the logs and count as missing: {}{more}",
            not_numbers.len(),
            named.collect::<Vec<_>>().join(", ")
        ));
    }
    let counts = responses.counts();
    if counts.bad_gold + counts.undecided + counts.unscored > 0 {
        warn(format!(
            "missing are {} answers with a gold that cannot be read, {} undecided ones and {} without \
             a score",
            counts.bad_gold, counts.undecided, counts.unscored
        ));
    }
    if counts.no_answer > 0 {
        warn(format!(
            "{} samples have no answer that could be read: {} count as wrong, {} are missing",
            counts.no_answer,
            counts.no_answer - counts.no_answer_missing,
            counts.no_answer_missing
        ));
    }
    if !design.silent.is_empty() {
        warn(format!("{} respondents have no score", design.silent.len()));
    }
    Summary {
        model: fit.bank.model.name.to_owned(),
        converged: true,
        log_likelihood: fit.log_likelihood,
        log_prior: fit.log_prior,
        parameters: fit.parameters,
        aic: fit.aic(),
        bic: fit.bic(),
        cycles: fit.cycles,
        change: fit.change,
        tolerance: settings.tolerance,
        quadrature: (fit.quadrature.low, fit.quadrature.high, fit.quadrature.nodes),
        populations: fit.populations.iter().map(|at| (at.mean, at.sd)).collect(),
        respondents: fit.respondents,
        items: responses.items().len(),
        items_estimated: fit.bank.items.len(),
        responses: responses.len(),
        reliability: fit.reliability(),
        standard_errors: form.map(str::to_owned),
        method: Method::ALL
            .iter()
            .find(|(_, known)| *known == method)
            .map_or("eap", |(name, _)| name)
            .to_owned(),
        m2: None,
        broken,
        constant,
        all_right: design.all_right.len(),
        all_wrong: design.all_wrong.len(),
        copies,
        near_clones,
        not_numbers,
        counts,
        components: design.components.len(),
        groups: Vec::new(),
        dif: Vec::new(),
        families: None,
        warnings,
        version: env!("CARGO_PKG_VERSION").to_owned(),
        input,
    }
}

/// Reads items from a CSV file as [`Record::write`] makes it: `item`, `discrimination`,
/// and `intercept` or `difficulty`, or `threshold_1` and so on; `guessing` and `upper`
/// where the model has them. Items without a discrimination are left out.
pub fn read_items(path: &Path, model: &'static ItemModel) -> Result<Bank, DataError> {
    let error = |line: u64, field: &str, found: String, expected: &str| RowError {
        file: path.to_owned(),
        line,
        field: Some(field.to_owned()),
        found,
        expected: expected.to_owned(),
    };
    let mut text = String::new();
    let io = |source| DataError::Io { action: "read", path: path.to_owned(), source };
    open(path)?.read_to_string(&mut text).map_err(io)?;
    let mut table = csv::Reader::from_reader(text.as_bytes());
    let header = table.headers().cloned();
    let header =
        header.map_err(|found| error(1, "header", found.to_string(), "names of columns"))?;
    let column = |name: &str| header.iter().position(|column| column == name);
    for name in ["item", "discrimination"] {
        if column(name).is_none() {
            let found = format!("the columns {}", header.iter().collect::<Vec<_>>().join(", "));
            return Err(error(1, name, found, "a column of that name").into());
        }
    }
    let mut bank = Bank { model, items: Vec::new() };
    for (index, line) in table.records().enumerate() {
        let number = index as u64 + 2;
        let line = line
            .map_err(|found| error(number, "line", found.to_string(), "comma-separated values"))?;
        let value = |name: &str| -> Result<Option<f64>, RowError> {
            let Some(text) =
                column(name).and_then(|at| line.get(at)).filter(|text| !text.is_empty())
            else {
                return Ok(None);
            };
            match text.parse::<f64>() {
                Ok(value) if value.is_finite() => Ok(Some(value)),
                _ => Err(error(number, name, format!("{text:?}"), "a number")),
            }
        };
        let Some(slope) = value("discrimination")? else { continue };
        let mut intercepts = Vec::new();
        while let Some(threshold) = value(&format!("threshold_{}", intercepts.len() + 1))? {
            intercepts.push(-slope * threshold);
        }
        if intercepts.is_empty() {
            let intercept = match (value("intercept")?, value("difficulty")?) {
                (Some(intercept), _) => intercept,
                (None, Some(difficulty)) => -slope * difficulty,
                (None, None) => {
                    return Err(error(
                        number,
                        "difficulty",
                        "nothing".into(),
                        "a number, or an intercept",
                    )
                    .into());
                }
            };
            intercepts.push(intercept);
        }
        let levels = (0..=intercepts.len()).map(|level| level as f32).collect();
        let name = line.get(column("item").unwrap_or_default()).unwrap_or_default().to_owned();
        let mut parameters = vec![slope];
        parameters.extend(intercepts);
        for role in model.asymptotes {
            let (field, default) =
                if *role == Role::Lower { ("guessing", 0.0) } else { ("upper", 1.0) };
            let p = value(field)?.unwrap_or(default);
            if !(0.0..=1.0).contains(&p) {
                return Err(error(number, field, p.to_string(), "a probability").into());
            }
            // Within the range of f64, 0 and 1 are as good as reached there.
            let p = p.clamp(1e-12, 1.0 - 1e-12);
            parameters.push((p / (1.0 - p)).ln());
        }
        bank.items.push(CalibratedItem { name, levels, parameters });
    }
    Ok(bank)
}

#[cfg(test)]
mod tests {
    use super::super::known_answers::{close, fitted, lsat};
    use super::super::{Settings, model};
    use super::*;
    use crate::difficulty::responses::design;

    #[test]
    fn what_is_written_is_read_back_and_has_what_r_prints() {
        let (Some(fit), Some(responses)) = (fitted(6, "2pl"), lsat(6)) else { return };
        let settings = Settings::new(fit.bank.model);
        let found = design(&responses);
        let record =
            Record::new(&fit, &responses, &found, &settings, Method::Ml, Vec::new()).unwrap();
        let folder = tempfile::tempdir().unwrap();
        record.write(folder.path()).unwrap();
        let items = std::fs::read_to_string(folder.path().join("items.csv")).unwrap();
        let start = "item,discrimination,difficulty,guessing,upper,intercept,se_discrimination,\
                     se_difficulty,se_intercept,";
        assert!(items.starts_with(start), "{items}");
        let bank = read_items(&folder.path().join("items.csv"), fit.bank.model).unwrap();
        assert_eq!(bank.items, fit.bank.items);
        let respondents = std::fs::read_to_string(folder.path().join("respondents.csv")).unwrap();
        let first: Vec<&str> = respondents.lines().nth(1).unwrap().split(',').collect();
        assert_eq!(first[..6], ["pattern-1", "-Inf", "", "ml", "5", "0"]);
        let json = std::fs::read_to_string(folder.path().join("fit.json")).unwrap();
        let json: serde_json::Value = serde_json::from_str(&json).unwrap();
        close(json["aic"].as_f64().unwrap(), 4953.3068, 1e-3, "AIC");
        assert_eq!(json["converged"], true);
        assert_eq!(json["respondents"], 1000.0);
    }

    #[test]
    fn a_wrong_item_file_is_named_by_line_and_column() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("items.csv");
        let read = |text: &str| {
            std::fs::write(&path, text).unwrap();
            read_items(&path, model("3pl").unwrap()).map_err(|error| error.to_string())
        };
        let bank = read("item,discrimination,difficulty,guessing\nq,2,1,0.25\nr,,,\n").unwrap();
        assert_eq!((bank.items.len(), bank.items[0].intercepts()), (1, &[-2.0][..]));
        close(bank.guessing(0), 0.25, 1e-12, "guessing");
        let error = read("item,discrimination,difficulty\nq,x,1\n").unwrap_err();
        assert!(error.ends_with(":2: discrimination: found \"x\", expected a number"), "{error}");
        let error = read("item,difficulty\nq,1\n").unwrap_err();
        assert!(error.contains("discrimination: found the columns item, difficulty"), "{error}");
    }
}
