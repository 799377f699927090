//! What a report says of groups and of families of respondents.

use serde::{Deserialize, Serialize};

use super::item_response::ItemResponse;
use super::number::Number;
use super::page::{Block, Section};
use super::table::{Cell, Column, Table};
use crate::difficulty::irt::{DifSummary, FamilySummary, GroupSummary, Record};

/// Most items shown as different between groups.
const LINES: usize = 25;
/// Half the width of a 95% interval, in standard errors.
const Z: f64 = 1.96;
/// False discovery rate at which an item is shown.
const DISCOVERY: f64 = 0.05;

/// An item that is not the same for two groups.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct DifLine {
    /// The item.
    pub item: String,
    /// The group that is compared with the reference.
    pub focal: String,
    /// Mantel-Haenszel delta with its standard error; negative is against the focal group.
    pub delta: Option<(f64, f64)>,
    /// ETS class of that.
    pub class: Option<char>,
    /// Its adjusted p.
    pub delta_p: Option<f64>,
    /// Difficulty for the focal group less that for the reference, in logits.
    pub difficulty: Option<f64>,
    /// Expected score of the focal group less what the reference's curve gives it.
    pub score: Option<f64>,
    /// Adjusted p of the likelihood ratio.
    pub ratio_p: Option<f64>,
}

impl DifLine {
    fn least_p(&self) -> f64 {
        self.delta_p.unwrap_or(1.0).min(self.ratio_p.unwrap_or(1.0))
    }
}

/// Items with an adjusted p of at most 0.05 in either test, the smallest first, and how
/// many there are.
pub(super) fn dif_lines(record: &Record<'_>) -> (Vec<DifLine>, usize) {
    let Some(study) = &record.groups else { return (Vec::new(), 0) };
    let mut lines = Vec::new();
    for (focal, found) in study.groups.names.iter().skip(1).zip(&study.comparisons) {
        for (item, name) in record.responses.items().iter().enumerate() {
            let table = found.mantel_haenszel[item];
            let ratio = found.likelihood_ratio[item];
            let line = DifLine {
                item: name.clone(),
                focal: focal.clone(),
                delta: table.map(|(table, _)| (table.delta, table.se)),
                class: table.map(|(table, _)| table.class),
                delta_p: table.map(|(_, p)| p),
                difficulty: ratio.map(|(found, _)| found.difficulty.1 - found.difficulty.0),
                score: ratio.map(|(found, _)| found.score),
                ratio_p: ratio.map(|(_, p)| p),
            };
            if line.least_p() <= DISCOVERY {
                lines.push(line);
            }
        }
    }
    lines.sort_by(|one, other| one.least_p().total_cmp(&other.least_p()));
    let found = lines.len();
    lines.truncate(LINES);
    (lines, found)
}

impl ItemResponse {
    pub(super) fn groups(&self) -> Option<Section> {
        let groups = &self.summary.groups;
        if groups.is_empty() {
            return None;
        }
        let with_error = |value: f64, se: Option<f64>| {
            let number = Number::decimal(value, 2);
            se.map_or(number, |se| number.within(value - Z * se, value + Z * se))
        };
        let row = |group: &GroupSummary| {
            vec![
                group.group.clone().into(),
                Number::count(group.respondents as u64).into(),
                with_error(group.mean, group.se_mean).into(),
                with_error(group.sd, group.se_sd).into(),
            ]
        };
        let mut notes = vec![
            "The first group is the reference: its abilities have mean 0 and, but under rasch, standard \
             deviation 1. Intervals are 1.96 standard errors."
                .to_owned(),
        ];
        if groups.iter().skip(1).any(|group| group.se_mean.is_none()) {
            notes.push("There are no standard errors of means where items are too many for the whole information.".to_owned());
        }
        let mut blocks = vec![Block::Table(Table {
            caption: "Abilities by group".to_owned(),
            columns: vec![
                Column::text("group"),
                Column::number("respondents"),
                Column::number("mean, logits"),
                Column::number("standard deviation"),
            ],
            rows: groups.iter().map(row).collect(),
            notes,
        })];
        let row = |dif: &DifSummary| {
            vec![
                dif.focal.clone().into(),
                Number::count(dif.mantel_haenszel as u64).into(),
                Number::count(dif.mantel_haenszel_found as u64).into(),
                Number::count(dif.large as u64).into(),
                Number::count(dif.likelihood_ratio as u64).into(),
                Number::count(dif.likelihood_ratio_found as u64).into(),
            ]
        };
        let all = self.summary.items;
        let mut notes = vec![
            "Found: adjusted p of at most 0.05 (Benjamini and Hochberg). Large: ETS class C. All other items \
             link the groups, so that a shift that most items share is seen as ability, not as a difference of items."
                .to_owned(),
        ];
        for dif in self.summary.dif.iter().filter(|dif| dif.asked < all) {
            notes.push(format!(
                "{}: the likelihood ratio was asked about {} of {all} items only, those that Mantel-Haenszel has at p < 0.05.",
                dif.focal, dif.asked
            ));
        }
        for dif in self.summary.dif.iter().filter(|dif| dif.failed > 0) {
            let (focal, failed) = (&dif.focal, dif.failed);
            notes.push(format!("{focal}: {failed} fits with an item apart did not converge."));
        }
        let reference = &groups[0].group;
        blocks.push(Block::Table(Table {
            caption: format!("Items that differ from {reference}"),
            columns: vec![
                Column::text("group"),
                Column::number("Mantel-Haenszel, items"),
                Column::number("found"),
                Column::number("large"),
                Column::number("likelihood ratio, items"),
                Column::number("found"),
            ],
            rows: self.summary.dif.iter().map(row).collect(),
            notes,
        }));
        if !self.dif.is_empty() {
            blocks.push(Block::Table(self.dif_table(reference)));
        }
        Some(Section { heading: "The groups".to_owned(), blocks })
    }

    fn dif_table(&self, reference: &str) -> Table {
        let row = |line: &DifLine| {
            let number = |value: Option<f64>, decimals: u8| {
                value.map_or_else(
                    || Cell::absent("not tested"),
                    |value| Number::decimal(value, decimals).into(),
                )
            };
            let delta = line.delta.map_or_else(
                || Cell::absent("not tested"),
                |(delta, se)| {
                    Number::decimal(delta, 2).within(delta - Z * se, delta + Z * se).into()
                },
            );
            vec![
                line.item.clone().into(),
                line.focal.clone().into(),
                delta,
                line.class
                    .map_or_else(|| Cell::absent("not tested"), |class| class.to_string().into()),
                number(line.delta_p, 4),
                number(line.difficulty, 2),
                number(line.score, 3),
                number(line.ratio_p, 4),
            ]
        };
        let mut notes = vec![format!(
            "MH delta is -2.35 ln of the odds ratio: below 0, harder for the group than for respondents of {reference} \
             with the same score. Shift: difficulty for the group less that for {reference}, in logits; score: what that \
             does to the group's expected score."
        )];
        if self.dif.len() < self.dif_found {
            notes.push(format!(
                "The first {} of {}; `dif.csv` has all.",
                self.dif.len(),
                self.dif_found
            ));
        }
        Table {
            caption: "Items that are not the same for the groups, the smallest p first".to_owned(),
            columns: vec![
                Column::text("item"),
                Column::text("group"),
                Column::number("MH delta"),
                Column::text("class"),
                Column::number("p, adjusted"),
                Column::number("shift"),
                Column::number("score"),
                Column::number("LR p, adjusted"),
            ],
            rows: self.dif.iter().map(row).collect(),
            notes,
        }
    }

    pub(super) fn families(&self) -> Option<Section> {
        let found: &FamilySummary = self.summary.families.as_ref()?;
        let row = |name: &str, value: Cell| vec![Cell::from(name), value];
        let decimal = |value: Option<f64>, decimals: u8| {
            value.map_or_else(
                || Cell::absent("not known"),
                |value| Number::decimal(value, decimals).into(),
            )
        };
        let count = |value: usize| Cell::from(Number::count(value as u64));
        let rows = vec![
            row("families", count(found.families)),
            row(
                "the largest",
                format!("{} ({} respondents)", found.largest, found.largest_size).into(),
            ),
            row("respondents they are worth", decimal(found.effective_respondents, 1)),
            row("fits to families drawn again", count(found.fits)),
            row(
                "error of a difficulty over that of independent respondents",
                decimal(found.error_ratio, 2),
            ),
            row(
                "one of each family: items with a difficulty",
                found.one_of_each_items.map_or_else(|| Cell::absent("no fit"), count),
            ),
            row(
                "one of each family: rank correlation of difficulties",
                decimal(found.one_of_each_spearman, 3),
            ),
            row(
                "one of each family: root mean squared difference, logits",
                decimal(found.one_of_each_rms, 2),
            ),
        ];
        let notes = vec![
            "Standard errors elsewhere on this page take every respondent as independent. Those with families drawn \
             again, their 95% percentiles, and the difficulties from one respondent of each family are in `items.csv`."
                .to_owned(),
        ];
        let table = Table {
            caption: "Families of respondents".to_owned(),
            columns: vec![Column::text("what"), Column::number("value")],
            rows,
            notes,
        };
        Some(Section { heading: "The families".to_owned(), blocks: vec![Block::Table(table)] })
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Page, html, text};
    use super::*;
    use crate::difficulty::irt::{
        FamilyStudy, GroupStudy, Groups, Method, Settings, fit, model, simulate,
    };
    use crate::difficulty::responses::{Responses, design};

    /// Two groups, the fourth item 1.2 logits harder for the second, and families of three.
    #[test]
    fn groups_and_families_have_their_sections() {
        let bank = simulate::example_bank("1pl", 12, 2);
        let abilities = simulate::normal_abilities(600, 0.0, 1.0, 3);
        let made = simulate::responses(&bank, &abilities, 4);
        let shifted: Vec<f64> = abilities[300..].iter().map(|ability| ability - 1.2).collect();
        let harder = simulate::responses(&bank, &shifted, 4);
        let rows: Vec<Vec<f32>> = (0..600)
            .map(|row| {
                let mut scores = made.row(row).1.to_vec();
                if row >= 300 {
                    scores[3] = harder.score(row - 300, 3).unwrap();
                }
                scores
            })
            .collect();
        let rows = rows.iter().map(Vec::as_slice);
        let responses =
            Responses::from_rows(made.respondents().to_vec(), made.items().to_vec(), rows).unwrap();
        let values: Vec<String> =
            (0..600).map(|row| if row < 300 { "old" } else { "new" }.to_owned()).collect();
        let groups = Groups::new(&responses, &values, Some("old")).unwrap();
        let mut settings = Settings::new(model("1pl").unwrap());
        settings.populations = groups.of.clone();
        let fit = fit(&responses, &settings).unwrap();
        let design = design(&responses);
        let mut record =
            Record::new(&fit, &responses, &design, &settings, Method::Map, Vec::new()).unwrap();
        record.add_groups(GroupStudy::new(&responses, groups, &settings, &|_, _, _| ()).unwrap());
        let families = (0..600).map(|row| format!("f{}", row / 3)).collect();
        record.add_families(
            FamilyStudy::new(&responses, families, (&fit, &settings), 5, 1, &|_| ()).unwrap(),
        );
        let found = ItemResponse::new(&record, 1);
        assert_eq!(found.dif[0].item, responses.items()[3]);
        assert!(
            found.dif[0].score.unwrap() < -0.1 && found.dif[0].difficulty.unwrap() > 0.8,
            "{:?}",
            found.dif
        );
        let page = Page { sections: found.sections(), ..Page::default() };
        let shown = text(&page, 100);
        assert!(
            shown.contains("Items that differ from old")
                && shown.contains("Families of respondents"),
            "{shown}"
        );
        assert!(html(&page).contains("Abilities by group"));
        let back = serde_json::to_string(&found).unwrap();
        assert_eq!(serde_json::from_str::<ItemResponse>(&back).unwrap(), found);
        let folder = tempfile::tempdir().unwrap();
        record.write(folder.path()).unwrap();
        let read = |name: &str| std::fs::read_to_string(folder.path().join(name)).unwrap();
        assert_eq!(read("dif.csv").lines().count(), 13);
        assert!(
            read("items.csv")
                .lines()
                .next()
                .unwrap()
                .ends_with(",family_fits,one_per_family_difficulty")
        );
        assert!(
            read("respondents.csv")
                .lines()
                .next()
                .unwrap()
                .ends_with(",group,family,family_se_ability")
        );
    }
}
