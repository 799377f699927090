use gradus::data::Span;

use crate::{TokenizeError, Tokenizer};

/// A completion as the evaluator head reads it.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Judgement {
    /// Problem, completion and an end-of-sequence token.
    pub tokens: Vec<u32>,
    /// Index in `tokens` of the first token of the completion.
    pub completion: usize,
    /// Per step, the position at which its score is read.
    pub positions: Vec<usize>,
}

/// Where each step of a completion is judged: trainer and evaluator both ask here.
///
/// A step is read at its last token, the newline that ends it included; the
/// step that ends the completion without a newline is read at the
/// end-of-sequence token. Without steps there is one score, read there too.
pub fn judgement(
    tokenizer: &Tokenizer,
    problem: &str,
    completion: &str,
    steps: &[Span],
) -> Result<Judgement, TokenizeError> {
    let mut tokens = tokenizer.encode(problem)?;
    let start = tokens.len();
    let written = tokenizer.tokens(completion)?;
    tokens.extend(written.iter().map(|token| token.id));
    tokens.push(*tokenizer.end_of_sequence().first().ok_or(TokenizeError::NoEnd)?);
    let end_of_sequence = tokens.len() - 1;

    let bytes = completion.as_bytes();
    let position = |step: &Span| {
        let newline_inside = step.end > 0 && bytes.get(step.end - 1) == Some(&b'\n');
        let newline_after = !newline_inside && bytes.get(step.end) == Some(&b'\n');
        let end = step.end + usize::from(newline_after);
        if end >= bytes.len() && !newline_inside && !newline_after {
            return end_of_sequence;
        }
        // The token that holds the step's last byte.
        start + written.partition_point(|token| token.end < end)
    };
    let positions =
        if steps.is_empty() { vec![end_of_sequence] } else { steps.iter().map(position).collect() };
    Ok(Judgement { tokens, completion: start, positions })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{ByteTokenizer, SymbolTokenizer};

    fn spans(ends: &[usize]) -> Vec<Span> {
        let starts = std::iter::once(0).chain(ends.iter().copied());
        starts.zip(ends).map(|(start, &end)| Span { start, end }).collect()
    }

    #[test]
    fn steps_are_read_at_their_newline_and_the_last_at_the_end_of_sequence() {
        let symbols = ["\n", "#", "+", "5", "14"].map(str::to_owned).to_vec();
        let tokenizer = SymbolTokenizer::new(symbols).unwrap().into();
        let read = |completion: &str, ends: &[usize]| {
            judgement(&tokenizer, "5 + 5\n", completion, &spans(ends)).unwrap()
        };
        let judged = read("14\n5\n# 5", &[3, 5, 8]);
        assert_eq!(judged.tokens, [5, 4, 5, 2, 6, 2, 5, 2, 3, 5, 1]);
        assert_eq!((judged.completion, judged.positions.as_slice()), (4, &[5, 7, 10][..]));
        // Spans without their newline mean the same; a newline at the very end is a step's own.
        assert_eq!(read("14\n5\n# 5", &[2, 4, 8]).positions, [5, 7, 10]);
        assert_eq!(read("14\n5\n", &[3, 5]).positions, [5, 7]);
        assert_eq!(read("", &[0]).positions, [4]);
        assert_eq!(read("14", &[]).positions, [5]);
    }

    #[test]
    fn bytes_are_read_where_the_step_ends() {
        let judged = judgement(&ByteTokenizer {}.into(), "q", "ab\nc", &spans(&[3, 4])).unwrap();
        assert_eq!(judged.positions, [3, 5]);
    }
}
