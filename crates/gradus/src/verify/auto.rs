//! The last box, else what follows the last answer cue, else the last piece of
//! mathematics, else the whole text. What a cue announces as mathematics is read
//! without its dollar signs. "Final answer" after the last box takes its place: a
//! model that states it there has gone on since the box.

use std::borrow::Cow;

use super::{Extraction, answer_cue, boxed, math_span, whole_text};

pub(super) const EXTRACTION: Extraction = Extraction {
    name: "auto",
    summary: "the last box, else an answer cue, else the last mathematics, else the whole text",
    extract: |text| {
        let boxed = (boxed::EXTRACTION.extract)(text);
        if boxed.as_ref().is_some_and(|boxed| !boxed.is_empty()) {
            let after = text.rfind("\\boxed").map_or("", |at| &text[at..]);
            let stated = after.find("inal answer").or_else(|| after.find("inal Answer"));
            return stated.and_then(|_| said(after)).filter(|said| !said.is_empty()).or(boxed);
        }
        boxed
            .or_else(|| said(text))
            .or_else(|| (math_span::EXTRACTION.extract)(text))
            .or_else(|| (whole_text::EXTRACTION.extract)(text))
    },
};

/// What the last cue announces.
fn said(text: &str) -> Option<Cow<'_, str>> {
    let said = answer_cue::last(text)?;
    // "$5$ for all $x > 3$" begins with the answer, "all $x$ with $x > 3$" ends in it.
    math_span::leading_answer(said)
        .or_else(|| (math_span::EXTRACTION.extract)(said))
        .or(Some(Cow::Borrowed(said)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_plainest_marker_decides() {
        let read = |text| (EXTRACTION.extract)(text).map(Cow::into_owned);
        for (text, answer) in [
            (r"$x = 1$, the answer is 2, \boxed{3}", "3"),
            (r"so \boxed{255} is due. Final Answer: The final answer is $10,455$.", "10,455"),
            (r"The final answer is $\boxed{3}$. It is the final answer.", "3"),
            ("Since $x = 1$, the answer is $2$.", "2"),
            ("So $x = 1$ and $y = \\frac{1}{2}$.", "x = 1, y = \\frac{1}{2}"),
            ("The answer is $5$ for all $x > 3$.", "5"),
            ("The answer is $1$ and $2$ for $x > 3$.", "1, 2"),
            ("The answer is any $x$ with $x > 3$.", "x > 3"),
            ("28 percent", "28 percent"),
            (r"The answer is 2, no: \boxed{", ""),
            ("$x = 1$, so the answer is", ""),
        ] {
            assert_eq!(read(text).as_deref(), Some(answer), "{text}");
        }
        assert_eq!(read(" "), None);
    }
}
