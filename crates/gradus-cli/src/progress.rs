use std::io::{self, IsTerminal};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use gradus::run::{Event, Monitor};
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use crate::exit_code::ExitCode;
use crate::failure::Failure;
use crate::output::talk;

/// How often a line is written where no bar can be drawn.
const INTERVAL: Duration = Duration::from_secs(10);

/// How much of the way is shown, on standard error.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Shown {
    /// A bar on a terminal, else a line now and then.
    Progress,
    /// Finished stages and notes only (`--no-progress`).
    Stages,
    /// Nothing (`--quiet`).
    Nothing,
}

/// A monitor that shows progress and stops on Ctrl-C: the first ends the work
/// at its next safe point, a second one ends the program at once.
pub(crate) fn monitor(shown: Shown) -> Result<Monitor, Failure> {
    let cancel = Arc::new(AtomicBool::new(false));
    let flag = Arc::clone(&cancel);
    ctrlc::set_handler(move || {
        if flag.swap(true, Ordering::Relaxed) {
            #[expect(
                clippy::exit,
                reason = "the user asked twice; every file is whole at any time"
            )]
            std::process::exit(i32::from(ExitCode::Interrupted as u8));
        }
        talk("stopping at the next safe point; Ctrl-C again stops at once");
    })
    .map_err(|error| Failure::of(ExitCode::Bug, &error))?;
    let watcher = Watcher::new(shown);
    Ok(Monitor::new(move |event| watcher.see(event), cancel))
}

/// Counts work that ends as a whole and leaves nothing half done.
pub(crate) struct Counter {
    watcher: Watcher,
    unit: &'static str,
}

impl Counter {
    pub(crate) fn new(shown: Shown, unit: &'static str) -> Self {
        Self { watcher: Watcher::new(shown), unit }
    }

    /// Of the work called `stage` so much is done.
    pub(crate) fn see(&self, stage: &str, done: usize, total: usize) {
        let (stage, unit) = (stage.to_owned(), self.unit);
        let event = Event::Progress { stage, done: done as u64, total: total as u64, unit };
        self.watcher.see(&event);
    }
}

struct Watcher {
    shown: Shown,
    bar: Option<ProgressBar>,
    state: Mutex<State>,
}

struct State {
    stage: String,
    last_line: Instant,
    /// Tokens sampled so far, where they are told.
    tokens: Option<u64>,
    /// When the stage's first progress came, and how much had been done by then.
    first: Option<(Instant, u64)>,
}

impl State {
    /// How fast it goes, of stages that tell their tokens.
    fn speed(&mut self, done: u64) -> String {
        let (began, before) = *self.first.get_or_insert((Instant::now(), done));
        let seconds = began.elapsed().as_secs_f64();
        match self.tokens {
            Some(tokens) if seconds > 0.5 => {
                let rows = done.saturating_sub(before) as f64 / seconds;
                format!(", {rows:.1}/s, {:.0} tokens/s", tokens as f64 / seconds)
            }
            _ => String::new(),
        }
    }
}

impl Watcher {
    fn new(shown: Shown) -> Self {
        let bar = (shown == Shown::Progress && io::stderr().is_terminal()).then(|| {
            let bar = ProgressBar::with_draw_target(None, ProgressDrawTarget::stderr_with_hz(5));
            bar.set_style(
                ProgressStyle::with_template(
                    "{msg}  [{bar:30}] {human_pos} of {human_len} {prefix}, {eta} left",
                )
                .expect("the template is well-formed")
                .progress_chars("=> "),
            );
            // Nothing is drawn before there is something to count.
            bar.finish_and_clear();
            bar
        });
        let state =
            State { stage: String::new(), last_line: Instant::now(), tokens: None, first: None };
        Self { shown, bar, state: Mutex::new(state) }
    }

    fn see(&self, event: &Event) {
        if self.shown == Shown::Nothing {
            return;
        }
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        match event {
            Event::StageStarted { stage, cached: true } => {
                self.line(&format!("{stage}: found in the store"));
                state.stage.clear();
            }
            Event::StageStarted { stage, cached: false } => {
                state.stage.clone_from(stage);
                state.last_line = Instant::now();
                (state.tokens, state.first) = (None, None);
            }
            Event::Tokens { tokens } => state.tokens = Some(*tokens),
            Event::Progress { stage, done, total, unit } => {
                let speed = state.speed(*done);
                if let Some(bar) = &self.bar {
                    bar.set_length(*total);
                    if bar.is_finished() {
                        bar.set_message(stage.clone());
                        bar.reset();
                    }
                    bar.set_prefix(format!("{unit}{speed}"));
                    bar.set_position(*done);
                } else if self.shown == Shown::Progress && state.last_line.elapsed() >= INTERVAL {
                    state.last_line = Instant::now();
                    self.line(&format!("{stage}: {done} of {total} {unit}{speed}"));
                }
            }
            Event::StageFinished { stage, seconds } => {
                if let Some(bar) = &self.bar {
                    bar.finish_and_clear();
                }
                // A stage that was found in the store has had its line.
                if state.stage == *stage {
                    self.line(&format!("{stage}: {seconds:.1} s"));
                    state.stage.clear();
                }
            }
            Event::Note { text } => self.line(text),
        }
    }

    /// A line of its own, above the bar where there is one.
    fn line(&self, line: &str) {
        match &self.bar {
            Some(bar) => bar.suspend(|| talk(line)),
            None => talk(line),
        }
    }
}

impl Drop for Watcher {
    fn drop(&mut self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }
}
