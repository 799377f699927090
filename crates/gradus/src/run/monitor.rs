use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use super::RunError;

/// What a run tells whoever watches it. Only the command line draws.
#[derive(Clone, Debug, PartialEq)]
pub enum Event {
    /// A stage begins, or its result was found in the store.
    StageStarted {
        /// Name of the stage.
        stage: String,
        /// Whether the result was found in the store.
        cached: bool,
    },
    /// Part of a stage is done.
    Progress {
        /// Name of the stage.
        stage: String,
        /// Units done so far.
        done: u64,
        /// Units in all.
        total: u64,
        /// What is counted, as "steps" or "rows".
        unit: &'static str,
    },
    /// So many tokens were sampled since the stage began; goes with its progress.
    Tokens {
        /// Tokens so far.
        tokens: u64,
    },
    /// A stage's result is in the store.
    StageFinished {
        /// Name of the stage.
        stage: String,
        /// Wall time; 0 for a result found in the store.
        seconds: f64,
    },
    /// Something worth a line.
    Note {
        /// The line.
        text: String,
    },
}

/// Where work reports to and asks whether to go on; clones share both.
#[derive(Clone)]
pub struct Monitor {
    watch: Arc<dyn Fn(&Event) + Send + Sync>,
    cancel: Arc<AtomicBool>,
}

impl fmt::Debug for Monitor {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Monitor").field("cancel", &self.cancel).finish_non_exhaustive()
    }
}

impl Monitor {
    /// Tells no one and is never cancelled.
    pub fn silent() -> Self {
        Self::new(|_| (), Arc::default())
    }

    /// Tells `watch`, from whichever thread works; stops once `cancel` is set.
    pub fn new(watch: impl Fn(&Event) + Send + Sync + 'static, cancel: Arc<AtomicBool>) -> Self {
        Self { watch: Arc::new(watch), cancel }
    }

    /// Passes an event on.
    pub fn emit(&self, event: &Event) {
        (self.watch)(event);
    }

    /// `done` of `total` units of the stage are done. Cheap enough to call once per step or batch.
    pub fn progress(&self, stage: &str, done: u64, total: u64, unit: &'static str) {
        self.emit(&Event::Progress { stage: stage.into(), done, total, unit });
    }

    /// Something worth a line.
    pub fn note(&self, text: impl Into<String>) {
        self.emit(&Event::Note { text: text.into() });
    }

    /// Whether the work was asked to stop.
    pub fn cancelled(&self) -> bool {
        self.cancel.load(Ordering::Relaxed)
    }

    /// [`RunError::Interrupted`] once the work was asked to stop.
    pub fn check(&self) -> Result<(), RunError> {
        if self.cancelled() { Err(RunError::Interrupted) } else { Ok(()) }
    }

    /// A monitor that tells `also` first, then this one, and shares its cancellation.
    pub(super) fn tee(&self, also: impl Fn(&Event) + Send + Sync + 'static) -> Self {
        let first = self.clone();
        let cancel = Arc::clone(&self.cancel);
        Self::new(
            move |event| {
                also(event);
                first.emit(event);
            },
            cancel,
        )
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use super::*;

    #[test]
    fn cancelling_interrupts_every_clone() {
        let cancel = Arc::new(AtomicBool::new(false));
        let monitor = Monitor::new(|_| (), Arc::clone(&cancel));
        let clone = monitor.tee(|_| ());
        assert!(monitor.check().is_ok() && clone.check().is_ok());
        cancel.store(true, Ordering::Relaxed);
        assert!(matches!(monitor.check(), Err(RunError::Interrupted)));
        assert!(clone.cancelled());
    }

    #[test]
    fn a_tee_tells_both() {
        let seen = Arc::new(Mutex::new(Vec::new()));
        let (first, second) = (Arc::clone(&seen), Arc::clone(&seen));
        let outer = Monitor::new(move |_| first.lock().unwrap().push("outer"), Arc::default());
        outer.tee(move |_| second.lock().unwrap().push("also")).note("hello");
        assert_eq!(*seen.lock().unwrap(), ["also", "outer"]);
    }
}
