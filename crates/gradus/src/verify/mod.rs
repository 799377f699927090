//! Grading: read the answer out of a text, compare it with the gold.
//!
//! An extraction is one file with a row in [`EXTRACTIONS`], a strictness mode
//! one file with a row in [`MODES`].

use crate::data::{Grade, Verdict};

mod a_line;
mod answer_block;
mod boxed;
mod exact;
mod hash_line;
mod hash_marks;
mod number;
mod numeric;

/// Every way to read an answer, in the order in which they are tried: the
/// marker that says most plainly "this is the answer" goes first.
///
/// The last one, `number`, needs no marker and so is a guess; [`MARKED`] leaves it out.
pub const EXTRACTIONS: &[Extraction] = &[
    answer_block::EXTRACTION,
    boxed::EXTRACTION,
    hash_marks::EXTRACTION,
    a_line::EXTRACTION,
    hash_line::EXTRACTION,
    number::EXTRACTION,
];

/// [`EXTRACTIONS`] without the guess.
pub const MARKED: &[Extraction] = EXTRACTIONS.split_at(EXTRACTIONS.len() - 1).0;

/// Every strictness mode.
pub const MODES: &[Mode] = &[exact::MODE, numeric::MODE];

/// A way to read the answer out of a text.
#[derive(Clone, Copy, Debug)]
pub struct Extraction {
    /// Name, as recipes and the command line use it.
    pub name: &'static str,
    /// One line for listings.
    pub summary: &'static str,
    /// The answer without surrounding space; empty where the marker is there
    /// and nothing follows it, `None` where the marker is not there.
    pub extract: fn(&str) -> Option<&str>,
}

/// When an answer counts as equal to the gold.
#[derive(Clone, Copy, Debug)]
pub struct Mode {
    /// Name, as recipes and the command line use it.
    pub name: &'static str,
    /// One line for listings.
    pub summary: &'static str,
    /// Compares a gold answer with an extracted one.
    pub compare: fn(gold: &str, answer: &str) -> Comparison,
}

/// What a mode found.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Comparison {
    /// The answer is the gold; the rule that made them equal.
    Equal(&'static str),
    /// It is not; what differed.
    Different(&'static str),
    /// The mode cannot read the gold; what is wrong with it.
    BadGold(&'static str),
}

/// The extraction called `name`.
pub fn extraction(name: &str) -> Option<&'static Extraction> {
    EXTRACTIONS.iter().find(|extraction| extraction.name == name)
}

/// The mode called `name`.
pub fn mode(name: &str) -> Option<&'static Mode> {
    MODES.iter().find(|mode| mode.name == name)
}

/// The answer in `text` under the first of `extractions` whose marker is there.
///
/// A marker with nothing after it ends the search: what stands elsewhere in the
/// text was not given as the answer.
pub fn extract<'t>(text: &'t str, extractions: &[Extraction]) -> Option<&'t str> {
    extractions
        .iter()
        .find_map(|extraction| (extraction.extract)(text))
        .filter(|answer| !answer.is_empty())
}

/// Grades a completion: extracts its answer and compares that with the gold.
pub fn grade(gold: &str, text: &str, extractions: &[Extraction], mode: &Mode) -> Grade {
    grade_answer(gold, extract(text, extractions), mode)
}

/// Grades an answer that was read already; `None` where there is none.
pub fn grade_answer(gold: &str, answer: Option<&str>, mode: &Mode) -> Grade {
    // The gold is read first, so that a bad one shows even when no model answers.
    let comparison = (mode.compare)(gold, answer.unwrap_or_default());
    let (verdict, reason) = match (comparison, answer) {
        (Comparison::BadGold(reason), _) => (Verdict::BadGold, reason),
        (_, None) => (Verdict::NoAnswer, "no-answer-marked"),
        (Comparison::Equal(reason), _) => (Verdict::Correct, reason),
        (Comparison::Different(reason), _) => (Verdict::Incorrect, reason),
    };
    Grade { verdict, answer: answer.map(str::to_owned), reason: reason.to_owned() }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::data::test_data;

    #[test]
    fn the_first_marker_that_is_there_decides() {
        let read = |text| extract(text, MARKED);
        assert_eq!(read("Step.\n\n# Answer\n\n42"), Some("42"));
        assert_eq!(read("So $\\boxed{7}$.\n\n# Answer\n\n42"), Some("42"));
        assert_eq!(read("So $\\boxed{7}$.\n#### 8"), Some("7"));
        assert_eq!(read("A: 9\n#### 8"), Some("8"));
        assert_eq!(read("5\n4\n# 4"), Some("4"));
    }

    #[test]
    fn an_empty_marker_is_no_answer_whatever_else_stands_in_the_text() {
        assert_eq!(extract("#### 8\n\n# Answer\n", MARKED), None);
        assert_eq!(extract("It is 42.\n# Answer", EXTRACTIONS), None);
    }

    #[test]
    fn nothing_is_guessed_without_a_marker() {
        let exact = mode("exact").unwrap();
        let text = "The number is 42.";
        assert_eq!(grade("42", text, MARKED, exact).verdict, Verdict::NoAnswer);
        let number = extraction("number").unwrap();
        assert_eq!(grade("42", text, &[*number], exact).verdict, Verdict::Correct);
    }

    #[test]
    fn a_gold_that_the_mode_cannot_read_is_bad_gold_and_not_a_wrong_answer() {
        let numeric = mode("numeric").unwrap();
        let graded = grade("eighteen", "#### 18", MARKED, numeric);
        assert_eq!(graded.verdict, Verdict::BadGold);
        assert_eq!(graded.answer.as_deref(), Some("18"));
        assert_eq!(grade("eighteen", "none", MARKED, numeric).verdict, Verdict::BadGold);
    }

    proptest! {
        #[test]
        fn any_text_is_graded_without_a_panic(text in "(?s).{0,80}", gold in "(?s).{0,20}") {
            for mode in MODES {
                grade(&gold, &text, EXTRACTIONS, mode);
            }
        }
    }

    #[test]
    fn readings_agree_with_the_published_gsm8k_labels() {
        // openai/grade-school-math: 1,319 problems by 4 models, labelled by its authors.
        let Some(path) = test_data::file("gsm8k/example_model_solutions.jsonl") else { return };
        let numeric = mode("numeric").unwrap();
        let a_line = [*extraction("a-line").unwrap()];
        let (mut graded, mut unanswered, mut right) = (0, 0, 0);
        for line in std::fs::read_to_string(path).unwrap().lines() {
            let row: serde_json::Value = serde_json::from_str(line).unwrap();
            let gold = extract(row["ground_truth"].as_str().unwrap(), &a_line).unwrap();
            for model in
                ["6b_finetuning", "6b_verification", "175b_finetuning", "175b_verification"]
            {
                let text = row[model]["solution"].as_str().unwrap();
                let verdict = grade(gold, text, &a_line, numeric).verdict;
                let label = row[model]["is_correct"].as_bool().unwrap();
                assert_eq!(verdict == Verdict::Correct, label, "{model}: {text}");
                assert!(matches!(
                    verdict,
                    Verdict::Correct | Verdict::Incorrect | Verdict::NoAnswer
                ));
                graded += 1;
                unanswered += u32::from(verdict == Verdict::NoAnswer);
                right += u32::from(label);
            }
        }
        assert_eq!((graded, unanswered, right), (5276, 11, 286 + 515 + 458 + 742));
    }

    #[test]
    fn every_published_gsm8k_gold_is_a_number_after_hash_marks() {
        let Some(path) = test_data::file("gsm8k/test.jsonl") else { return };
        let hash_marks = [*extraction("hash-marks").unwrap()];
        let numeric = mode("numeric").unwrap();
        let mut graded = 0;
        for line in std::fs::read_to_string(path).unwrap().lines() {
            let row: serde_json::Value = serde_json::from_str(line).unwrap();
            let text = row["answer"].as_str().unwrap();
            let gold = extract(text, &hash_marks).unwrap();
            assert_eq!(grade(gold, text, &hash_marks, numeric).verdict, Verdict::Correct);
            graded += 1;
        }
        assert_eq!(graded, 1319);
    }
}
