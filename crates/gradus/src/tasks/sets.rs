use std::collections::{BTreeMap, HashSet};

use super::{TaskError, TaskFamily};
use crate::data::Problem;
use crate::run::Stream;

/// Draws in a row that may repeat a known question before a level counts as used up.
const MOST_DRAWS: usize = 10_000;

/// A set of problems to be drawn.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct SetSpec {
    /// Name; ids are `<name>-000000` and so on.
    pub name: String,
    /// Levels, each as likely as the other.
    pub levels: Vec<u32>,
    /// Number of problems.
    pub count: usize,
}

/// How many problems of a set share their structure with another set.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Overlap {
    /// Problems of the set.
    pub problems: usize,
    /// Those whose structure occurs in the other set.
    pub shared: usize,
}

/// Draws sets of problems of which no two, in whichever sets, have the same question.
///
/// Problem `i` of a set comes from a stream of its own, which draws the level
/// once and then problems of that level until one is new: repeats do not thin
/// out the levels that have few problems. Earlier sets go first.
pub fn sample_sets(
    family: &dyn TaskFamily,
    specs: &[SetSpec],
    seed: u64,
) -> Result<Vec<Vec<Problem>>, TaskError> {
    let mut questions = HashSet::new();
    specs
        .iter()
        .map(|spec| {
            if spec.levels.is_empty() {
                return Err(TaskError::NoLevels { set: spec.name.clone() });
            }
            (0..spec.count)
                .map(|index| new_problem(family, spec, seed, index, &mut questions))
                .collect()
        })
        .collect()
}

fn new_problem(
    family: &dyn TaskFamily,
    spec: &SetSpec,
    seed: u64,
    index: usize,
    questions: &mut HashSet<String>,
) -> Result<Problem, TaskError> {
    let mut stream = Stream::new(seed, &["tasks", family.name(), &spec.name, &index.to_string()]);
    let level = spec.levels[stream.below(spec.levels.len() as u64) as usize];
    for _ in 0..MOST_DRAWS {
        let mut problem = family.sample(level, &mut stream)?;
        if !questions.contains(&problem.question) {
            questions.insert(problem.question.clone());
            problem.id = format!("{}-{index:06}", spec.name);
            return Ok(problem);
        }
    }
    Err(TaskError::Exhausted {
        set: spec.name.clone(),
        level,
        found: index,
        count: spec.count,
        draws: MOST_DRAWS,
    })
}

/// Per level of `set`: how many problems have the structure of one in `other`.
///
/// Such problems are reported, not removed: levels with few structures would
/// lose most of theirs, and the set would no longer be the one described.
pub fn overlap(
    family: &dyn TaskFamily,
    set: &[Problem],
    other: &[Problem],
) -> Result<BTreeMap<u32, Overlap>, TaskError> {
    let known: HashSet<String> =
        other.iter().map(|problem| family.structure(problem)).collect::<Result<_, _>>()?;
    let mut levels = BTreeMap::new();
    for problem in set {
        let Some(level) = problem.level else { continue };
        let row: &mut Overlap = levels.entry(level).or_default();
        row.problems += 1;
        row.shared += usize::from(known.contains(&family.structure(problem)?));
    }
    Ok(levels)
}

#[cfg(test)]
mod tests {
    use super::super::{ActiveOperations, SignedRunningTotals};
    use super::*;

    fn spec(name: &str, levels: &[u32], count: usize) -> SetSpec {
        SetSpec { name: name.into(), levels: levels.to_vec(), count }
    }

    #[test]
    fn no_question_occurs_twice_in_any_set() {
        let family = SignedRunningTotals::default();
        let specs = [spec("train", &[1, 2, 3], 3000), spec("test", &[1, 2, 3], 1000)];
        let sets = sample_sets(&family, &specs, 1).unwrap();
        let questions: HashSet<&str> =
            sets.iter().flatten().map(|problem| problem.question.as_str()).collect();
        assert_eq!(questions.len(), 4000);
        assert_eq!(sets[1][123].id, "test-000123");
        for level in 1..=3 {
            let count = sets[0].iter().filter(|problem| problem.level == Some(level)).count();
            // Binomial(3000, 1/3): standard deviation 26.
            assert!(count.abs_diff(1000) < 104, "level {level}: {count}");
        }
    }

    #[test]
    fn a_set_is_the_beginning_of_a_larger_one_with_the_same_seed() {
        let family = SignedRunningTotals::default();
        let short = sample_sets(&family, &[spec("hard", &[4, 5], 50)], 9).unwrap();
        let long = sample_sets(&family, &[spec("hard", &[4, 5], 80)], 9).unwrap();
        assert_eq!(short[0], long[0][..50]);
        assert_ne!(short, sample_sets(&family, &[spec("hard", &[4, 5], 50)], 10).unwrap());
    }

    #[test]
    fn a_level_that_is_used_up_is_named() {
        let family = SignedRunningTotals {
            slots: 1,
            largest_start: 0,
            largest_operand: 1,
            rare_easy: 0.0,
            active: vec![ActiveOperations { fewest: 1, most: 1 }],
            easy_levels: 1,
            ..SignedRunningTotals::default()
        };
        let error = sample_sets(&family, &[spec("train", &[1], 3)], 1).unwrap_err();
        assert_eq!(
            error.to_string(),
            "set \"train\" needs another problem of level 1 after 2 of 3, but 10000 draws gave \
             only questions that some set has already"
        );
    }

    #[test]
    fn overlap_ignores_where_the_no_op_slots_are() {
        let family = SignedRunningTotals { slots: 3, ..SignedRunningTotals::default() };
        let problem = |question: &str| Problem {
            question: question.into(),
            level: Some(1),
            ..Problem::default()
        };
        let set = [problem("1 + 2 + 0 - 3"), problem("1 + 2 - 3 + 1")];
        let other = [problem("1 + 0 + 2 - 3")];
        let levels = overlap(&family, &set, &other).unwrap();
        assert_eq!(levels[&1], Overlap { problems: 2, shared: 1 });
    }

    #[test]
    fn easy_levels_overlap_in_structure_more_than_hard_ones() {
        let family = SignedRunningTotals::default();
        let specs = [spec("train", &[1, 2, 3], 9000), spec("test", &[1, 2, 3], 600)];
        let sets = sample_sets(&family, &specs, 1).unwrap();
        let levels = overlap(&family, &sets[1], &sets[0]).unwrap();
        let share = |level: u32| levels[&level].shared as f64 / levels[&level].problems as f64;
        assert!(share(1) > 0.5 && share(1) > share(2) && share(2) > share(3), "{levels:?}");
    }
}
