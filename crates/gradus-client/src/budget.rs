use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::config::{Budget, Price};

/// What a server has done for us.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Usage {
    /// Requests sent, repeated ones included.
    pub requests: u64,
    /// Requests that failed and were repeated or given up; refused ones are not among them.
    pub failed: u64,
    /// Rows taken from the cache.
    pub cached: u64,
    /// Tokens of prompts.
    pub prompt_tokens: u64,
    /// Tokens of completions.
    pub completion_tokens: u64,
    /// US dollars by the price table; none without a price.
    pub dollars: Option<f64>,
}

/// Prompt and completion tokens.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(crate) struct Tokens {
    pub(crate) prompt: u64,
    pub(crate) completion: u64,
}

impl Tokens {
    fn plus(self, other: Self) -> Self {
        Self {
            prompt: self.prompt.saturating_add(other.prompt),
            completion: self.completion.saturating_add(other.completion),
        }
    }

    fn minus(self, other: Self) -> Self {
        Self {
            prompt: self.prompt.saturating_sub(other.prompt),
            completion: self.completion.saturating_sub(other.completion),
        }
    }

    fn total(self) -> u64 {
        self.prompt.saturating_add(self.completion)
    }

    fn dollars(self, price: Price) -> f64 {
        (self.prompt as f64 * price.prompt + self.completion as f64 * price.completion) / 1e6
    }
}

#[derive(Default)]
struct State {
    spent: Tokens,
    reserved: Tokens,
    under_way: u32,
}

/// Counts what was spent and keeps room for the worst case of what is under way,
/// so that no answer can carry the run past its budget.
pub(crate) struct Ledger {
    budget: Budget,
    price: Option<Price>,
    state: Mutex<State>,
    freed: Condvar,
}

/// Why a request may not be sent.
#[derive(Debug, Eq, PartialEq)]
pub(crate) enum Refusal {
    /// The next request could pass the budget.
    Spent(String),
    /// The call was cancelled while waiting.
    Cancelled,
}

/// How often a waiting request looks whether it was cancelled.
const LOOK: Duration = Duration::from_millis(50);

impl Ledger {
    pub(crate) fn new(budget: Budget, price: Option<Price>) -> Self {
        Self { budget, price, state: Mutex::default(), freed: Condvar::new() }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Which limit `tokens` would pass.
    fn passed(&self, tokens: Tokens) -> Option<String> {
        if let Some(limit) = self.budget.tokens.filter(|&limit| tokens.total() > limit) {
            return Some(format!("{limit} tokens"));
        }
        let dollars = self.price.map_or(0.0, |price| tokens.dollars(price));
        let limit = self.budget.dollars.filter(|&limit| dollars > limit)?;
        Some(format!("${limit}"))
    }

    /// Keeps room for a request that takes at most `worst`; waits for room that
    /// requests under way may give back.
    pub(crate) fn reserve(
        &self,
        worst: Tokens,
        cancelled: &dyn Fn() -> bool,
    ) -> Result<(), Refusal> {
        let mut state = self.state();
        loop {
            let Some(limit) = self.passed(state.spent.plus(state.reserved).plus(worst)) else {
                state.reserved = state.reserved.plus(worst);
                state.under_way += 1;
                return Ok(());
            };
            if cancelled() {
                return Err(Refusal::Cancelled);
            }
            if state.under_way == 0 {
                return Err(Refusal::Spent(format!(
                    "the budget of {limit} does not allow the next request: {} tokens are \
                     spent{}, and it may take {} more",
                    state.spent.total(),
                    self.price.map_or_else(String::new, |price| {
                        format!(" (${:.6})", state.spent.dollars(price))
                    }),
                    worst.total()
                )));
            }
            let waited = self.freed.wait_timeout(state, LOOK);
            state = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    /// Gives back what was kept and counts what was spent instead.
    pub(crate) fn settle(&self, worst: Tokens, spent: Tokens) {
        let mut state = self.state();
        state.reserved = state.reserved.minus(worst);
        state.under_way = state.under_way.saturating_sub(1);
        state.spent = state.spent.plus(spent);
        self.freed.notify_all();
    }

    /// Tokens and dollars spent so far.
    pub(crate) fn usage(&self) -> Usage {
        let spent = self.state().spent;
        Usage {
            prompt_tokens: spent.prompt,
            completion_tokens: spent.completion,
            dollars: self.price.map(|price| spent.dollars(price)),
            ..Usage::default()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn tokens(prompt: u64, completion: u64) -> Tokens {
        Tokens { prompt, completion }
    }

    fn never() -> bool {
        false
    }

    #[test]
    fn a_request_waits_for_room_and_is_refused_when_none_can_come() {
        let ledger = Ledger::new(Budget { tokens: Some(100), dollars: None }, None);
        ledger.reserve(tokens(10, 50), &never).unwrap();
        std::thread::scope(|scope| {
            let second = scope.spawn(|| ledger.reserve(tokens(10, 50), &never));
            std::thread::sleep(Duration::from_millis(20));
            assert!(!second.is_finished());
            ledger.settle(tokens(10, 50), tokens(8, 2));
            second.join().unwrap().unwrap();
        });
        ledger.settle(tokens(10, 50), tokens(10, 50));
        let refused = ledger.reserve(tokens(10, 50), &never).unwrap_err();
        assert!(matches!(&refused, Refusal::Spent(reason) if reason.contains("70 tokens are")));
        assert_eq!(ledger.usage().prompt_tokens, 18);
    }

    #[test]
    fn money_is_counted_by_the_price_table() {
        let price = Price { prompt: 1.0, completion: 2.0 };
        let ledger = Ledger::new(Budget { tokens: None, dollars: Some(5.0) }, Some(price));
        ledger.reserve(tokens(1_000_000, 2_000_000), &never).unwrap();
        ledger.settle(tokens(1_000_000, 2_000_000), tokens(1_000_000, 1_500_000));
        assert_eq!(ledger.usage().dollars, Some(4.0));
        ledger.reserve(tokens(1_000_000, 0), &never).unwrap();
        ledger.settle(tokens(1_000_000, 0), tokens(1_000_000, 0));
        assert!(matches!(ledger.reserve(tokens(0, 1), &never), Err(Refusal::Spent(_))));
    }

    #[test]
    fn waiting_ends_when_cancelled() {
        let ledger = Ledger::new(Budget { tokens: Some(10), dollars: None }, None);
        ledger.reserve(tokens(10, 0), &never).unwrap();
        assert_eq!(ledger.reserve(tokens(1, 0), &|| true), Err(Refusal::Cancelled));
    }
}
