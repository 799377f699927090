//! Grading: read the answer out of a text, compare it with the gold.
//!
//! An extraction is one file with a row in [`EXTRACTIONS`], a strictness mode
//! one file with a row in [`MODES`].

use std::borrow::Cow;

use crate::data::{Grade, Verdict};

mod a_line;
mod answer_block;
mod answer_cue;
mod auto;
mod boxed;
mod choice;
mod choice_letter;
mod exact;
mod gsm8k;
mod hash_line;
mod hash_marks;
mod hendrycks;
mod json_field;
mod last_line;
pub mod math;
mod math_span;
mod number;
mod one_line;
mod prm800k;
mod whole_text;
mod yes_no;

/// Every way to read an answer. The markers go first, in the order of [`MARKED`].
pub const EXTRACTIONS: &[Extraction] = &[
    answer_block::EXTRACTION,
    boxed::EXTRACTION,
    hash_marks::EXTRACTION,
    a_line::EXTRACTION,
    hash_line::EXTRACTION,
    json_field::EXTRACTION,
    answer_cue::EXTRACTION,
    math_span::EXTRACTION,
    choice_letter::EXTRACTION,
    yes_no::EXTRACTION,
    number::EXTRACTION,
    last_line::EXTRACTION,
    one_line::EXTRACTION,
    whole_text::EXTRACTION,
    auto::EXTRACTION,
];

/// Those of [`EXTRACTIONS`] that need a marker, in the order in which they are tried: the
/// marker that says most plainly "this is the answer" goes first. The others may guess.
pub const MARKED: &[Extraction] = EXTRACTIONS.split_at(7).0;

/// Every strictness mode.
pub const MODES: &[Mode] =
    &[math::MODE, hendrycks::MODE, prm800k::MODE, gsm8k::MODE, choice::MODE, exact::MODE];

/// A way to read the answer out of a text.
#[derive(Clone, Copy, Debug)]
pub struct Extraction {
    /// Name, as recipes and the command line use it.
    pub name: &'static str,
    /// One line for listings.
    pub summary: &'static str,
    /// The answer without surrounding space; empty where the marker is there and
    /// nothing follows it or the text was cut in it, `None` where the marker is
    /// not there. It is a piece of the text, except where several pieces are
    /// joined or escapes are undone.
    pub extract: fn(&str) -> Option<Cow<'_, str>>,
}

/// When an answer counts as equal to the gold.
#[derive(Clone, Copy, Debug)]
pub struct Mode {
    /// Name, as recipes and the command line use it.
    pub name: &'static str,
    /// One line for listings.
    pub summary: &'static str,
    /// How gold and answer are read out of texts where nothing else is asked for.
    pub extractions: &'static [Extraction],
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
    /// The budget was spent; where.
    Undecided(&'static str),
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
pub fn extract<'t>(text: &'t str, extractions: &[Extraction]) -> Option<Cow<'t, str>> {
    extractions
        .iter()
        .find_map(|extraction| (extraction.extract)(text))
        .filter(|answer| !answer.is_empty())
}

/// The gold in a text that may be the answer alone or a worked solution: what the
/// first of `extractions` whose marker is there reads, else the whole text. Empty
/// where the marker is there and nothing follows it.
pub fn extract_gold<'t>(text: &'t str, extractions: &[Extraction]) -> Cow<'t, str> {
    let read = extractions.iter().find_map(|extraction| (extraction.extract)(text));
    read.unwrap_or(Cow::Borrowed(text.trim()))
}

/// Grades a completion: extracts its answer and compares that with the gold.
pub fn grade(gold: &str, text: &str, extractions: &[Extraction], mode: &Mode) -> Grade {
    grade_answer(gold, extract(text, extractions).as_deref(), mode)
}

/// Grades an answer that was read already; `None` where there is none.
pub fn grade_answer(gold: &str, answer: Option<&str>, mode: &Mode) -> Grade {
    // The gold is read first, so that a bad one shows even when no model answers.
    grade_compared(answer, (mode.compare)(gold, answer.unwrap_or_default()))
}

/// The grade of an answer that was compared with its gold; where there is none, what
/// an empty text compared as.
pub fn grade_compared(answer: Option<&str>, comparison: Comparison) -> Grade {
    let (verdict, reason) = match (comparison, answer) {
        (Comparison::BadGold(reason), _) => (Verdict::BadGold, reason),
        (_, None) => (Verdict::NoAnswer, "no-answer-marked"),
        (Comparison::Equal(reason), _) => (Verdict::Correct, reason),
        (Comparison::Different(reason), _) => (Verdict::Incorrect, reason),
        (Comparison::Undecided(reason), _) => (Verdict::Undecided, reason),
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
        let read = |text| extract(text, MARKED).map(Cow::into_owned);
        assert_eq!(read("Step.\n\n# Answer\n\n42").as_deref(), Some("42"));
        assert_eq!(read("So $\\boxed{7}$.\n\n# Answer\n\n42").as_deref(), Some("42"));
        assert_eq!(read("So $\\boxed{7}$.\n#### 8").as_deref(), Some("7"));
        assert_eq!(read("A: 9\n#### 8").as_deref(), Some("8"));
        assert_eq!(read("5\n4\n# 4").as_deref(), Some("4"));
    }

    #[test]
    fn what_may_guess_is_not_among_the_marked() {
        let names: Vec<&str> = MARKED.iter().map(|extraction| extraction.name).collect();
        assert_eq!((names[0], names.last()), ("answer-block", Some(&"answer-cue")));
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
        let gsm8k = mode("gsm8k").unwrap();
        let graded = grade("eighteen", "#### 18", MARKED, gsm8k);
        assert_eq!(graded.verdict, Verdict::BadGold);
        assert_eq!(graded.answer.as_deref(), Some("18"));
        assert_eq!(grade("eighteen", "none", MARKED, gsm8k).verdict, Verdict::BadGold);
    }

    /// Characters of any kind among the marks that extractions look for.
    fn any_text() -> impl Strategy<Value = String> {
        let marks = [
            "$",
            "$$",
            "\\(",
            "\\)",
            "\\[",
            "\\]",
            "\\boxed{",
            "\\fbox{",
            "\\boxed ",
            "{",
            "}",
            "\\{",
            "\\",
            "#### ",
            "# ",
            "# Answer\n",
            "A: ",
            "The answer is ",
            "Answer:",
            "**",
            "(B)",
            "B. ",
            "option B",
            "yes",
            "no",
            "{\"answer\": ",
            "\"",
            ",",
            " and ",
            "\n",
            " ",
            "12",
            "-3.5",
            "1/2",
            "\\frac",
            "\\text{",
            "\\sqrt",
            "\\begin{align}",
            "\\end{align}",
            "é",
            "½",
            "=",
        ];
        let mark = proptest::sample::select(marks.to_vec()).prop_map(str::to_owned);
        let piece = prop_oneof![3 => mark, 1 => "(?s).{0,6}"];
        proptest::collection::vec(piece, 0..14).prop_map(|pieces| pieces.concat())
    }

    proptest! {
        #[test]
        fn any_text_is_graded_without_a_panic(text in any_text(), gold in any_text()) {
            for mode in MODES {
                grade(&gold, &text, mode.extractions, mode);
            }
        }

        #[test]
        fn an_answer_is_taken_from_the_text(text in any_text()) {
            for extraction in EXTRACTIONS {
                let Some(answer) = (extraction.extract)(&text) else { continue };
                prop_assert_eq!(answer.trim(), answer.as_ref(), "{}", extraction.name);
                match answer {
                    Cow::Borrowed(answer) => prop_assert!(text.contains(answer)),
                    // Joined pieces and undone escapes: every piece is in the text.
                    Cow::Owned(answer) if extraction.name != "json-field" => {
                        let text = text.replace('\\', "");
                        let answer = answer.replace('\\', "");
                        prop_assert!(answer.split(", ").all(|piece| text.contains(piece)));
                    }
                    Cow::Owned(_) => {}
                }
            }
        }
    }

    #[test]
    fn readings_agree_with_the_published_gsm8k_labels() {
        // openai/grade-school-math: 1,319 problems by 4 models, labelled by its authors.
        let Some(path) = test_data::file("gsm8k/example_model_solutions.jsonl") else { return };
        let gsm8k = mode("gsm8k").unwrap();
        let a_line = [*extraction("a-line").unwrap()];
        let (mut graded, mut unanswered, mut right) = (0, 0, 0);
        for line in std::fs::read_to_string(path).unwrap().lines() {
            let row: serde_json::Value = serde_json::from_str(line).unwrap();
            let gold = extract(row["ground_truth"].as_str().unwrap(), &a_line).unwrap();
            for model in
                ["6b_finetuning", "6b_verification", "175b_finetuning", "175b_verification"]
            {
                let text = row[model]["solution"].as_str().unwrap();
                let verdict = grade(&gold, text, &a_line, gsm8k).verdict;
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
        let gsm8k = mode("gsm8k").unwrap();
        let mut graded = 0;
        for line in std::fs::read_to_string(path).unwrap().lines() {
            let row: serde_json::Value = serde_json::from_str(line).unwrap();
            let text = row["answer"].as_str().unwrap();
            let gold = extract(text, &hash_marks).unwrap();
            assert_eq!(grade(&gold, text, &hash_marks, gsm8k).verdict, Verdict::Correct);
            graded += 1;
        }
        assert_eq!(graded, 1319);
    }
}
