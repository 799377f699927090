//! "Signed running totals": a start value, then a fixed number of operations;
//! the solution writes the running total after each, then the answer.
//!
//! A step can be checked from the line before it alone, so checking is as easy
//! at every level, while a whole solution needs all of its lines right. All
//! levels have the same length, so length says nothing about difficulty.

use std::fmt::Write as _;
use std::ops::RangeInclusive;

use serde::{Deserialize, Serialize};

use super::{Family, StepCheck, TaskError, TaskFamily};
use crate::data::{Metadata, Problem, Span};
use crate::run::Stream;

/// The row in the table of families.
pub(super) const FAMILY: Family = Family {
    name: NAME,
    summary: "running totals of signed operations; levels by the number of active operations",
    build: |parameters| {
        let family: SignedRunningTotals = if parameters.is_null() {
            SignedRunningTotals::default()
        } else {
            SignedRunningTotals::deserialize(parameters).map_err(|error| TaskError::Parameters {
                family: NAME,
                reason: error.to_string(),
            })?
        };
        family.validate()?;
        Ok(Box::new(family))
    },
};

const NAME: &str = "signed-running-totals";

/// Multipliers of a "mul" operation; 1 would be a no-op and 0 would forget the past.
const MULTIPLIERS: [i32; 5] = [2, 3, -1, -2, -3];

/// Bounds on how many operations of a level are active; each count in between is as likely.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct ActiveOperations {
    /// Fewest.
    pub fewest: u32,
    /// Most.
    pub most: u32,
}

/// The family's sizes. "Hard" is depth (more active operations) and rule mix
/// (a larger share of rare rules) together.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct SignedRunningTotals {
    /// No running total leaves `-limit..=limit`: an operation that would is drawn again.
    pub limit: u32,
    /// The start value is uniform in `-largest_start..=largest_start`.
    pub largest_start: u32,
    /// Operands of sums and differences are uniform in `1..=largest_operand`.
    pub largest_operand: u32,
    /// Operations of every problem, the `+ 0` of inactive slots included.
    pub slots: u32,
    /// Chance that an active operation of an easy level is drawn from the rare rules.
    pub rare_easy: f64,
    /// Chance that an active operation of a hard level is drawn from the rare rules.
    pub rare_hard: f64,
    /// Active operations of level 1, 2 and so on.
    pub active: Vec<ActiveOperations>,
    /// Levels up to this one are easy.
    pub easy_levels: u32,
}

impl Default for SignedRunningTotals {
    fn default() -> Self {
        let active = [(2, 2), (3, 3), (4, 5), (6, 7), (8, 10)];
        Self {
            limit: 15,
            largest_start: 5,
            largest_operand: 5,
            slots: 10,
            rare_easy: 0.05,
            rare_hard: 0.25,
            active: active.map(|(fewest, most)| ActiveOperations { fewest, most }).to_vec(),
            easy_levels: 3,
        }
    }
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
struct Operation {
    operator: u8,
    operand: i32,
}

impl Operation {
    const NO_OP: Self = Self { operator: b'+', operand: 0 };

    fn apply(self, total: i32) -> i32 {
        match self.operator {
            b'+' => total + self.operand,
            b'-' => total - self.operand,
            _ => total * self.operand,
        }
    }

    fn kind(self) -> &'static str {
        match self.operator {
            b'*' => "mul",
            b'-' if self.operand < 0 => "mm",
            _ if self.operand == 0 => "no-op",
            _ => "plain",
        }
    }
}

struct Program {
    start: i32,
    operations: Vec<Operation>,
}

impl Program {
    /// The running total after each operation.
    fn totals(&self) -> impl Iterator<Item = i32> {
        self.operations.iter().scan(self.start, |total, operation| {
            *total = operation.apply(*total);
            Some(*total)
        })
    }

    fn answer(&self) -> i32 {
        self.totals().last().unwrap_or(self.start)
    }

    fn text<'a>(start: i32, operations: impl Iterator<Item = &'a Operation>) -> String {
        let mut text = start.to_string();
        for operation in operations {
            write!(text, " {} {}", operation.operator as char, operation.operand)
                .expect("a string takes any text");
        }
        text
    }
}

impl SignedRunningTotals {
    /// Refuses sizes with which a problem could not be drawn or written.
    pub fn validate(&self) -> Result<(), TaskError> {
        let refuse = |reason: String| Err(TaskError::Parameters { family: NAME, reason });
        let largest = self.largest_start.max(self.largest_operand).max(3);
        if self.limit < largest || self.limit > 10_000 {
            return refuse(format!("limit is {}, expected {largest} to 10000", self.limit));
        }
        if self.largest_operand == 0 {
            return refuse("largest_operand is 0, expected at least 1".into());
        }
        for (name, share) in [("rare_easy", self.rare_easy), ("rare_hard", self.rare_hard)] {
            if !(0.0..=1.0).contains(&share) {
                return refuse(format!("{name} is {share}, expected 0 to 1"));
            }
        }
        if self.active.is_empty() {
            return refuse("active is empty, expected the bounds of at least one level".into());
        }
        for (level, bounds) in (1..).zip(&self.active) {
            if bounds.fewest > bounds.most || bounds.most > self.slots {
                return refuse(format!(
                    "level {level} has {} to {} active operations, expected a range within 0 to {}",
                    bounds.fewest, bounds.most, self.slots
                ));
            }
        }
        if !(1..=self.active.len()).contains(&(self.easy_levels as usize)) {
            return refuse(format!(
                "easy_levels is {}, expected 1 to {}",
                self.easy_levels,
                self.active.len()
            ));
        }
        Ok(())
    }

    fn rare_share(&self, level: u32) -> f64 {
        if level <= self.easy_levels { self.rare_easy } else { self.rare_hard }
    }

    fn operation(&self, rare: f64, total: i32, stream: &mut Stream) -> Operation {
        loop {
            let operand =
                |stream: &mut Stream| 1 + stream.below(u64::from(self.largest_operand)) as i32;
            let drawn = if stream.unit() < rare {
                if stream.below(2) == 0 {
                    Operation { operator: b'-', operand: -operand(stream) }
                } else {
                    let operand = MULTIPLIERS[stream.below(MULTIPLIERS.len() as u64) as usize];
                    Operation { operator: b'*', operand }
                }
            } else {
                let operator = if stream.below(2) == 0 { b'+' } else { b'-' };
                Operation { operator, operand: operand(stream) }
            };
            if drawn.apply(total).unsigned_abs() <= self.limit {
                return drawn;
            }
        }
    }

    fn program(&self, problem: &Problem) -> Result<Program, TaskError> {
        let foreign = |reason: String| TaskError::ForeignProblem {
            family: NAME,
            id: problem.id.clone(),
            reason,
        };
        let mut symbols = problem.question.split(' ');
        let integer = |symbol: Option<&str>| {
            symbol.and_then(|symbol| self.integer(symbol)).ok_or_else(|| {
                foreign(format!(
                    "found {symbol:?} in {:?}, expected an integer up to {}",
                    problem.question, self.limit
                ))
            })
        };
        let start = integer(symbols.next())?;
        let mut operations = Vec::with_capacity(self.slots as usize);
        while let Some(operator) = symbols.next() {
            let &[operator @ (b'+' | b'-' | b'*')] = operator.as_bytes() else {
                return Err(foreign(format!(
                    "found {operator:?} in {:?}, expected one of + - *",
                    problem.question
                )));
            };
            operations.push(Operation { operator, operand: integer(symbols.next())? });
        }
        if operations.len() != self.slots as usize {
            return Err(foreign(format!(
                "found {} operations, expected {}",
                operations.len(),
                self.slots
            )));
        }
        Ok(Program { start, operations })
    }

    /// Reads one integer symbol: no plus sign, no leading zero, no `-0`, within the limit.
    fn integer(&self, symbol: &str) -> Option<i32> {
        let digits = symbol.strip_prefix('-').unwrap_or(symbol).as_bytes();
        let canonical = match digits {
            [b'0'] => digits.len() == symbol.len(),
            [b'1'..=b'9', rest @ ..] => rest.iter().all(u8::is_ascii_digit),
            _ => false,
        };
        let value: i32 = if canonical { symbol.parse().ok()? } else { return None };
        (value.unsigned_abs() <= self.limit).then_some(value)
    }
}

impl TaskFamily for SignedRunningTotals {
    fn name(&self) -> &'static str {
        FAMILY.name
    }

    fn summary(&self) -> &'static str {
        FAMILY.summary
    }

    fn levels(&self) -> RangeInclusive<u32> {
        1..=self.active.len() as u32
    }

    fn easy_levels(&self) -> RangeInclusive<u32> {
        1..=self.easy_levels
    }

    fn symbols(&self) -> Vec<String> {
        let limit = self.limit as i32;
        let signs = ["\n", "#", "+", "-", "*"].map(str::to_owned);
        signs.into_iter().chain((-limit..=limit).map(|value| value.to_string())).collect()
    }

    fn max_solution_tokens(&self) -> usize {
        2 * self.slots as usize + 3
    }

    fn sample(&self, level: u32, stream: &mut Stream) -> Result<Problem, TaskError> {
        if !self.levels().contains(&level) {
            let (first, last) = (*self.levels().start(), *self.levels().end());
            return Err(TaskError::UnknownLevel { family: NAME, level, first, last });
        }
        let bounds = self.active[level as usize - 1];
        let active =
            bounds.fewest + stream.below(u64::from(bounds.most - bounds.fewest) + 1) as u32;
        let mut slots: Vec<usize> = (0..self.slots as usize).collect();
        stream.shuffle(&mut slots);
        slots.truncate(active as usize);

        let start =
            stream.below(2 * u64::from(self.largest_start) + 1) as i32 - self.largest_start as i32;
        let mut operations = vec![Operation::NO_OP; self.slots as usize];
        slots.sort_unstable();
        let mut total = start;
        for slot in slots {
            operations[slot] = self.operation(self.rare_share(level), total, stream);
            total = operations[slot].apply(total);
        }
        Ok(Problem {
            id: String::new(),
            question: Program::text(start, operations.iter()),
            answer: Some(total.to_string()),
            choices: Vec::new(),
            level: Some(level),
            subject: None,
            metadata: Metadata::new(),
        })
    }

    fn solution(&self, problem: &Problem) -> Result<String, TaskError> {
        let program = self.program(problem)?;
        let mut text = String::new();
        for total in program.totals() {
            writeln!(text, "{total}").expect("a string takes any text");
        }
        write!(text, "# {}", program.answer()).expect("a string takes any text");
        Ok(text)
    }

    fn step_kinds(&self, problem: &Problem) -> Result<Vec<&'static str>, TaskError> {
        let program = self.program(problem)?;
        Ok(program.operations.iter().map(|op| op.kind()).chain(["answer"]).collect())
    }

    fn check(&self, problem: &Problem, text: &str, complete: bool) -> Result<StepCheck, TaskError> {
        let program = self.program(problem)?;
        let slots = self.slots as usize;
        let mut steps = Vec::with_capacity(slots + 1);
        let mut valid = Vec::with_capacity(slots + 1);

        let mut before = Some(program.start);
        let mut well_formed = complete;
        let mut rest = text;
        while let Some((line, after)) = rest.split_once('\n') {
            let start = text.len() - rest.len();
            steps.push(Span { start, end: text.len() - after.len() });
            let written = self.integer(line);
            let operation = program.operations.get(valid.len());
            let follows = operation.zip(before).map(|(operation, before)| operation.apply(before));
            valid.push(written.is_some() && written == follows);
            well_formed &= written.is_some();
            before = written;
            rest = after;
        }
        well_formed &= steps.len() == slots;

        let answer = rest.strip_prefix("# ").and_then(|value| self.integer(value));
        if !rest.is_empty() || steps.is_empty() {
            steps.push(Span { start: text.len() - rest.len(), end: text.len() });
            valid.push(answer.is_some() && answer == before);
        }
        let answer = answer.filter(|_| well_formed);
        if answer.is_none()
            && let Some(last) = valid.last_mut()
        {
            *last = false;
        }
        Ok(StepCheck {
            steps,
            valid,
            correct: answer == Some(program.answer()),
            answer: answer.map(|value| value.to_string()),
        })
    }

    fn structure(&self, problem: &Problem) -> Result<String, TaskError> {
        let program = self.program(problem)?;
        let active = program.operations.iter().filter(|&&operation| operation != Operation::NO_OP);
        Ok(Program::text(program.start, active))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    /// The worked example of the measured experiment, drawn with limit 20.
    fn example() -> (SignedRunningTotals, Problem, &'static str) {
        let family = SignedRunningTotals {
            limit: 20,
            largest_start: 9,
            largest_operand: 9,
            ..SignedRunningTotals::default()
        };
        let problem = Problem {
            id: "example".into(),
            question: "-1 + 6 + 9 - 8 - 8 * -3 - -1 * -2 - 4 + 2 + 3".into(),
            answer: Some("-13".into()),
            ..Problem::default()
        };
        (family, problem, "5\n14\n6\n-2\n6\n7\n-14\n-18\n-16\n-13\n# -13")
    }

    fn check(text: &str, complete: bool) -> StepCheck {
        let (family, problem, _) = example();
        family.check(&problem, text, complete).unwrap()
    }

    fn wrong_steps(check: &StepCheck) -> Vec<usize> {
        (0..check.valid.len()).filter(|&step| !check.valid[step]).collect()
    }

    #[test]
    fn the_worked_example_is_solved_line_by_line() {
        let (family, problem, solution) = example();
        assert_eq!(family.solution(&problem).unwrap(), solution);
        let check = check(solution, true);
        assert!(check.sound());
        assert_eq!(check.answer.as_deref(), Some("-13"));
        assert_eq!(check.steps.len(), 11);
        assert_eq!(check.steps[1], Span { start: 2, end: 5 });
        let last = check.steps[10];
        assert_eq!(&solution[last.start..last.end], "# -13");
        assert_eq!(
            family.step_kinds(&problem).unwrap(),
            [
                "plain", "plain", "plain", "plain", "mul", "mm", "mul", "plain", "plain", "plain",
                "answer"
            ]
        );
    }

    #[test]
    fn a_step_is_judged_from_the_line_before_it_as_written() {
        // Line 6 should be 7; what follows is right given the 5.
        let check = check("5\n14\n6\n-2\n6\n5\n-10\n-14\n-12\n-9\n# -9", true);
        assert_eq!(wrong_steps(&check), [5]);
        assert_eq!(check.prefix_correct(), [&[true; 5][..], &[false; 6][..]].concat());
        assert!(!check.correct);
        assert_eq!(check.answer.as_deref(), Some("-9"));
    }

    #[test]
    fn a_lucky_answer_is_correct_but_not_sound() {
        let check = check("5\n14\n6\n-2\n6\n5\n-10\n-14\n-12\n-9\n# -13", true);
        assert_eq!(wrong_steps(&check), [5, 10]);
        assert!(check.correct && !check.sound());
    }

    #[test]
    fn malformed_or_cut_solutions_have_no_answer_and_a_wrong_last_step() {
        let (_, _, solution) = example();
        assert!(!check(solution, false).valid[10]);
        for text in [
            "",
            "5\n14\n6\n-2\n6\n7\n-14\n-18\n-16\n-13\n",
            "5\n14\n6\n-2\n6\n7\n-14\n-18\n-16\n-13\n# -13\n",
            "5\n14\n6\n-2\n6\n7\n-14\n-18\n-16\n-13\n# -13 -13",
            "5\n14\n6\n-2\n6\n7\n-14\n-18\n-16\n-13\n-13\n# -13",
            "5\n14\n6\n-2\n6\n7\n-14\n-18\n-16\n# -16",
            "5\n14\n\n-2\n6\n7\n-14\n-18\n-16\n-13\n# -13",
            "5\n14\n+6\n-2\n6\n7\n-14\n-18\n-16\n-13\n# -13",
            "5\n14\n06\n-2\n6\n7\n-14\n-18\n-16\n-13\n# -13",
            "5\n14\n6 6\n-2\n6\n7\n-14\n-18\n-16\n-13\n# -13",
            "5\r\n14\n6\n-2\n6\n7\n-14\n-18\n-16\n-13\n# -13",
            "- 5\n14\n6\n-2\n6\n7\n-14\n-18\n-16\n-13\n# -13",
        ] {
            let check = check(text, true);
            assert_eq!(check.answer, None, "{text:?}");
            assert_eq!(check.valid.last(), Some(&false), "{text:?}");
            assert!(!check.correct && !check.sound(), "{text:?}");
        }
    }

    #[test]
    fn a_total_beyond_the_limit_is_no_symbol() {
        let (family, ..) = example();
        assert_eq!(family.integer("20"), Some(20));
        assert_eq!(family.integer("21"), None);
        assert_eq!(family.integer("-0"), None);
        assert_eq!(family.integer("99999999999999999999"), None);
    }

    #[test]
    fn the_vocabulary_and_lengths_are_those_of_the_measured_experiment() {
        let family = SignedRunningTotals::default();
        // 38 with padding and end-of-sequence.
        assert_eq!(family.symbols().len() + 2, 38);
        assert_eq!(family.max_solution_tokens(), 23);
        let problem = family.sample(5, &mut Stream::new(1, &["lengths"])).unwrap();
        assert_eq!(problem.question.split(' ').count() + 1, 22);
    }

    #[test]
    fn rare_shares_are_those_measured_after_redrawing() {
        // Measured by the PyTorch prototype with limit 20 and operands to 9: 4.4%
        // of the active operations of easy levels, "about 20-21%" of hard ones.
        let (family, ..) = example();
        for (levels, low, high) in [(1..=3, 0.040, 0.048), (4..=5, 0.195, 0.219)] {
            let (mut rare, mut active) = (0, 0);
            for level in levels {
                let mut stream = Stream::new(2, &["rare", &level.to_string()]);
                for _ in 0..6000 {
                    let problem = family.sample(level, &mut stream).unwrap();
                    let kinds = family.step_kinds(&problem).unwrap();
                    rare += kinds.iter().filter(|kind| ["mm", "mul"].contains(kind)).count();
                    active +=
                        kinds.iter().filter(|kind| !["no-op", "answer"].contains(kind)).count();
                }
            }
            let share = f64::from(rare as u32) / f64::from(active as u32);
            assert!((low..=high).contains(&share), "{share}");
        }
    }

    #[test]
    fn every_level_has_its_number_of_active_operations_and_stays_within_the_limit() {
        let family = SignedRunningTotals::default();
        for (level, bounds) in (1..).zip(&family.active) {
            let mut stream = Stream::new(4, &["active", &level.to_string()]);
            let mut seen = std::collections::BTreeSet::new();
            for _ in 0..500 {
                let problem = family.sample(level, &mut stream).unwrap();
                let kinds = family.step_kinds(&problem).unwrap();
                seen.insert(
                    kinds.iter().filter(|kind| !["no-op", "answer"].contains(kind)).count(),
                );
                let program = family.program(&problem).unwrap();
                assert!(program.totals().all(|total| total.abs() <= 15));
            }
            let expected: Vec<usize> = (bounds.fewest as usize..=bounds.most as usize).collect();
            assert_eq!(seen.into_iter().collect::<Vec<_>>(), expected, "level {level}");
        }
    }

    #[test]
    fn parameters_are_read_and_checked() {
        let build = |parameters| (FAMILY.build)(&parameters).map(|family| family.symbols().len());
        assert_eq!(build(json!({"limit": 20, "largest_operand": 9})).unwrap(), 46);
        for (parameters, expected) in [
            (json!({"limits": 20}), "unknown field `limits`"),
            (json!({"limit": 2}), "limit is 2, expected 5 to 10000"),
            (json!({"rare_hard": 1.5}), "rare_hard is 1.5, expected 0 to 1"),
            (json!({"slots": 9}), "level 5 has 8 to 10 active operations"),
            (json!({"easy_levels": 6}), "easy_levels is 6, expected 1 to 5"),
        ] {
            let error = build(parameters).unwrap_err().to_string();
            assert!(error.contains(expected), "{error}");
        }
    }

    #[test]
    fn a_problem_of_another_family_is_an_error() {
        let (family, ..) = example();
        for (question, expected) in [
            ("How many ducks?", "found Some(\"How\")"),
            ("1 + 2", "found 1 operations, expected 10"),
            ("1 / 2", "found \"/\" in \"1 / 2\", expected one of + - *"),
            ("1 +", "expected an integer up to 20"),
        ] {
            let problem = Problem { question: question.into(), ..Problem::default() };
            let error = family.check(&problem, "", true).unwrap_err().to_string();
            assert!(error.contains(expected), "{error}");
        }
    }

    proptest! {
        #[test]
        fn any_text_is_judged_without_a_panic(text in "(?s).{0,60}", complete: bool) {
            let check = check(&text, complete);
            prop_assert_eq!(check.steps.len(), check.valid.len());
            prop_assert!(!check.sound());
        }

        #[test]
        fn steps_tile_any_text_of_known_symbols(
            symbols in prop::collection::vec("\n|#|\\+|-|\\*|-?[0-9]{1,2}", 1..30),
        ) {
            let text = symbols.join(" ").replace(" \n", "\n").replace("\n ", "\n");
            let check = check(&text, true);
            let mut end = 0;
            for span in &check.steps {
                prop_assert_eq!(span.start, end);
                end = span.end;
            }
            prop_assert_eq!(end, text.len());
        }
    }
}
