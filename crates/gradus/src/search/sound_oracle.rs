//! The oracle that lucky answers do not satisfy: a sample counts only if its
//! answer is correct and every step on the way to it is valid.

use super::{Needs, Samples, Selector};
use crate::stats::pass_at_k;

pub(super) const SELECTOR: Selector = Selector {
    name: "sound-oracle",
    summary: "a correct answer reached by valid steps only, if any sample has one",
    needs: Needs::Soundness,
    select: |samples, drawn, _, _| {
        f64::from(u8::from(drawn.iter().any(|&slot| is_sound(samples, slot))))
    },
    expectation: Some(|samples, n| {
        let slots = samples.answers.len() as u64;
        let sound = (0..slots as u32).filter(|&slot| is_sound(samples, slot)).count();
        pass_at_k(slots, sound as u64, n as u64).expect("n is from 1 to the number of samples")
    }),
};

fn is_sound(samples: &Samples<'_>, slot: u32) -> bool {
    samples.sound[slot as usize] && samples.is_correct(slot)
}
