//! One call of a trait: its requests go out side by side, its rows come back one by one.

use std::ops::ControlFlow;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::mpsc::{RecvTimeoutError, SyncSender, sync_channel};
use std::sync::{Condvar, Mutex, PoisonError};
use std::time::{Duration, Instant};

use gradus::lm::LmError;
use gradus::run::Stream;
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::budget::{Refusal, Tokens};
use super::cache;
use super::http::Failed;
use super::retry;
use super::server::Server;

/// How often a call looks whether it is to stop.
const LOOK: Duration = Duration::from_millis(50);
/// After so many requests in a row were given up, the server counts as gone.
const GIVEN_UP_IN_A_ROW: u32 = 3;

/// A request that may be sent several times.
pub(crate) struct Message {
    pub(crate) url: String,
    /// JSON; without it the request is a GET.
    pub(crate) body: Option<Vec<u8>>,
    /// Most tokens that an answer can take.
    pub(crate) worst: Tokens,
    pub(crate) attempts: u32,
    /// Asks what the server can do: an endpoint that is not there is an answer too.
    pub(crate) probe: bool,
}

/// There is no answer to a message.
#[derive(Debug)]
pub(crate) enum NoAnswer {
    /// It was refused.
    Row(String),
    /// All its attempts failed.
    GivenUp(String),
    /// Nothing further is sent; what is under way is waited for.
    Enough(LmError),
    /// Everything ends.
    Gone(LmError),
    Cancelled,
}

/// The state that the threads of one call share.
pub(crate) struct Call<'a> {
    server: &'a Server,
    cancelled: AtomicBool,
    full: AtomicBool,
    sleepers: (Mutex<()>, Condvar),
}

impl<'a> Call<'a> {
    fn new(server: &'a Server) -> Self {
        let (cancelled, full) = (AtomicBool::new(false), AtomicBool::new(false));
        Self { server, cancelled, full, sleepers: Default::default() }
    }

    fn is_cancelled(&self) -> bool {
        self.cancelled.load(Ordering::Relaxed)
    }

    fn cancel(&self) {
        self.cancelled.store(true, Ordering::Relaxed);
        self.server.http.interrupt();
        drop(self.sleepers.0.lock());
        self.sleepers.1.notify_all();
    }

    /// Sleeps, or less if the call is cancelled.
    fn sleep(&self, pause: Duration) {
        let until = Instant::now() + pause;
        let mut guard = self.sleepers.0.lock().unwrap_or_else(PoisonError::into_inner);
        loop {
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() || self.is_cancelled() {
                return;
            }
            let waited = self.sleepers.1.wait_timeout(guard, left);
            guard = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    /// The answer to a message, from the cache where it is there.
    pub(crate) fn ask<T: DeserializeOwned + Serialize>(
        &self,
        message: &Message,
        read: impl Fn(&[u8]) -> Result<(T, Option<Tokens>), String>,
    ) -> Result<T, NoAnswer> {
        let body = message.body.as_deref().unwrap_or_default();
        let name = cache::name(&message.url, body, 0);
        if let Some(answer) = self.server.cached(&name) {
            return Ok(answer);
        }
        let answer = self.exchange(message, read)?;
        self.keep(&name, &answer)?;
        Ok(answer)
    }

    /// Keeps an answer in the cache, where there is one.
    pub(crate) fn keep<T: Serialize>(
        &self,
        name: &cache::Name,
        answer: &T,
    ) -> Result<(), NoAnswer> {
        let Some(cache) = &self.server.cache else { return Ok(()) };
        cache.put(name, answer).map_err(|reason| NoAnswer::Enough(self.server.failed(reason)))
    }

    /// Sends a message until an answer can be read, for as many attempts as it has.
    ///
    /// `read` gives what the answer says and the tokens that it counts; its error is a fault
    /// of the answer's form, after which the message is sent again.
    pub(crate) fn exchange<T>(
        &self,
        message: &Message,
        read: impl Fn(&[u8]) -> Result<(T, Option<Tokens>), String>,
    ) -> Result<T, NoAnswer> {
        let server = self.server;
        let counts = &server.counts;
        let mut last = String::new();
        for attempt in 0..message.attempts {
            server.ledger.reserve(message.worst, &|| self.is_cancelled()).map_err(|refusal| {
                match refusal {
                    Refusal::Spent(reason) => NoAnswer::Enough(server.failed(reason)),
                    Refusal::Cancelled => NoAnswer::Cancelled,
                }
            })?;
            let number = counts.requests.fetch_add(1, Ordering::Relaxed);
            let sent = server.http.send(&message.url, message.body.as_deref());
            let outcome = sent.and_then(|bytes| {
                read(&bytes).map_err(|reason| Failed::Passing {
                    reason: format!("{reason}; the answer was {}", server.http.quote(&bytes)),
                    wait: None,
                    billed: true,
                })
            });
            // Who does not say what he counted may have counted the worst.
            let spent = match &outcome {
                Ok((_, spent)) => spent.unwrap_or(message.worst),
                Err(Failed::Passing { billed: true, .. } | Failed::TooLong(_)) => message.worst,
                Err(_) => Tokens::default(),
            };
            server.ledger.settle(message.worst, spent);
            if outcome.is_err() && self.is_cancelled() {
                return Err(NoAnswer::Cancelled);
            }
            let (reason, wait) = match outcome {
                Ok((answer, _)) => {
                    counts.given_up_in_a_row.store(0, Ordering::Relaxed);
                    return Ok(answer);
                }
                Err(Failed::Refused(reason) | Failed::TooLong(reason)) => {
                    counts.given_up_in_a_row.store(0, Ordering::Relaxed);
                    return Err(NoAnswer::Row(reason));
                }
                Err(Failed::Missing(reason)) if message.probe => {
                    return Err(NoAnswer::Row(reason));
                }
                Err(Failed::Missing(reason)) => {
                    let reason = format!("{reason} (asked at {})", message.url);
                    return Err(NoAnswer::Gone(server.unavailable(reason)));
                }
                Err(Failed::Gone(reason)) => {
                    return Err(NoAnswer::Gone(server.unavailable(reason)));
                }
                Err(Failed::Passing { reason, wait, .. }) => (reason, wait),
            };
            counts.failed.fetch_add(1, Ordering::Relaxed);
            last = reason;
            if attempt + 1 < message.attempts {
                let seed = u64::from(std::process::id());
                let mut jitter = Stream::new(seed, &["retry", &number.to_string()]);
                let pause = retry::pause(server.config.retry_seconds, attempt, &mut jitter);
                self.sleep(pause.max(wait.unwrap_or_default()));
                if self.is_cancelled() {
                    return Err(NoAnswer::Cancelled);
                }
            }
        }
        let reason = format!("{} attempts failed, the last with: {last}", message.attempts);
        let before = counts.given_up_in_a_row.fetch_add(1, Ordering::Relaxed);
        if before + 1 >= GIVEN_UP_IN_A_ROW {
            return Err(NoAnswer::Gone(server.unavailable(format!(
                "{GIVEN_UP_IN_A_ROW} requests in a row were given up; of the last one {reason}"
            ))));
        }
        Err(NoAnswer::GivenUp(reason))
    }
}

/// Takes what a job has to hand on; `Break` once nobody takes it any more.
pub(crate) type Emit<'a, T> = dyn FnMut(T) -> ControlFlow<()> + 'a;

/// Works jobs off side by side, at most `max_connections` at once, and delivers on the
/// calling thread what they emit. Ends early, without an error, when `deliver` breaks or
/// the monitor is cancelled; connections are cut then.
pub(crate) fn each<J: Sync, T: Send>(
    server: &Server,
    jobs: &[J],
    work: impl Fn(&J, &Call<'_>, &mut Emit<'_, T>) -> Result<(), NoAnswer> + Sync,
    mut deliver: impl FnMut(T) -> ControlFlow<()>,
) -> Result<(), LmError> {
    let threads = server.config.max_connections.min(jobs.len());
    let before = server.usage();
    let call = Call::new(server);
    let next = AtomicUsize::new(0);
    let ended: Mutex<Option<LmError>> = Mutex::new(None);
    let run = |sender: SyncSender<T>| {
        while !call.full.load(Ordering::Relaxed) && !call.is_cancelled() {
            let Some(job) = jobs.get(next.fetch_add(1, Ordering::Relaxed)) else { return };
            let mut emit = |value| match sender.send(value) {
                Ok(()) => ControlFlow::Continue(()),
                Err(_) => ControlFlow::Break(()),
            };
            let error = match work(job, &call, &mut emit) {
                Ok(()) => continue,
                Err(NoAnswer::Cancelled) => return,
                // A job that has no rows to put it in: the call's own error.
                Err(NoAnswer::Row(reason) | NoAnswer::GivenUp(reason)) => server.failed(reason),
                Err(NoAnswer::Enough(error)) => error,
                Err(NoAnswer::Gone(error)) => {
                    keep_first(&ended, error);
                    return call.cancel();
                }
            };
            keep_first(&ended, error);
            call.full.store(true, Ordering::Relaxed);
        }
    };
    std::thread::scope(|scope| {
        // Bounded: answers wait at the server, not here, when the sink is slow.
        let (sender, receiver) = sync_channel(2 * threads.max(1));
        for _ in 0..threads {
            let (run, sender) = (&run, sender.clone());
            scope.spawn(move || run(sender));
        }
        drop(sender);
        loop {
            let flow = match receiver.recv_timeout(LOOK) {
                Ok(value) => deliver(value),
                Err(RecvTimeoutError::Timeout) => ControlFlow::Continue(()),
                Err(RecvTimeoutError::Disconnected) => return,
            };
            if flow.is_break() || server.monitor.cancelled() {
                call.cancel();
                return;
            }
        }
    });
    let after = server.usage();
    let failed = after.failed - before.failed;
    if failed > 0 {
        server.monitor.note(format!(
            "{}: {failed} of {} requests failed; a request is sent up to {} times",
            server.label(),
            after.requests - before.requests,
            server.config.attempts
        ));
    }
    match ended.into_inner().unwrap_or_else(PoisonError::into_inner) {
        Some(error) => Err(error),
        None => Ok(()),
    }
}

/// Of several errors the first is the cause.
fn keep_first(ended: &Mutex<Option<LmError>>, error: LmError) {
    ended.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert(error);
}
