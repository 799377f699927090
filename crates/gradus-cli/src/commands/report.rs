use std::path::PathBuf;

use gradus::report::html;
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
/// Example: gradus report runs/2026-11-24_easy-to-hard_1a2b3c
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Run directories.
    #[arg(required = true, value_name = "RUN")]
    runs: Vec<PathBuf>,
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
        let folder = Work::scratch(dir, "report", Monitor::silent())?;
        folder.write("report.html", &html(&page))?;
        let path = folder.path("report.html");
        output.human.push(Block::Page(page));
        output.json.push(json_line(&run.results));
        output.quiet.push(path.display().to_string());
        output.notes.push(format!("report  {}", path.display()));
    }
    Ok(output)
}
