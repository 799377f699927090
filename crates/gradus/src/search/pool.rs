use std::borrow::Cow;
use std::collections::HashMap;

use super::{Aggregation, Level, SampleRow, SearchError, SearchRow};
use crate::data::{Problem, Verdict};
use crate::verify::{self, Extraction, Mode};

/// One sample with what selection needs to know of it.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Candidate {
    /// Index of the sample among those of its problem.
    pub sample: u32,
    /// The answer; `None` or blank where there is none.
    pub answer: Option<String>,
    /// Is the answer correct.
    pub correct: bool,
    /// Is every step valid; `None` where nobody checked.
    pub sound: Option<bool>,
    /// The scores of the steps, or one in all; empty where nobody judged.
    pub scores: Vec<f64>,
    /// Natural-log probability of the sample under its generator.
    pub log_prob: Option<f64>,
}

/// All samples of one problem, in the order of their indices: an answer is kept as
/// a number, step scores only as what they were reduced to.
#[derive(Clone, Debug)]
pub struct Pool {
    problem: String,
    level: Option<Level>,
    /// Per distinct answer.
    correct: Vec<bool>,
    /// Per slot.
    samples: Vec<u32>,
    answers: Vec<Option<u32>>,
    sound: Vec<Option<bool>>,
    scores: Vec<(&'static Aggregation, Vec<f64>)>,
}

impl Pool {
    /// The pool of one problem, its scores reduced by each of `aggregations`.
    pub fn new(
        problem: &str,
        level: Option<Level>,
        candidates: impl IntoIterator<Item = Candidate>,
        aggregations: &[&'static Aggregation],
    ) -> Result<Self, SearchError> {
        let mut pool = Self::empty(problem, level, aggregations);
        let mut ids = HashMap::new();
        for candidate in candidates {
            pool.push(candidate, &mut ids)?;
        }
        pool.sorted()
    }

    fn empty(problem: &str, level: Option<Level>, aggregations: &[&'static Aggregation]) -> Self {
        Self {
            problem: problem.to_owned(),
            level,
            correct: Vec::new(),
            samples: Vec::new(),
            answers: Vec::new(),
            sound: Vec::new(),
            scores: aggregations.iter().map(|&aggregation| (aggregation, Vec::new())).collect(),
        }
    }

    /// `ids` finds the answers that the pool has already.
    fn push(
        &mut self,
        candidate: Candidate,
        ids: &mut HashMap<String, u32>,
    ) -> Result<(), SearchError> {
        let Candidate { sample, answer, correct, sound, scores, log_prob } = candidate;
        let answer = answer.as_deref().map(str::trim).filter(|answer| !answer.is_empty());
        let answer = match answer {
            None => None,
            Some(text) => Some(match ids.get(text) {
                Some(&id) if self.correct[id as usize] != correct => {
                    let called = |correct| format!("answer {text:?} with `correct` {correct}");
                    return Err(SearchError::Contradiction {
                        problem: self.problem.clone(),
                        sample,
                        found: called(correct),
                        expected: called(!correct),
                    });
                }
                Some(&id) => id,
                None => {
                    let id = self.correct.len() as u32;
                    ids.insert(text.to_owned(), id);
                    self.correct.push(correct);
                    id
                }
            }),
        };
        for (aggregation, reduced) in &mut self.scores {
            reduced.push(match answer {
                Some(_) => aggregation.score(&self.problem, sample, &scores, log_prob)?,
                // Its slot is never looked at.
                None => f64::NEG_INFINITY,
            });
        }
        self.samples.push(sample);
        self.answers.push(answer);
        self.sound.push(sound);
        Ok(())
    }

    fn sorted(mut self) -> Result<Self, SearchError> {
        if !self.samples.is_sorted() {
            let mut order: Vec<usize> = (0..self.samples.len()).collect();
            order.sort_by_key(|&slot| self.samples[slot]);
            let (samples, answers, sound) = (&self.samples, &self.answers, &self.sound);
            self.answers = order.iter().map(|&slot| answers[slot]).collect();
            self.sound = order.iter().map(|&slot| sound[slot]).collect();
            for (_, scores) in &mut self.scores {
                *scores = order.iter().map(|&slot| scores[slot]).collect();
            }
            self.samples = order.iter().map(|&slot| samples[slot]).collect();
        }
        if let Some(twice) = self.samples.windows(2).find(|pair| pair[0] == pair[1]) {
            let (problem, sample) = (self.problem, twice[0]);
            return Err(SearchError::DuplicateSample { problem, sample });
        }
        Ok(self)
    }

    /// The same samples judged anew: `judge` gives the step scores of each
    /// sample by its index.
    pub fn rescored(
        &self,
        aggregations: &[&'static Aggregation],
        mut judge: impl FnMut(u32) -> Vec<f64>,
    ) -> Result<Self, SearchError> {
        let mut pool = self.clone();
        pool.scores = aggregations.iter().map(|&aggregation| (aggregation, Vec::new())).collect();
        for (&sample, answer) in self.samples.iter().zip(&self.answers) {
            let scores = judge(sample);
            for (aggregation, reduced) in &mut pool.scores {
                reduced.push(match answer {
                    Some(_) => aggregation.score(&self.problem, sample, &scores, None)?,
                    None => f64::NEG_INFINITY,
                });
            }
        }
        Ok(pool)
    }

    /// Id of the problem.
    pub fn problem(&self) -> &str {
        &self.problem
    }

    /// Level of the problem.
    pub fn level(&self) -> Option<&Level> {
        self.level.as_ref()
    }

    /// Number of samples, those without an answer included.
    #[expect(clippy::len_without_is_empty, reason = "a pool without samples selects nothing")]
    pub fn len(&self) -> usize {
        self.answers.len()
    }

    /// Number of samples without an answer.
    pub fn no_answer(&self) -> usize {
        self.answers.iter().filter(|answer| answer.is_none()).count()
    }

    /// Number of samples whose answer is correct.
    pub fn correct(&self) -> usize {
        self.answers.iter().flatten().filter(|&&answer| self.correct[answer as usize]).count()
    }

    /// Does the correct answer occur although another one is more frequent.
    ///
    /// This is the share of problems that a majority vote cannot solve however
    /// many samples it has, and a verifier can.
    pub fn is_wrong_mode(&self) -> bool {
        let mut counts = vec![0u32; self.correct.len()];
        for &answer in self.answers.iter().flatten() {
            counts[answer as usize] += 1;
        }
        let largest = |correct: bool| {
            let of_kind = counts.iter().zip(&self.correct).filter(|&(_, &is)| is == correct);
            of_kind.map(|(&count, _)| count).max().unwrap_or(0)
        };
        largest(true) > 0 && largest(false) > largest(true)
    }

    pub(super) fn answers(&self) -> &[Option<u32>] {
        &self.answers
    }

    pub(super) fn correct_answers(&self) -> &[bool] {
        &self.correct
    }

    /// Per slot, `None` unless all are known.
    pub(super) fn sound(&self) -> Option<Vec<bool>> {
        self.sound.iter().copied().collect()
    }

    pub(super) fn scores(&self, aggregation: &Aggregation) -> Option<&[f64]> {
        let mut rows = self.scores.iter();
        rows.find(|(row, _)| row.name == aggregation.name).map(|(_, scores)| scores.as_slice())
    }
}

/// Builds pools from rows in any order.
#[derive(Debug)]
pub struct Pools {
    aggregations: Vec<&'static Aggregation>,
    extractions: Vec<Extraction>,
    mode: &'static Mode,
    golds: HashMap<String, (Option<String>, Option<Level>)>,
    found: Vec<Pool>,
    /// Per problem its pool, and the answers of each.
    places: HashMap<String, usize>,
    ids: Vec<HashMap<String, u32>>,
    unread: u64,
}

impl Pools {
    /// No rows yet. Scores will be reduced by each of `aggregations`; an answer
    /// that a row does not spell out is read from its text by the first of
    /// `extractions` that finds its marker, and graded against the gold under
    /// `mode` where the row does not say whether it is correct.
    pub fn new(
        aggregations: &[&'static Aggregation],
        extractions: &[Extraction],
        mode: &'static Mode,
    ) -> Self {
        Self {
            aggregations: aggregations.to_vec(),
            extractions: extractions.to_vec(),
            mode,
            golds: HashMap::new(),
            found: Vec::new(),
            places: HashMap::new(),
            ids: Vec::new(),
            unread: 0,
        }
    }

    /// Gives golds and levels to rows that have none of their own.
    pub fn with_problems(
        mut self,
        problems: impl IntoIterator<Item = Problem>,
    ) -> Result<Self, SearchError> {
        for Problem { id, answer, level, .. } in problems {
            if self.golds.contains_key(&id) {
                return Err(SearchError::DuplicateProblem { problem: id });
            }
            self.golds.insert(id, (answer, level.map(Level::from)));
        }
        Ok(self)
    }

    /// Samples so far whose text has none of the markers: they count as without an answer.
    pub fn unread(&self) -> u64 {
        self.unread
    }

    /// Adds the samples of a row.
    pub fn push(&mut self, row: SearchRow) -> Result<(), SearchError> {
        let SearchRow { problem, level, gold, samples } = row;
        let (known_gold, known_level) = self.golds.get(&problem).cloned().unwrap_or_default();
        let (gold, level) = (gold.or(known_gold), level.or(known_level));

        let place = *self.places.entry(problem).or_insert_with_key(|problem| {
            self.found.push(Pool::empty(problem, level.clone(), &self.aggregations));
            self.ids.push(HashMap::new());
            self.found.len() - 1
        });
        let pool = &mut self.found[place];
        if pool.level != level {
            let shown = |level: Option<&Level>| match level {
                Some(level) => format!("level {level}"),
                None => "no level".into(),
            };
            return Err(SearchError::Contradiction {
                problem: pool.problem.clone(),
                sample: samples.first().and_then(|row| row.sample).unwrap_or(pool.len() as u32),
                found: shown(level.as_ref()),
                expected: shown(pool.level.as_ref()),
            });
        }
        for SampleRow { sample, answer, text, correct, sound, scores, log_prob } in samples {
            let answer = match (answer, &text) {
                (None, Some(text)) => {
                    let read = verify::extract(text, &self.extractions);
                    self.unread += u64::from(read.is_none());
                    read.map(Cow::into_owned)
                }
                (answer, _) => answer.flatten(),
            };
            let correct = match (correct, &gold) {
                (Some(correct), _) => correct,
                (None, Some(gold)) => {
                    let grade = verify::grade_answer(gold, answer.as_deref(), self.mode);
                    // Unscored is not wrong.
                    if matches!(grade.verdict, Verdict::BadGold | Verdict::Undecided) {
                        let (problem, gold) = (pool.problem.clone(), gold.clone());
                        let (mode, reason) = (self.mode.name, grade.reason);
                        let answer = answer.unwrap_or_default();
                        return Err(match grade.verdict {
                            Verdict::BadGold => {
                                SearchError::BadGold { problem, gold, mode, reason }
                            }
                            _ => SearchError::Undecided { problem, gold, answer, mode, reason },
                        });
                    }
                    grade.verdict == Verdict::Correct
                }
                (None, None) => {
                    return Err(SearchError::NoGold { problem: pool.problem.clone() });
                }
            };
            let sample = sample.unwrap_or(pool.len() as u32);
            let candidate = Candidate { sample, answer, correct, sound, scores, log_prob };
            pool.push(candidate, &mut self.ids[place])?;
        }
        Ok(())
    }

    /// The pools, in the order in which their problems were first seen.
    pub fn finish(self) -> Result<Vec<Pool>, SearchError> {
        self.found.into_iter().map(Pool::sorted).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::super::{aggregation, find};
    use super::*;
    use crate::data::Row;

    fn pools(rows: &[&str], problems: Vec<Problem>) -> Result<Vec<Pool>, SearchError> {
        let gsm8k = verify::mode("gsm8k").unwrap();
        let prod = aggregation("prod").unwrap();
        let mut pools = Pools::new(&[prod], verify::MARKED, gsm8k).with_problems(problems)?;
        for row in rows {
            let mut fields = serde_json::from_str(row).unwrap();
            pools.push(SearchRow::from_fields(&mut fields).unwrap())?;
        }
        pools.finish()
    }

    fn message(rows: &[&str]) -> String {
        pools(rows, Vec::new()).unwrap_err().to_string()
    }

    #[test]
    fn a_comparison_that_was_not_decided_is_an_error_and_not_a_wrong_answer() {
        static STUCK: Mode = Mode {
            name: "stuck",
            summary: "spends its budget",
            extractions: &[],
            compare: |_, _| verify::Comparison::Undecided("power-tower"),
        };
        let row = r#"{"problem": "a", "answer": "9^9^9", "gold": "1"}"#;
        let mut fields = serde_json::from_str(row).unwrap();
        let row = SearchRow::from_fields(&mut fields).unwrap();
        let error = Pools::new(&[], &[], &STUCK).push(row).unwrap_err();
        assert_eq!(
            error.to_string(),
            "problem \"a\": mode stuck could not decide whether \"9^9^9\" is the gold \"1\" \
             (power-tower); give such rows their `correct`"
        );
    }

    #[test]
    fn rows_of_problems_may_be_interleaved_and_out_of_order() {
        let found = pools(
            &[
                r#"{"problem": "a", "sample": 2, "answer": "7", "correct": false, "scores": [0.5]}"#,
                r#"{"problem": "b", "sample": 0, "answer": "1", "correct": true, "scores": [0.1]}"#,
                r#"{"problem": "a", "sample": 0, "answer": " 4 ", "correct": true, "scores": [1]}"#,
                r#"{"problem": "a", "sample": 1, "answer": "", "correct": false}"#,
            ],
            Vec::new(),
        );
        let found = found.unwrap();
        assert_eq!((found[0].problem(), found[1].problem()), ("a", "b"));
        assert_eq!(found[0].answers(), [Some(1), None, Some(0)]);
        assert_eq!((found[0].len(), found[0].no_answer(), found[0].correct()), (3, 1, 1));
        let scores = found[0].scores(aggregation("prod").unwrap()).unwrap();
        assert_eq!(scores, [0.0, f64::NEG_INFINITY, 0.5f64.ln()]);
    }

    #[test]
    fn answers_are_read_from_texts_and_graded_against_the_gold() {
        let problem = |id: &str, answer: &str| Problem {
            id: id.into(),
            answer: Some(answer.into()),
            level: Some(5),
            ..Problem::default()
        };
        let found = pools(
            &[
                r#"{"problem": "a", "text": "so\n#### 1,000", "scores": [0.5]}"#,
                r#"{"problem": "a", "text": "so 1000", "scores": [0.5]}"#,
                r#"{"problem": "a", "answer": "1000.0", "scores": [0.5]}"#,
                r#"{"problem": "b", "gold": "3", "answer": "3", "scores": [0.5], "level": 2}"#,
                r#"{"problem": "c", "completions": ["\\boxed{7}", "\\boxed{8}"], "answer": "7",
                    "scores": [[0.9, 0.9], [0.2, 0.3]], "level": "Level 4"}"#,
            ],
            vec![problem("a", "1000"), problem("b", "4")],
        );
        let found = found.unwrap();
        assert_eq!((found[0].correct(), found[0].no_answer()), (2, 1));
        let twice = pools(&[], vec![problem("a", "1"), problem("a", "2")]).unwrap_err().to_string();
        assert_eq!(twice, "problem \"a\" is there twice, expected one gold and level for each id");
        assert_eq!(found[0].level(), Some(&Level::Number(5)));
        // What a row says of itself goes before what the file of problems says.
        assert_eq!((found[1].correct(), found[1].level()), (1, Some(&Level::Number(2))));
        assert_eq!((found[2].correct(), found[2].len()), (1, 2));
    }

    #[test]
    fn rows_that_cannot_be_selected_from_are_a_sentence() {
        let scored =
            r#"{"problem": "a", "sample": 1, "answer": "4", "correct": true, "scores": 1}"#;
        assert_eq!(message(&[scored, scored]), "problem \"a\" has sample 1 twice");
        assert_eq!(
            message(&[
                scored,
                r#"{"problem": "a", "sample": 2, "answer": "4", "correct": false, "scores": 1}"#
            ]),
            "problem \"a\" sample 2: found answer \"4\" with `correct` false, \
             expected answer \"4\" with `correct` true as before"
        );
        assert_eq!(
            message(&[
                scored,
                r#"{"problem": "a", "sample": 2, "answer": "4", "correct": true, "level": 3}"#
            ]),
            "problem \"a\" sample 2: found level 3, expected no level as before"
        );
        assert_eq!(
            message(&[r#"{"problem": "a", "answer": "4", "scores": 1}"#]),
            "problem \"a\" has neither `correct` nor a gold answer, in its rows or in a file of problems"
        );
        assert_eq!(
            message(&[r#"{"problem": "a", "answer": "4", "gold": "four", "scores": 1}"#]),
            "problem \"a\" has the gold \"four\", which mode gsm8k cannot read (gold-not-a-number)"
        );
        assert_eq!(
            message(&[r#"{"problem": "a", "answer": "4", "correct": true}"#]),
            "problem \"a\" sample 0 has no step scores of at least 0, which prod needs"
        );
    }

    fn pool(answers: &[&str]) -> Pool {
        let candidates = (0..).zip(answers).map(|(sample, &answer)| Candidate {
            sample,
            answer: Some(answer.into()),
            correct: answer == "right",
            ..Candidate::default()
        });
        Pool::new("p", None, candidates, &[]).unwrap()
    }

    #[test]
    fn the_wrong_mode_is_a_wrong_answer_more_frequent_than_a_right_one_that_occurs() {
        assert!(pool(&["right", "x", "x"]).is_wrong_mode());
        assert!(!pool(&["right", "x", "y"]).is_wrong_mode());
        assert!(!pool(&["right", "x", "x", "right"]).is_wrong_mode());
        assert!(!pool(&["x", "x"]).is_wrong_mode());
    }

    #[test]
    fn samples_can_be_judged_anew() {
        let min = aggregation("min").unwrap();
        let judged = pool(&["x", "", "right"]);
        let judged = judged.rescored(&[min], |sample| vec![f64::from(sample), 9.0]).unwrap();
        assert_eq!(judged.scores(min).unwrap(), [0.0, f64::NEG_INFINITY, 2.0]);
        assert!(judged.rescored(&[min], |_| Vec::new()).is_err());
    }

    #[test]
    fn names_are_found_or_listed() {
        assert_eq!(find("best-of-n").unwrap().name, "best-of-n");
        let error = find("best_of_n").unwrap_err().to_string();
        let expected = "no method is called \"best_of_n\": known are majority, weighted, best-of-n";
        assert!(error.starts_with(expected), "{error}");
        assert!(aggregation("product").unwrap_err().to_string().contains("prod, min, max, mean"));
    }
}
