//! Reasoning before the answer.
//!
//! With demonstrations: Wei et al. 2022, "Chain-of-Thought Prompting Elicits
//! Reasoning in Large Language Models", arXiv 2201.11903: worked solutions, each
//! ended by "The answer is". Without: Kojima et al. 2022, "Large Language Models
//! are Zero-Shot Reasoners", arXiv 2205.11916: "Let's think step by step".
//! Departures: without demonstrations the form of the answer is asked for, which
//! stands for the second prompt of Kojima et al.; the solutions are those of the
//! data set, not written for the purpose.

use super::{Shows, Strategy};

pub(super) const STRATEGY: Strategy = Strategy {
    name: "chain-of-thought",
    summary: "reasoning step by step before the answer, shown by demonstrations where there are some",
    template: include_str!("templates/chain_of_thought.jinja"),
    shows: Shows::Solutions,
};
