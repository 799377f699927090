use std::path::PathBuf;

use clap::ValueEnum;
use gradus::data::{self, Writer};
use gradus::difficulty::ratings::{
    self, Expected, Opponents, Rated, Rating, RatingSettings, RatingSystem, Role,
};
use gradus::report::{Cell, Column, Number, Table};
use serde::Serialize;

use super::rows::read;
use crate::exit_code::ExitCode;
use crate::failure::Failure;
use crate::output::{Block, Output, json_line};

/// Rate players by their games, or problems by who solved them
///
/// GAMES is CSV or JSONL, one game a row: `player`, `opponent`, `score` (1 a win of the
/// player, 0.5 a draw, 0 a loss; a share is allowed, but not for trueskill) and, for
/// glicko and glicko2, `period`: a whole number by which the rows are sorted. Numbers that
/// are left out are periods without games. Without the column all games are one period.
/// The file is read row by row; only the state of the players is kept (bradley-terry: one
/// count for each pair that met).
///
/// With --opponents problems an attempt is a game of solver and problem: the problem's
/// rating is its difficulty, and it does not drift. `drifting-problems` treats a problem
/// like a player. Standard errors of elo do not exist; those of the others are in the unit
/// of the rating: 400 points a factor of ten in the odds (elo, glicko, glicko2), logits
/// (bradley-terry), or the skill units of trueskill.
///
/// Examples:
///   gradus difficulty rate games.csv --system glicko2 --out ratings.jsonl
///   gradus difficulty rate attempts.csv --opponents problems --first-only
///   gradus difficulty rate games.csv --system bradley-terry --set reference=Baltimore --json
///   gradus list difficulty
#[derive(Debug, clap::Args)]
#[command(verbatim_doc_comment)]
pub(crate) struct Args {
    /// The games (plain, gzip or zstd); `-` is standard input.
    games: PathBuf,
    /// Rating system (`gradus list difficulty`).
    #[arg(long, default_value = "glicko2", value_name = "NAME")]
    system: String,
    /// A parameter of the system, as tau=0.5; may be given again.
    #[arg(long, value_name = "PARAMETER=VALUE")]
    set: Vec<String>,
    /// What the opponents are.
    #[arg(long, value_enum, default_value_t)]
    opponents: Kind,
    /// Count only the first game of a player with an opponent.
    #[arg(long)]
    first_only: bool,
    /// Ratings known beforehand, as rows that this command wrote.
    #[arg(long, value_name = "FILE")]
    known: Option<PathBuf>,
    /// Leave the known ratings as they are.
    #[arg(long, requires = "known")]
    hold: bool,
    /// Show the score that everyone is expected to get against this player or problem.
    #[arg(long, value_name = "NAME")]
    against: Option<String>,
    /// Write the ratings here, as JSONL.
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
}

#[derive(Clone, Copy, Debug, Default, ValueEnum)]
enum Kind {
    /// Players like those of the other column.
    #[default]
    Players,
    /// Problems, which do not change.
    Problems,
    /// Problems that the system treats like players.
    DriftingProblems,
}

/// A rating with what it is expected to do.
#[derive(Serialize)]
struct Line<'a> {
    #[serde(flatten)]
    rating: &'a Rating,
    #[serde(skip_serializing_if = "Option::is_none")]
    expected: Option<Expected>,
}

pub(crate) fn run(args: &Args) -> Result<Output, Failure> {
    let system = ratings::find(&args.system)?;
    let settings = RatingSettings {
        parameters: parameters(&args.set)?,
        opponents: match args.opponents {
            Kind::Players => Opponents::Players,
            Kind::Problems => Opponents::Problems,
            Kind::DriftingProblems => Opponents::DriftingProblems,
        },
        first_only: args.first_only,
        known: args.known.as_deref().map(read).transpose()?.unwrap_or_default(),
        hold_known: args.hold,
    };
    let mut games = data::read_table(&args.games)?;
    let mut rated = ratings::rate(system, &settings, &mut games)?;
    rated.ratings.sort_by(|one, other| {
        let role = |rating: &Rating| rating.role == Role::Problem;
        role(one).cmp(&role(other)).then(other.rating.total_cmp(&one.rating))
    });
    if let Some(out) = &args.out {
        let mut writer = Writer::create(out)?;
        for rating in &rated.ratings {
            writer.write(rating)?;
        }
        writer.finish()?;
    }
    output(args, system, &rated)
}

fn output(args: &Args, system: &RatingSystem, rated: &Rated) -> Result<Output, Failure> {
    let against = match &args.against {
        None => None,
        Some(name) => {
            let found = rated.ratings.iter().find(|rating| rating.name == *name);
            let nobody = || Failure::usage(format!("--against {name}: no such name in the games"));
            Some(found.ok_or_else(nobody)?)
        }
    };
    let lines: Vec<Line<'_>> = rated
        .ratings
        .iter()
        .map(|rating| Line {
            rating,
            expected: against.map(|against| rated.expected(rating, against)),
        })
        .collect();
    let mut human = Vec::new();
    for (role, caption) in [(Role::Player, "Players"), (Role::Problem, "Problems, hardest first")] {
        let of_role: Vec<_> = lines.iter().filter(|line| line.rating.role == role).collect();
        if !of_role.is_empty() {
            human.push(Block::Table(table(caption, &of_role, args.against.as_deref())));
            human.push(Block::Text("\n".into()));
        }
    }
    human.push(Block::Text(facts(system, rated)));
    let mut notes = rated.notes.clone();
    notes.extend(args.out.iter().map(|out| format!("Ratings are in {}.", out.display())));
    Ok(Output {
        human,
        json: lines.iter().map(json_line).collect(),
        quiet: lines
            .iter()
            .map(|line| format!("{}\t{}", line.rating.name, line.rating.rating))
            .collect(),
        notes,
        exit: ExitCode::Done,
    })
}

fn table(caption: &str, lines: &[&Line<'_>], against: Option<&str>) -> Table {
    let mut columns = vec![
        Column::text("name"),
        Column::number("rating"),
        Column::number("std. error"),
        Column::number("volatility"),
        Column::number("score"),
        Column::number("games"),
    ];
    columns.extend(against.map(|name| Column::number(format!("expected against {name}"))));
    let deviates = lines.iter().any(|line| line.rating.deviation.is_some());
    let volatile = lines.iter().any(|line| line.rating.volatility.is_some());
    let decimals = if lines.iter().any(|line| line.rating.rating.abs() > 200.0) { 1 } else { 3 };
    let shown = |cells: Vec<Cell>| -> Vec<Cell> {
        let keep = |at: usize| (at != 2 || deviates) && (at != 3 || volatile);
        cells.into_iter().enumerate().filter(|&(at, _)| keep(at)).map(|(_, cell)| cell).collect()
    };
    let row = |line: &&Line<'_>| {
        let Rating { name, rating, deviation, volatility, games, score, .. } = line.rating;
        let optional = |value: Option<f64>, decimals| {
            value.map_or_else(|| Cell::absent("-"), |value| Number::decimal(value, decimals).into())
        };
        let mut cells = vec![
            name.clone().into(),
            Number::decimal(*rating, decimals).into(),
            optional(*deviation, decimals),
            optional(*volatility, 4),
            Number::decimal(*score, 1).into(),
            Number::count(*games).into(),
        ];
        cells.extend(line.expected.map(|expected| {
            Cell::from(Number::percent(expected.value).within(expected.low, expected.high))
        }));
        shown(cells)
    };
    let rows = lines.iter().map(row).collect();
    let mut at = 0;
    columns.retain(|_| {
        at += 1;
        (at != 3 || deviates) && (at != 4 || volatile)
    });
    Table { caption: caption.into(), columns, rows, notes: Vec::new() }
}

fn facts(system: &RatingSystem, rated: &Rated) -> String {
    let mut text = format!("{} games, {} ({}).", rated.games, system.name, system.source);
    if rated.repeats > 0 {
        text += &format!("\n{} repeated games were not counted.", rated.repeats);
    }
    if let Some((first, last)) = rated.periods {
        text += &format!("\nRating periods {first} to {last}.");
    }
    text
}

/// `--set parameter=value`, each value as JSON, else as text.
fn parameters(set: &[String]) -> Result<serde_json::Value, Failure> {
    if set.is_empty() {
        return Ok(serde_json::Value::Null);
    }
    let mut parameters = serde_json::Map::new();
    for pair in set {
        let Some((name, value)) = pair.split_once('=') else {
            return Err(Failure::usage(format!("--set {pair}: expected PARAMETER=VALUE")));
        };
        let value = serde_json::from_str(value).unwrap_or_else(|_| value.into());
        parameters.insert(name.to_owned(), value);
    }
    Ok(parameters.into())
}
