//! Which runs of letters are words and not variables side by side.

/// Short words of English prose and of answers.
const SHORT: &[&str] = &[
    "about", "after", "all", "am", "an", "and", "any", "apr", "are", "as", "at", "aug", "be",
    "both", "but", "by", "can", "dec", "each", "feb", "for", "fri", "from", "has", "he", "her",
    "his", "if", "in", "is", "it", "jan", "jul", "jun", "let", "mar", "may", "mon", "no", "none",
    "not", "nov", "oct", "of", "off", "on", "one", "only", "or", "our", "out", "own", "sat", "see",
    "sep", "she", "six", "so", "sun", "ten", "that", "the", "thu", "to", "too", "tue", "two", "up",
    "us", "was", "we", "wed", "yes", "you", "odd", "day", "car", "red", "new", "old", "now", "dne",
];

/// Units of two or three letters that stand after a number.
const UNITS: &[&str] = &[
    "cm", "mm", "km", "kg", "mg", "ml", "mL", "ft", "mi", "yd", "lb", "lbs", "oz", "hr", "hrs",
    "min", "sec", "ms", "mph", "kph", "Hz", "kHz", "sq", "cu", "pm", "rad", "mol", "kJ", "kW",
    "usd", "pct", "nm", "gal", "pt", "qt", "per", "dm", "ha", "rpm", "pts", "cts", "yr", "yrs",
    "pcs",
];

/// Whether `run`, two or more letters, is a word. Four letters and more are,
/// unless all are capitals (the corners of a quadrilateral) or repeat a variable.
pub(super) fn is_word(run: &str) -> bool {
    if SHORT.contains(&run.to_ascii_lowercase().as_str()) {
        // `NO`, `AT`, `BE` are segments as often as words.
        return !run.bytes().all(|byte| byte.is_ascii_uppercase())
            || matches!(run, "NO" | "YES" | "DNE");
    }
    if UNITS.contains(&run) {
        return true;
    }
    let bytes = run.as_bytes();
    bytes.len() >= 4
        && !bytes.iter().all(u8::is_ascii_uppercase)
        && bytes.iter().any(|byte| *byte != bytes[0])
        && !bytes.iter().all(|byte| b"abcdxyznmk".contains(byte))
}

/// The number that one word names, up to twenty.
pub(super) fn number(word: &str) -> Option<i64> {
    const NUMBERS: &[&str] = &[
        "zero",
        "one",
        "two",
        "three",
        "four",
        "five",
        "six",
        "seven",
        "eight",
        "nine",
        "ten",
        "eleven",
        "twelve",
        "thirteen",
        "fourteen",
        "fifteen",
        "sixteen",
        "seventeen",
        "eighteen",
        "nineteen",
        "twenty",
    ];
    let lower = word.to_ascii_lowercase();
    (0..).zip(NUMBERS).find(|(_, number)| **number == lower).map(|(value, _)| value)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_and_products_of_variables_are_told_apart() {
        for word in ["east", "Evelyn", "and", "is", "cm", "hours", "No"] {
            assert!(is_word(word), "{word}");
        }
        for product in ["ab", "RC", "ABCD", "xyz", "abcd", "NO"] {
            assert!(!is_word(product) || product == "NO", "{product}");
        }
    }
}
