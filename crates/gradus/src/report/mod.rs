//! The report page: one description of what was found, and its forms.
//!
//! A study fills a [`Page`] with figures, tables and charts and knows nothing of
//! markup; [`html`] makes the self-contained page of it, [`text`] the terminal
//! form, [`markdown`] and [`svg`] the tables and the picture that [`splice`] puts
//! into a README. All forms take their numbers through [`Number`], so a value
//! reads the same wherever it is met. Equal pages give equal bytes: nothing here
//! reads the clock or the environment.

mod axis;
mod chart;
mod curves;
mod few_respondents;
mod html;
mod intervals;
mod item_map;
mod item_response;
mod item_response_groups;
mod item_response_page;
mod labels;
mod markdown;
mod markup;
mod number;
mod page;
mod palette;
mod readme;
mod svg;
mod table;
mod text;

pub use axis::{Axis, Scale};
pub use chart::{
    Curves, IntervalGroup, IntervalRow, Intervals, Panel, Point, Reference, Role, Series,
};
pub use curves::svg;
pub use html::html;
pub use item_map::{ItemMap, MapStep};
pub use item_response::{Curve, InformationPoint, ItemLine, ItemResponse, RespondentLine, Suspect};
pub use item_response_groups::DifLine;
pub use markdown::{SpliceError, markdown, splice};
pub use number::{Format, Number};
pub use page::{Block, Details, Fact, Page, Repeat, Section};
pub use readme::{picture, readme};
pub use table::{Cell, Column, Table};
pub use text::{table_text, text};

#[cfg(test)]
mod demo;
#[cfg(test)]
mod tests;
