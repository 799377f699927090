use serde::{Deserialize, Serialize};

use super::chart::{Curves, Intervals};
use super::item_map::ItemMap;
use super::table::{Cell, Table};

/// What a study found, from the question to how to repeat it.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Page {
    /// The name of what was run.
    pub title: String,
    /// The question it answers, one or two sentences of prose.
    pub question: String,
    /// The headline figures, two to four.
    pub lead: Vec<Fact>,
    /// The findings, in reading order.
    pub sections: Vec<Section>,
    /// How to get the same page again.
    pub repeat: Repeat,
}

/// A headline figure.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Fact {
    /// What it measures, a few words.
    pub label: String,
    /// The figure itself.
    pub value: Cell,
    /// What it stands against and how the interval was taken, one line of prose.
    pub detail: String,
}

/// A heading with what stands under it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Section {
    /// The heading, a finding rather than a topic where there is one.
    pub heading: String,
    /// What stands under it.
    pub blocks: Vec<Block>,
}

/// A piece of a section.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Block {
    /// Paragraphs apart by blank lines; a paragraph whose lines begin with `- ` is a
    /// list; `` `code` ``, `*emphasis*` and `**strong**` inside a line.
    Prose(String),
    /// Prose set apart: a caveat, what was not shown.
    Note(String),
    /// A table.
    Table(Table),
    /// Curves over a common axis.
    Curves(Curves),
    /// Estimates with their intervals, one a line.
    Intervals(Intervals),
    /// Abilities beside difficulties, on one scale.
    ItemMap(ItemMap),
    /// Text set as it is: a command, a worked example.
    Code(String),
    /// What most readers may skip.
    Details(Details),
}

/// Blocks folded behind one line.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Details {
    /// The line that is always shown.
    pub summary: String,
    /// What unfolds.
    pub blocks: Vec<Block>,
}

/// How to repeat a run, at the foot of its page.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Repeat {
    /// The command lines, in order.
    pub commands: Vec<String>,
    /// Name and value of what fixes the result: seed, version, hashes of inputs.
    pub facts: Vec<(String, String)>,
    /// The resolved configuration as text, where there is one.
    pub config: Option<String>,
}
