use std::path::PathBuf;

use gradus::report::{html, picture, readme, splice};
use gradus::run::write_file;

use crate::exit_code::ExitCode;
use crate::failure::Failure;
use crate::finished::Finished;
use crate::graded_page;
use crate::output::{Block, Output, json_line};
use crate::recipes;

/// Write the report of finished runs again, or of graded samples, and show it
///
/// The page is made from `results.json` and `run.json` alone, so it can be made of a
/// run that was copied from elsewhere, and by a newer gradus.
///
/// Of a file of completions that `gradus verify samples --json` graded, the report is the
/// accuracy, what selection among samples adds, and the verdicts; it goes beside the rows.
///
/// With --splice, the headline figures of each run replace what stands in a Markdown file
/// between `<!-- gradus:RECIPE -->` and `<!-- /gradus:RECIPE -->`. With --splice or
/// --picture, nothing is written into the run directories; and nothing at all is
/// written before every run has been read and every marker found.
///
/// Examples:
///   gradus report runs/2026-11-24_easy-to-hard_1a2b3c
///   gradus report graded.jsonl --problems problems.jsonl
///   gradus report record/2026-11-24_easy-to-hard --splice README.md \
///       --picture docs/easy-to-hard.svg
#[derive(Debug, clap::Args)]
#[command(verbatim_doc_comment)]
pub(crate) struct Args {
    /// Run directories, or files of graded completions.
    #[arg(required = true, value_name = "RUN")]
    runs: Vec<PathBuf>,
    /// The problems of graded completions, for their levels.
    #[arg(long, value_name = "FILE")]
    problems: Option<PathBuf>,
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
    let only_elsewhere = args.splice.is_some() || args.picture.is_some();
    // All that will be written, before the first file is touched.
    let mut files: Vec<(PathBuf, String)> = Vec::new();
    let mut markdown =
        match &args.splice {
            Some(file) => Some(std::fs::read_to_string(file).map_err(|error| {
                Failure::usage(format!("cannot read {}: {error}", file.display()))
            })?),
            None => None,
        };
    let mut chart = None;
    for dir in &args.runs {
        if dir.is_file() {
            let (page, points) = graded_page::page(dir, args.problems.as_deref())?;
            if args.picture.is_some() {
                chart = picture(&page);
            }
            if !only_elsewhere {
                files.push((dir.with_extension("html"), html(&page)));
            }
            output.human.push(Block::Page(page));
            output.json.extend(points.iter().map(json_line));
            continue;
        }
        let run = Finished::read(dir)?;
        let place = dir.join("results.json");
        let study = recipes::study(run.study(), &place.display().to_string())?;
        let page = study.page(&run.results, &run.record)?;
        if let (Some(file), Some(text)) = (&args.splice, &mut markdown) {
            let recipe = run.record["recipe"].as_str().unwrap_or_default();
            *text = splice(text, recipe, &readme(&page))
                .map_err(|error| Failure::usage(format!("{}: {error}", file.display())))?;
        }
        if args.picture.is_some() {
            let svg = picture(&page)
                .ok_or_else(|| Failure::usage(format!("{} has no chart", dir.display())))?;
            chart = Some(svg);
        }
        if !only_elsewhere {
            files.push((dir.join("report.html"), html(&page)));
        }
        output.human.push(Block::Page(page));
        output.json.push(json_line(&run.results));
    }
    files.extend(args.splice.clone().zip(markdown));
    files.extend(args.picture.clone().zip(chart));
    for (path, text) in &files {
        write_file(path, text.as_bytes())?;
        output.quiet.push(path.display().to_string());
        output.notes.push(format!("written  {}", path.display()));
    }
    Ok(output)
}
