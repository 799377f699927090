//! Several groups of respondents on one scale: the mean and spread of each, and which
//! items are not the same for all of them.

use std::collections::HashMap;

use serde::{Deserialize, Serialize};

use super::dif::{Comparison, compare};
use super::error::IrtError;
use super::fit::{Fit, Settings};
use crate::difficulty::responses::Responses;

/// Fewer respondents say nothing about a group.
const LEAST: f64 = 10.0;
/// False discovery rate at which an item counts as different.
const DISCOVERY: f64 = 0.05;

/// Who belongs where.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Groups {
    /// The reference first, then the others in the order in which they are met.
    pub names: Vec<String>,
    /// The group of each respondent: [`Settings::populations`].
    pub of: Vec<u32>,
}

impl Groups {
    /// From a name for each respondent. The reference, whose abilities have mean 0 and
    /// standard deviation 1, is the largest group unless it is named.
    pub fn new(
        responses: &Responses,
        values: &[String],
        reference: Option<&str>,
    ) -> Result<Self, IrtError> {
        let wrong = |found: String, expected: &str| IrtError::Setting {
            setting: "groups",
            found,
            expected: expected.to_owned(),
        };
        if values.len() != responses.respondents().len() {
            let found = format!("{} values", values.len());
            return Err(wrong(
                found,
                &format!("{}, one a respondent", responses.respondents().len()),
            ));
        }
        let mut numbers: HashMap<&str, usize> = HashMap::new();
        let mut counts: Vec<(&str, f64)> = Vec::new();
        for (respondent, name) in values.iter().enumerate() {
            let number = *numbers.entry(name).or_insert(counts.len());
            if number == counts.len() {
                counts.push((name, 0.0));
            }
            if !responses.row(respondent).0.is_empty() {
                counts[number].1 += responses.weight(respondent);
            }
        }
        if counts.len() < 2 {
            return Err(wrong("one group".to_owned(), "at least two"));
        }
        if let Some((name, count)) = counts.iter().find(|(_, count)| *count < LEAST) {
            let found = format!("{count} respondents with answers in {name:?}");
            return Err(wrong(
                found,
                "at least 10 in each; leave the group out or join it with another",
            ));
        }
        let first = match reference {
            Some(name) => *numbers.get(name).ok_or_else(|| {
                let known: Vec<&str> = counts.iter().map(|(name, _)| *name).collect();
                wrong(format!("the reference {name:?}"), &format!("one of {}", known.join(", ")))
            })?,
            // The first of equally large ones.
            None => (0..counts.len())
                .rev()
                .max_by(|&a, &b| counts[a].1.total_cmp(&counts[b].1))
                .unwrap_or(0),
        };
        let mut order = vec![first];
        order.extend((0..counts.len()).filter(|&number| number != first));
        let mut place = vec![0; counts.len()];
        for (at, &number) in order.iter().enumerate() {
            place[number] = at as u32;
        }
        Ok(Self {
            names: order.iter().map(|&number| counts[number].0.to_owned()).collect(),
            of: values.iter().map(|name| place[numbers[name.as_str()]]).collect(),
        })
    }
}

/// A group in a record.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct GroupSummary {
    /// Its name.
    pub group: String,
    /// Respondents with answers, with counts.
    pub respondents: f64,
    /// Mean ability in logits of the reference's scale.
    pub mean: f64,
    /// The standard error of that; `None` where it is given or there is none.
    pub se_mean: Option<f64>,
    /// Standard deviation of abilities.
    pub sd: f64,
    /// The standard error of that.
    pub se_sd: Option<f64>,
}

/// How many items differ between two groups.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct DifSummary {
    /// Name of the reference group.
    pub reference: String,
    /// Name of the focal group.
    pub focal: String,
    /// Items that Mantel-Haenszel could compare.
    pub mantel_haenszel: usize,
    /// Of these, with an adjusted p of at most 0.05.
    pub mantel_haenszel_found: usize,
    /// Of those, in ETS class C: large.
    pub large: usize,
    /// Items that the likelihood ratio could compare.
    pub likelihood_ratio: usize,
    /// Of these, with an adjusted p of at most 0.05.
    pub likelihood_ratio_found: usize,
    /// Items that it was asked about; fewer than all where all would take too long.
    pub asked: usize,
    /// Of these, fits that did not converge.
    pub failed: usize,
}

/// The groups of a fit, each compared with the reference.
#[derive(Clone, Debug)]
pub struct GroupStudy {
    /// Who belongs where.
    pub groups: Groups,
    /// One for each group but the reference.
    pub comparisons: Vec<Comparison>,
}

impl GroupStudy {
    /// Tests every item between the reference and each other group, on the responses of
    /// these two alone. `done` is called with the name of the group, how many items are done,
    /// and of how many, from any thread.
    pub fn new(
        responses: &Responses,
        groups: Groups,
        settings: &Settings,
        done: &(dyn Fn(&str, usize, usize) + Sync),
    ) -> Result<Self, IrtError> {
        let mut comparisons = Vec::new();
        for (number, name) in groups.names.iter().enumerate().skip(1) {
            let number = number as u32;
            let both: Vec<usize> = (0..groups.of.len())
                .filter(|&respondent| [0, number].contains(&groups.of[respondent]))
                .collect();
            let focal: Vec<bool> = both.iter().map(|&one| groups.of[one] == number).collect();
            let some = responses.select(&both);
            comparisons.push(compare(&some, &focal, settings, &|count, of| done(name, count, of))?);
        }
        Ok(Self { groups, comparisons })
    }

    /// Means and standard deviations, from a fit with these groups as its populations.
    pub(super) fn summaries(&self, fit: &Fit, responses: &Responses) -> Vec<GroupSummary> {
        let count = |group: usize| -> f64 {
            let own = self.groups.of.iter().enumerate().filter(|(respondent, of)| {
                **of as usize == group && !responses.row(*respondent).0.is_empty()
            });
            own.map(|(respondent, _)| responses.weight(respondent)).sum()
        };
        let names = self.groups.names.iter().zip(&fit.populations).enumerate();
        names
            .map(|(group, (name, population))| {
                let errors = fit.standard_errors.as_ref().map(|errors| errors.populations[group]);
                let error = |value: Option<f64>| value.filter(|se| *se > 0.0);
                GroupSummary {
                    group: name.clone(),
                    respondents: count(group),
                    mean: population.mean,
                    se_mean: error(errors.map(|errors| errors.0)),
                    sd: population.sd,
                    se_sd: error(errors.map(|errors| errors.1)),
                }
            })
            .collect()
    }

    pub(super) fn dif(&self) -> Vec<DifSummary> {
        let compared = self.groups.names.iter().skip(1).zip(&self.comparisons);
        compared
            .map(|(focal, found)| {
                let tables = found.mantel_haenszel.iter().flatten();
                let discovered = tables.clone().filter(|(_, p)| *p <= DISCOVERY);
                let differences = found.likelihood_ratio.iter().flatten();
                DifSummary {
                    reference: self.groups.names[0].clone(),
                    focal: focal.clone(),
                    mantel_haenszel: tables.count(),
                    mantel_haenszel_found: discovered.clone().count(),
                    large: discovered.filter(|(table, _)| table.class == 'C').count(),
                    likelihood_ratio: differences.clone().count(),
                    likelihood_ratio_found: differences.filter(|(_, p)| *p <= DISCOVERY).count(),
                    asked: found.asked,
                    failed: found.failed,
                }
            })
            .collect()
    }

    /// `dif.csv`: a line for each item and focal group; what does not exist is empty.
    pub(super) fn csv(&self, responses: &Responses) -> Vec<Vec<String>> {
        let items = responses.items().len();
        let groups = self.groups.names.len();
        let mut counts = vec![[0.0; 2]; groups * items];
        for (respondent, &group) in self.groups.of.iter().enumerate() {
            let (answered, scores) = responses.row(respondent);
            for (&item, &score) in answered.iter().zip(scores) {
                let count = &mut counts[group as usize * items + item as usize];
                count[0] += responses.weight(respondent);
                count[1] += responses.weight(respondent) * f64::from(score);
            }
        }
        let header = [
            "item",
            "reference",
            "focal",
            "n_reference",
            "n_focal",
            "mean_reference",
            "mean_focal",
            "mh_odds_ratio",
            "mh_delta",
            "se_mh_delta",
            "mh_class",
            "mh_chi_square",
            "mh_p",
            "mh_p_adjusted",
            "lr_chi_square",
            "lr_df",
            "lr_p",
            "lr_p_adjusted",
            "discrimination_reference",
            "discrimination_focal",
            "difficulty_reference",
            "difficulty_focal",
            "score_difference",
            "absolute_score_difference",
        ];
        let mut lines = vec![header.map(str::to_owned).to_vec()];
        for (number, found) in self.comparisons.iter().enumerate() {
            for (item, name) in responses.items().iter().enumerate() {
                let (one, other) = (counts[item], counts[(number + 1) * items + item]);
                let mean = |[n, sum]: [f64; 2]| {
                    if n > 0.0 { (sum / n).to_string() } else { String::new() }
                };
                let mut line = vec![
                    name.clone(),
                    self.groups.names[0].clone(),
                    self.groups.names[number + 1].clone(),
                    one[0].to_string(),
                    other[0].to_string(),
                    mean(one),
                    mean(other),
                ];
                line.extend(found.mantel_haenszel[item].map_or_else(
                    || vec![String::new(); 7],
                    |(table, p)| {
                        let numbers =
                            [table.odds_ratio, table.delta, table.se].map(|x| x.to_string());
                        let tests = [table.test.statistic, table.test.p, p].map(|x| x.to_string());
                        numbers.into_iter().chain([table.class.to_string()]).chain(tests).collect()
                    },
                ));
                line.extend(found.likelihood_ratio[item].map_or_else(
                    || vec![String::new(); 10],
                    |(found, p)| {
                        let (a, b) = (found.discrimination, found.difficulty);
                        let test = [found.test.statistic, found.test.df as f64, found.test.p, p];
                        let sizes = [a.0, a.1, b.0, b.1, found.score, found.absolute_score];
                        test.into_iter().chain(sizes).map(|x| x.to_string()).collect()
                    },
                ));
                lines.push(line);
            }
        }
        lines
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn responses(count: usize) -> Responses {
        let rows = vec![[1.0f32, 0.0]; count];
        let names = (0..count).map(|row| row.to_string()).collect();
        let rows = rows.iter().map(<[f32; 2]>::as_slice);
        Responses::from_rows(names, vec!["a".into(), "b".into()], rows).unwrap()
    }

    #[test]
    fn the_largest_group_is_the_reference_unless_one_is_named() {
        let values: Vec<String> =
            (0..40).map(|row| if row % 4 == 0 { "few" } else { "many" }.to_owned()).collect();
        let made = responses(40);
        let groups = Groups::new(&made, &values, None).unwrap();
        assert_eq!(
            (groups.names, &groups.of[..3]),
            (vec!["many".into(), "few".into()], &[1, 0, 0][..])
        );
        let groups = Groups::new(&made, &values, Some("few")).unwrap();
        assert_eq!((&groups.names[0][..], &groups.of[..2]), ("few", &[0, 1][..]));
        let error = Groups::new(&made, &values, Some("none")).unwrap_err().to_string();
        assert!(
            error.contains("found the reference \"none\", expected one of few, many"),
            "{error}"
        );
        let error = Groups::new(&responses(12), &values[..12], None).unwrap_err().to_string();
        assert!(error.contains("3 respondents with answers in \"few\""), "{error}");
        assert!(Groups::new(&made, &vec![String::new(); 40], None).is_err());
        assert!(Groups::new(&made, &values[1..], None).is_err());
    }
}
