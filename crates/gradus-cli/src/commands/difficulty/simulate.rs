use std::path::PathBuf;

use gradus::difficulty::irt::simulate::{ItemDistribution, items, normal_abilities, responses};
use gradus::difficulty::irt::{self, read_items};

use crate::failure::Failure;
use crate::output::Output;

/// Draw responses from known parameters, for power and recovery studies
///
/// Prints a wide CSV: a column an item, a respondent a line. The parameters are those of
/// --items, or are drawn: ln discrimination normal with standard deviation 0.3, difficulty
/// standard normal within 3.
///
/// Examples:
///   gradus difficulty simulate --model 2pl --respondents 500 --count 20 > made.csv
///   gradus difficulty simulate --items fit/items.csv --model 2pl --respondents 100
#[derive(Debug, clap::Args)]
#[command(verbatim_doc_comment)]
pub(crate) struct Args {
    /// The model.
    #[arg(long, value_name = "NAME")]
    model: String,
    /// Items with their parameters; else they are drawn.
    #[arg(long, value_name = "FILE")]
    items: Option<PathBuf>,
    /// Number of items to draw.
    #[arg(long, default_value_t = 20, value_name = "N")]
    count: usize,
    /// Categories of each item, for graded models.
    #[arg(long, default_value_t = 2, value_name = "N")]
    categories: usize,
    /// Number of respondents.
    #[arg(long, value_name = "N")]
    respondents: usize,
    /// Mean ability.
    #[arg(long, default_value_t = 0.0, allow_hyphen_values = true)]
    mean: f64,
    /// Standard deviation of ability.
    #[arg(long, default_value_t = 1.0)]
    sd: f64,
    /// Seed of all that is drawn.
    #[arg(long, default_value_t = 1)]
    seed: u64,
}

pub(crate) fn run(args: &Args) -> Result<Output, Failure> {
    let model = irt::model(&args.model)?;
    let bank = match &args.items {
        Some(path) => read_items(path, model)?,
        None => items(model, args.count, args.categories, ItemDistribution::default(), args.seed)?,
    };
    let abilities = normal_abilities(args.respondents, args.mean, args.sd, args.seed);
    let made = responses(&bank, &abilities, args.seed);
    let mut text = format!("respondent,{}\n", made.items().join(","));
    for (row, respondent) in made.respondents().iter().enumerate() {
        text.push_str(respondent);
        for score in made.row(row).1 {
            text.push_str(&format!(",{score}"));
        }
        text.push('\n');
    }
    text.pop();
    Ok(Output::text(text))
}
