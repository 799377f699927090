//! The sections of a page about a fitted item response model.

use super::axis::Axis;
use super::chart::{
    Curves, IntervalGroup, IntervalRow, Intervals, Panel, Point, Reference, Role, Series,
};
use super::item_map::ItemMap;
use super::item_response::{Curve, ItemLine, ItemResponse, RespondentLine, Suspect};
use super::number::{Format, Number, thousands};
use super::page::{Block, Fact, Section};
use super::table::{Cell, Column, Table};
use crate::stats::wilson;

/// Half the width of a 95% interval, in standard errors.
const Z: f64 = 1.96;
/// Longest name beside a curve, in characters.
const LABEL: usize = 18;

impl ItemResponse {
    /// The headline figures.
    pub fn lead(&self) -> Vec<Fact> {
        let summary = &self.summary;
        let fact = |label: &str, value: Cell, detail: String| Fact {
            label: label.to_owned(),
            value,
            detail,
        };
        let mut lead = vec![fact(
            "Reliability of the abilities",
            Number::decimal(summary.reliability, 2).into(),
            format!(
                "share of their variance that is no error; {} respondents, {} items",
                thousands(summary.respondents),
                thousands(summary.items as f64)
            ),
        )];
        if !self.few {
            lead.push(fact(
                "Items to look at",
                Number::count(self.suspects_found as u64).into(),
                format!("of {} with estimates", thousands(summary.items_estimated as f64)),
            ));
        }
        if let Some((statistic, df, p, rmsea)) = summary.m2 {
            lead.push(fact(
                "RMSEA of M2",
                Number::decimal(rmsea, 3).into(),
                format!("M2 {statistic:.2}, df {df}, p {p:.3}; 0 where the model fits"),
            ));
        }
        lead
    }

    /// What was found, in reading order.
    pub fn sections(&self) -> Vec<Section> {
        let mut sections = vec![self.fit(), self.wright_map()];
        if self.few {
            sections.push(self.too_few());
        } else {
            sections.extend([self.broken(), self.items(), self.characteristic_curves()]);
        }
        sections.push(self.abilities());
        sections.extend([self.groups(), self.families()].into_iter().flatten());
        sections.push(self.information());
        sections
    }

    fn fit(&self) -> Section {
        let summary = &self.summary;
        let row = |name: &str, value: String| vec![Cell::from(name), value.into()];
        let count = |value: usize| thousands(value as f64);
        let estimated = count(summary.items_estimated);
        let mut rows = vec![
            row("respondents", thousands(summary.respondents)),
            row("items", format!("{} ({estimated} estimated)", count(summary.items))),
            row("scores read", count(summary.responses)),
            row("ln likelihood", format!("{:.4}", summary.log_likelihood)),
            row("free parameters", count(summary.parameters)),
            row("AIC, BIC", format!("{:.2}, {:.2}", summary.aic, summary.bic)),
            row("reliability", format!("{:.3}", summary.reliability)),
            row("cycles", format!("{}, then {:.0e} from the end", summary.cycles, summary.change)),
        ];
        if let Some((statistic, df, p, rmsea)) = summary.m2 {
            let value = format!("{statistic:.2} (df {df}, p {p:.3}, RMSEA {rmsea:.3})");
            rows.push(row("M2", value));
        }
        let mut blocks = vec![Block::Table(Table {
            caption: format!("{} fitted", summary.model),
            columns: vec![Column::text(""), Column::text("")],
            rows,
            notes: self.not_computed.iter().map(|reason| format!("{reason}.")).collect(),
        })];
        if !summary.warnings.is_empty() {
            let warnings = summary.warnings.iter().map(|warning| format!("- Note: {warning}."));
            blocks.push(Block::Note(warnings.collect::<Vec<_>>().join("\n")));
        }
        Section { heading: "The fit".to_owned(), blocks }
    }

    fn wright_map(&self) -> Section {
        let items = self.map.iter().map(|step| step.items).sum::<u64>();
        let (Some(low), Some(high)) = (
            self.map.iter().find(|step| step.respondents > 0.0),
            self.map.iter().rfind(|step| step.respondents > 0.0),
        ) else {
            let none = "No respondent has a finite ability.".to_owned();
            return Section { heading: "The map".to_owned(), blocks: vec![Block::Prose(none)] };
        };
        let outside = |holds: &dyn Fn(f64, f64) -> bool| {
            let steps = self.map.iter().filter(|step| holds(step.from, step.to));
            thousands(steps.map(|step| step.items).sum::<u64>() as f64)
        };
        let description = format!(
            "Of {} items, {} lie below every respondent and {} above: they tell respondents apart \
             least.",
            thousands(items as f64),
            outside(&|_, to| to <= low.from),
            outside(&|from, _| from >= high.to)
        );
        let map = ItemMap {
            title: "Abilities beside difficulties".to_owned(),
            description,
            scale: "logits".to_owned(),
            steps: self.map.clone(),
        };
        Section {
            heading: "Who answered and what was asked".to_owned(),
            blocks: vec![Block::ItemMap(map)],
        }
    }

    /// What a handful of respondents cannot say, in place of a table of nonsense.
    fn too_few(&self) -> Section {
        let respondents = thousands(self.summary.respondents);
        let note = format!(
            "With {respondents} respondents an item has one of a few possible scores, and its \
             difficulty is little more than that score on another scale.\n\n\
             Not shown, because so few answers do not carry it:\n\n\
             - difficulties and discriminations of single items, and their order beyond the mean score;\n\
             - characteristic curves;\n\
             - items that look broken: infit, outfit, S-X2 and local dependence are noise here.\n\n\
             What the model does identify: how far the respondents' abilities are apart, and with one \
             slope one difficulty for each number of right answers.\n\n\
             The estimates are in `items.csv` with their standard errors. For statements about items, \
             add respondents: from about 100 for `rasch` and `1pl`, from about 500 for `2pl`."
        );
        let mut blocks = vec![Block::Note(note)];
        if self.items_by_mean.len() <= 60 {
            let rows = self.items_by_mean.iter().map(|&(mean, items)| {
                vec![Number::decimal(mean, 2).into(), Number::count(items).into()]
            });
            blocks.push(Block::Table(Table {
                caption: "What the answers do say: items by mean score".to_owned(),
                columns: vec![Column::number("mean score"), Column::number("items")],
                rows: rows.collect(),
                notes: Vec::new(),
            }));
        }
        Section { heading: format!("What {respondents} respondents do not allow"), blocks }
    }

    fn broken(&self) -> Section {
        let shown = self.suspects.len();
        let cut = if shown < self.suspects_found {
            format!(
                "The {shown} most striking of {}; `items.csv` has the figures of all.",
                thousands(self.suspects_found as f64)
            )
        } else {
            String::new()
        };
        let screens = "These are screens, not proofs: look at the question, the key and the answers. \
                       Slope, item-rest correlation, infit and outfit (above 1.3 and beyond chance), S-X2 (false \
                       discovery rate 0.05) and Q3 (0.2 above its mean).";
        let blocks = if shown == 0 {
            vec![Block::Prose(format!("No item stands out. {screens}"))]
        } else {
            let row = |suspect: &Suspect| {
                let line = &suspect.line;
                vec![
                    Cell::from(line.item.as_str()),
                    suspect.evidence.join("; ").into(),
                    Number::decimal(line.discrimination, 2).into(),
                    decimal_or(suspect.item_rest, "does not vary"),
                    Number::decimal(suspect.infit, 2).into(),
                    Number::decimal(suspect.outfit, 2).into(),
                    Number::decimal(line.mean, 2).into(),
                ]
            };
            vec![Block::Table(Table {
                caption: "Items most likely broken, the most striking first".to_owned(),
                columns: vec![
                    Column::text("item"),
                    Column::text("evidence"),
                    Column::number("slope"),
                    Column::number("item-rest"),
                    Column::number("infit"),
                    Column::number("outfit"),
                    Column::number("mean score"),
                ],
                rows: self.suspects.iter().map(row).collect(),
                notes: [cut, screens.to_owned()]
                    .into_iter()
                    .filter(|note| !note.is_empty())
                    .collect(),
            })]
        };
        Section { heading: "Items to look at".to_owned(), blocks }
    }

    fn items(&self) -> Section {
        let row = |line: &ItemLine| IntervalRow {
            label: line.item.clone(),
            role: Role::Other,
            number: interval(line.difficulty, line.se_difficulty),
        };
        let total = self.summary.items_estimated;
        let groups = if self.items.len() < total {
            let (hardest, easiest) = self.items.split_at(self.items.len() / 2);
            let group = |name: &str, lines: &[ItemLine]| IntervalGroup {
                heading: format!("the {} {name} of {}", lines.len(), thousands(total as f64)),
                rows: lines.iter().map(row).collect(),
            };
            vec![group("hardest", hardest), group("easiest", easiest)]
        } else {
            let rows = self.items.iter().map(row).collect();
            vec![IntervalGroup { heading: String::new(), rows }]
        };
        let mut blocks = vec![Block::Intervals(Intervals {
            title: "Difficulty of the items".to_owned(),
            description: "From hard to easy, with 95% intervals where there are standard errors."
                .to_owned(),
            axis: Axis::new("difficulty in logits", Format::Decimal(2)),
            neutral: None,
            groups,
        })];
        let constant = &self.summary.constant;
        if !constant.is_empty() {
            let first = constant.iter().take(10).cloned().collect::<Vec<_>>().join(", ");
            let more = if constant.len() > 10 { ", ..." } else { "" };
            blocks.push(Block::Prose(format!(
                "{} items have no difficulty, as every answer has the same score: {first}{more}.",
                thousands(constant.len() as f64)
            )));
        }
        Section { heading: "The items".to_owned(), blocks }
    }

    fn characteristic_curves(&self) -> Section {
        let mut series: Vec<Series> = Vec::new();
        for curve in &self.curves {
            let mut label = label(curve);
            while series.iter().any(|other| other.label == label) {
                label.push('\'');
            }
            let points = curve.points.iter().map(|&(x, y)| Point::new(x, y)).collect();
            series.push(Series { label, role: Role::Other, points });
        }
        let all = self.curves.len() == self.summary.items_estimated;
        let which = if all { "All items." } else { "A few items only, each with why it is shown." };
        let curves = Curves {
            title: "Item characteristic curves".to_owned(),
            description: format!("Expected share of the highest score by ability. {which}"),
            x: Axis::new("ability in logits", Format::Decimal(1)),
            y: Axis::new("expected score", Format::Percent).between(0.0, 1.0),
            panels: vec![Panel { heading: String::new(), series, references: Vec::new() }],
        };
        Section { heading: "How items separate".to_owned(), blocks: vec![Block::Curves(curves)] }
    }

    fn abilities(&self) -> Section {
        let method = &self.summary.method;
        let row = |line: &RespondentLine| {
            let name = if line.count > 1.0 {
                format!("{} (stands for {})", line.respondent, thousands(line.count))
            } else {
                line.respondent.clone()
            };
            let ability = match line.ability {
                Some(ability) => Cell::from(interval(ability, line.se)),
                None => Cell::absent("no finite estimate"),
            };
            vec![
                name.into(),
                ability,
                Number::count(line.n as u64).into(),
                self.score(line),
                decimal_or(line.person_fit, "none"),
            ]
        };
        let mut notes = vec![
            "Ability in logits with a 95% interval (1.96 standard errors). Person fit l_z: below about \
             -3 a respondent gets easy items wrong and hard ones right."
                .to_owned(),
        ];
        if self.respondents.len() < self.respondents_found {
            let half = self.respondents.len() / 2;
            notes.push(format!(
                "The {half} ablest and the {half} least able of {} rows; `respondents.csv` has all.",
                thousands(self.respondents_found as f64)
            ));
        }
        let table = Table {
            caption: format!("Abilities ({method}), the ablest first"),
            columns: vec![
                Column::text("respondent"),
                Column::number("ability"),
                Column::number("answers"),
                Column::number("score an answer"),
                Column::number("person fit"),
            ],
            rows: self.respondents.iter().map(row).collect(),
            notes,
        };
        Section { heading: "The respondents".to_owned(), blocks: vec![Block::Table(table)] }
    }

    /// The mean score; where respondents are few and scores 0 or 1, with Wilson's interval.
    fn score(&self, line: &RespondentLine) -> Cell {
        let mean = line.score / line.n.max(1) as f64;
        let graded = ["graded", "partial-credit"].contains(&self.summary.model.as_str());
        let whole = line.score.fract() == 0.0 && (0.0..=line.n as f64).contains(&line.score);
        let interval = if self.few && !graded && whole {
            wilson(line.score as u64, line.n as u64, 0.95)
        } else {
            None
        };
        let number = Number::decimal(mean, 3);
        interval.map_or(number, |at| number.within(at.low, at.high)).into()
    }

    fn information(&self) -> Section {
        let chart = |title: &str, description: &str, label: &str, value: &dyn Fn(f64) -> f64| {
            let points = self.information.iter().filter(|point| point.information > 0.0);
            let points = points.map(|point| Point::new(point.ability, value(point.information)));
            let series = Series {
                label: "all items".to_owned(),
                role: Role::Main,
                points: points.collect(),
            };
            let sd = self.summary.populations.first().map(|population| population.1);
            let references = sd
                .filter(|_| label.starts_with("standard"))
                .map(|sd| Reference { label: "spread of abilities".to_owned(), y: sd });
            Block::Curves(Curves {
                title: title.to_owned(),
                description: description.to_owned(),
                x: Axis::new("ability in logits", Format::Decimal(1)),
                y: Axis::new(label, Format::Decimal(2)),
                panels: vec![Panel {
                    heading: String::new(),
                    series: vec![series],
                    references: references.into_iter().collect(),
                }],
            })
        };
        Section {
            heading: "Where the test measures".to_owned(),
            blocks: vec![
                chart(
                    "Test information",
                    "Fisher information of all items together about an ability.",
                    "information",
                    &|information| information,
                ),
                chart(
                    "Standard error by ability",
                    "Of the maximum-likelihood ability of who answers every item, 1 / sqrt(information). \
                     Where it is above the spread of the abilities, the test says next to nothing.",
                    "standard error in logits",
                    &|information| information.sqrt().recip(),
                ),
            ],
        }
    }
}

fn interval(value: f64, se: Option<f64>) -> Number {
    let number = Number::decimal(value, 2);
    se.map_or(number, |se| number.within(value - Z * se, value + Z * se))
}

fn decimal_or(value: Option<f64>, reason: &str) -> Cell {
    value.map_or_else(|| Cell::absent(reason), |value| Number::decimal(value, 2).into())
}

/// The name of an item for the margin of a chart, cut in the middle where it is long.
fn label(curve: &Curve) -> String {
    let letters: Vec<char> = curve.item.chars().collect();
    let name: String = if letters.len() > LABEL {
        let half = LABEL / 2;
        let (start, end) = (&letters[..half], &letters[letters.len() - half..]);
        start.iter().chain(&['\u{2026}']).chain(end).collect()
    } else {
        curve.item.clone()
    };
    if curve.why.is_empty() { name } else { format!("{}: {name}", curve.why) }
}

#[cfg(test)]
mod tests {
    use super::super::{Page, html, text};
    use super::*;
    use crate::difficulty::irt::{Method, Record, Settings, fit, model, simulate};
    use crate::difficulty::responses::{Responses, design};

    fn looked_at(responses: &Responses, name: &str) -> ItemResponse {
        let settings = Settings::new(model(name).unwrap());
        let fit = fit(responses, &settings).unwrap();
        let design = design(responses);
        let record =
            Record::new(&fit, responses, &design, &settings, Method::Eap, Vec::new()).unwrap();
        ItemResponse::new(&record, 1)
    }

    fn page(found: &ItemResponse) -> Page {
        Page { lead: found.lead(), sections: found.sections(), ..Page::default() }
    }

    fn drawn(items: usize, respondents: usize) -> Responses {
        let bank = simulate::example_bank("2pl", items, 3);
        simulate::responses(&bank, &simulate::normal_abilities(respondents, 0.0, 1.0, 5), 5)
    }

    /// The third item has its key turned round and the last is the first asked again.
    #[test]
    fn a_wrong_key_and_a_question_asked_twice_are_pointed_out() {
        let made = drawn(20, 900);
        let rows: Vec<Vec<f32>> = (0..900)
            .map(|row| {
                let mut scores = made.row(row).1.to_vec();
                scores[2] = 1.0 - scores[2];
                scores.push(scores[0]);
                scores
            })
            .collect();
        let mut items = made.items().to_vec();
        items.push("again".to_owned());
        let rows = rows.iter().map(Vec::as_slice);
        let responses = Responses::from_rows(made.respondents().to_vec(), items, rows).unwrap();
        let found = looked_at(&responses, "2pl");
        let suspect = |name: &str| found.suspects.iter().find(|found| found.line.item == name);
        let evidence = suspect(&made.items()[2]).unwrap().evidence.join("; ");
        assert!(evidence.contains("wrong key") && evidence.contains("item-rest"), "{evidence}");
        let evidence = suspect("again").unwrap().evidence.join("; ");
        assert!(evidence.contains(&format!("goes with {}", made.items()[0])), "{evidence}");
        assert!(found.suspects_found <= 6, "{:?}", found.suspects);
        let html = html(&page(&found));
        assert!(html.contains("Items most likely broken") && html.contains("chart map"), "{html}");
        let back = serde_json::to_string(&found).unwrap();
        assert_eq!(serde_json::from_str::<ItemResponse>(&back).unwrap(), found);
    }

    #[test]
    fn lists_are_cut_and_say_from_what() {
        let found = looked_at(&drawn(300, 40), "rasch");
        let html = html(&page(&found));
        let cut = format!("the 15 hardest of {}", thousands(found.summary.items_estimated as f64));
        assert!(html.contains(&cut), "{cut}");
        assert!(html.contains("The 15 ablest and the 15 least able of 40 rows"));
        assert_eq!(found.map.iter().map(|step| step.respondents).sum::<f64>(), 40.0);
        assert!(html.len() < 200_000, "{}", html.len());
    }

    #[test]
    fn a_handful_of_respondents_gets_a_statement_and_no_item_table() {
        let found = looked_at(&drawn(200, 6), "rasch");
        let text = text(&page(&found), 100);
        assert!(text.contains("What 6 respondents do not allow"), "{text}");
        assert!(!text.contains("most likely broken") && !text.contains("Difficulty of the items"));
    }

    #[test]
    fn long_names_keep_both_ends() {
        let curve = |item: &str, why: &str| Curve {
            item: item.to_owned(),
            why: why.to_owned(),
            points: Vec::new(),
        };
        assert_eq!(label(&curve("short", "")), "short");
        assert_eq!(
            label(&curve("a-very-long-benchmark-name/17", "hardest")),
            "hardest: a-very-lo\u{2026}k-name/17"
        );
    }
}
