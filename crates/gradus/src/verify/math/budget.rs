//! Work is counted, not timed, so that the same input gets the same verdict on
//! every machine and every thread.

/// Why a comparison ended without an answer; the text names where.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct Spent(pub(super) &'static str);

/// Units of work that are left. A unit is about one step over a 64-bit word or
/// one token: 10 to 30 ns on a current machine.
#[derive(Clone, Debug)]
pub(super) struct Budget {
    left: u64,
}

impl Budget {
    pub(super) fn new(units: u64) -> Self {
        Self { left: units }
    }

    /// Takes `units`, or says that the budget is spent.
    pub(super) fn spend(&mut self, units: u64) -> Result<(), Spent> {
        let left = self.left.checked_sub(units);
        self.left = left.unwrap_or(0);
        left.map(|_| ()).ok_or(Spent("budget-spent"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_spent_budget_stays_spent() {
        let mut budget = Budget::new(10);
        assert_eq!(budget.spend(7), Ok(()));
        assert_eq!(budget.spend(4), Err(Spent("budget-spent")));
        assert_eq!(budget.spend(1), Err(Spent("budget-spent")));
    }
}
