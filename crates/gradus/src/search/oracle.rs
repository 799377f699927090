//! The oracle takes a correct answer if there is one: pass@n, by the unbiased
//! formula of Chen et al. 2021 (arXiv 2107.03374, equation 1).

use super::{Needs, Selector};
use crate::stats::pass_at_k;

pub(super) const SELECTOR: Selector = Selector {
    name: "oracle",
    summary: "a correct answer, if any sample has one (pass@n)",
    needs: Needs::Nothing,
    select: |samples, drawn, _, _| {
        f64::from(u8::from(drawn.iter().any(|&slot| samples.is_correct(slot))))
    },
    expectation: Some(|samples, n| {
        let slots = samples.answers.len() as u64;
        let correct = (0..slots as u32).filter(|&slot| samples.is_correct(slot)).count();
        pass_at_k(slots, correct as u64, n as u64).expect("n is from 1 to the number of samples")
    }),
};
