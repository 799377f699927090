use std::path::{Path, PathBuf};

use gradus::report::{html, picture, readme, splice};
use gradus::run::{Monitor, Work};

use crate::exit_code::ExitCode;
use crate::failure::Failure;
use crate::finished::Finished;
use crate::output::{Block, Output, json_line};
use crate::recipes;

/// Write the report of finished runs again, and show it.
///
/// The page is made from `results.json` and `run.json` alone, so it can be made of a
/// run that was copied from elsewhere, and by a newer gradus.
///
/// With --splice, the headline figures of each run replace what stands in a Markdown file
/// between `<!-- gradus:RECIPE -->` and `<!-- /gradus:RECIPE -->`.
///
/// Examples:
///   gradus report runs/2026-11-24_easy-to-hard_1a2b3c
///   gradus report record/2026-11-24_easy-to-hard --splice README.md --picture docs/easy-to-hard.svg
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Run directories.
    #[arg(required = true, value_name = "RUN")]
    runs: Vec<PathBuf>,
    /// Put the headline figures into this Markdown file, between the markers of the recipe's name.
    #[arg(long, value_name = "FILE")]
    splice: Option<PathBuf>,
    /// Write the first chart of the (last) run to this SVG file.
    #[arg(long, value_name = "FILE")]
    picture: Option<PathBuf>,
}

pub(crate) fn run(args: &Args) -> Result<Output, Failure> {
    let mut output = Output {
        human: Vec::new(),
        json: Vec::new(),
        quiet: Vec::new(),
        notes: Vec::new(),
        exit: ExitCode::Done,
    };
    for dir in &args.runs {
        let run = Finished::read(dir)?;
        let place = dir.join("results.json");
        let study = recipes::study(run.study(), &place.display().to_string())?;
        let page = study.page(&run.results, &run.record)?;
        let path = dir.join("report.html");
        write(&path, &html(&page))?;
        if let Some(file) = &args.splice {
            let recipe = run.record["recipe"].as_str().unwrap_or_default();
            let text = std::fs::read_to_string(file).map_err(|error| {
                Failure::usage(format!("cannot read {}: {error}", file.display()))
            })?;
            let spliced = splice(&text, recipe, &readme(&page))
                .map_err(|error| Failure::usage(format!("{}: {error}", file.display())))?;
            write(file, &spliced)?;
        }
        if let Some(file) = &args.picture {
            let svg = picture(&page)
                .ok_or_else(|| Failure::usage(format!("{} has no chart", dir.display())))?;
            write(file, &svg)?;
        }
        output.human.push(Block::Page(page));
        output.json.push(json_line(&run.results));
        output.quiet.push(path.display().to_string());
        output.notes.push(format!("report  {}", path.display()));
    }
    Ok(output)
}

/// Writes a file whole or not at all.
fn write(path: &Path, text: &str) -> Result<(), Failure> {
    let folder = path.parent().unwrap_or(Path::new(""));
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    Ok(Work::scratch(folder.join("."), "report", Monitor::silent())?.write(&name, text)?)
}
