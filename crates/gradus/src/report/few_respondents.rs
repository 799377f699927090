//! The sections of a page about so few respondents that no model was fitted.

use super::number::{Number, thousands};
use super::page::{Block, Fact, Section};
use super::table::{Cell, Column, Table};
use crate::difficulty::FewRespondents;
use crate::stats::Estimate;

/// Longest table of mean scores.
const MEANS: usize = 60;

impl FewRespondents {
    /// The headline figures: each accuracy where there are no more than four.
    pub fn lead(&self) -> Vec<Fact> {
        let of = |(name, accuracy): &(String, Option<Estimate>)| Fact {
            label: format!("Mean score of {name}"),
            value: mean(*accuracy),
            detail: "with a 95% interval over items".to_owned(),
        };
        self.accuracy.iter().take(4).map(of).collect()
    }

    /// What was found, in reading order.
    pub fn sections(&self) -> Vec<Section> {
        vec![self.not_fitted(), self.accuracies(), self.split()]
    }

    fn how_many(&self) -> String {
        let ending = if self.respondents == 1.0 { "" } else { "s" };
        format!("{} respondent{ending}", thousands(self.respondents))
    }

    fn not_fitted(&self) -> Section {
        let respondents = self.how_many();
        let items = thousands(self.items as f64);
        let mut note = format!(
            "Not fitted: {}.\n\n{respondents} and {items} items say how able each respondent \
             is on these items, below, and no more of an item than how many had it right. \
             There is no difficulty, no discrimination, no ability in logits, and no item is pointed \
             out as broken.",
            self.reason
        );
        note += if self.respondents < 3.0 {
            "\n\nAdd respondents: with 3 the `rasch` model has estimates, whose errors stay large up to \
             about 100."
        } else {
            "\n\nWhat `rasch` identifies with so few: the differences between the respondents' abilities, \
             and one difficulty for each number of right answers. Items with the same number stay \
             the same, and those that all or none had right have only a bound. Fit with `--model rasch` \
             for that, and add respondents, to about 500, for slopes."
        };
        let mut blocks = vec![Block::Note(note)];
        let counts = &self.counts;
        let missing = [
            (counts.no_answer - counts.no_answer_missing, "could not be read, and count as wrong"),
            (counts.no_answer_missing, "could not be read, and are missing"),
            (counts.bad_gold, "have a gold that cannot be read, and are missing"),
            (counts.undecided, "are undecided, and are missing"),
            (counts.unscored, "have no score, and are missing"),
            (self.not_numbers.len() as u64, "are NaN or infinite in the logs, and are missing"),
        ];
        let lines: Vec<String> = missing
            .iter()
            .filter(|(count, _)| *count > 0)
            .map(|(count, what)| format!("- {} answers {what}.", thousands(*count as f64)))
            .collect();
        if !lines.is_empty() {
            blocks.push(Block::Note(lines.join("\n")));
        }
        Section {
            heading: {
                let verb = if self.respondents == 1.0 { "does" } else { "do" };
                format!("What {respondents} {verb} not allow")
            },
            blocks,
        }
    }

    fn accuracies(&self) -> Section {
        let row = |(name, accuracy): &(String, Option<Estimate>)| {
            let n = accuracy.map_or(0, |mean| mean.n);
            vec![name.as_str().into(), mean(*accuracy), Number::count(n).into()]
        };
        let table = Table {
            caption: "Mean score of each respondent".to_owned(),
            columns: vec![
                Column::text("respondent"),
                Column::number("mean score"),
                Column::number("answers"),
            ],
            rows: self.accuracy.iter().map(row).collect(),
            notes: vec![
                "95% intervals: Wilson's where scores are 0 or 1, else the bootstrap. They hold the choice \
                 of the items, not that of the samples."
                    .to_owned(),
            ],
        };
        Section { heading: "The respondents".to_owned(), blocks: vec![Block::Table(table)] }
    }

    fn split(&self) -> Section {
        let mut blocks = Vec::new();
        if self.items_by_mean.len() <= MEANS {
            let rows = self.items_by_mean.iter().map(|&(mean, items)| {
                vec![Number::decimal(mean, 2).into(), Number::count(items).into()]
            });
            blocks.push(Block::Table(Table {
                caption: "Items by mean score".to_owned(),
                columns: vec![Column::number("mean score"), Column::number("items")],
                rows: rows.collect(),
                notes: Vec::new(),
            }));
        }
        if self.accuracy.len() > 1 && !self.patterns.is_empty() {
            let names: Vec<&str> = self.accuracy.iter().map(|(name, _)| name.as_str()).collect();
            let row = |(right, items): &(Vec<bool>, u64)| {
                let who: Vec<&str> = names
                    .iter()
                    .zip(right)
                    .filter(|(_, right)| **right)
                    .map(|(name, _)| *name)
                    .collect();
                let who = match who.len() {
                    0 => "nobody".to_owned(),
                    all if all == names.len() => "all".to_owned(),
                    _ => who.join(", "),
                };
                vec![Cell::from(who.as_str()), Number::count(*items).into()]
            };
            blocks.push(Block::Table(Table {
                caption: "Items by who had them right".to_owned(),
                columns: vec![Column::text("right"), Column::number("items")],
                rows: self.patterns.iter().map(row).collect(),
                notes: vec!["Items that all respondents answered.".to_owned()],
            }));
        }
        if blocks.is_empty() {
            let values = thousands(self.items_by_mean.len() as f64);
            blocks.push(Block::Prose(format!(
                "Items have {values} different mean scores; `items.csv` has them."
            )));
        }
        Section { heading: "The items".to_owned(), blocks }
    }
}

fn mean(accuracy: Option<Estimate>) -> Cell {
    accuracy.map_or_else(
        || Cell::absent("no answer"),
        |mean| Number::percent(mean.value).within(mean.low, mean.high).into(),
    )
}
