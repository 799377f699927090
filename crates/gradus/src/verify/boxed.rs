//! The last `\boxed{...}` of a text, as solutions of MATH (Hendrycks et al.
//! 2021) give their answers, with its braces balanced.

use super::Extraction;

pub(super) const EXTRACTION: Extraction = Extraction {
    name: "boxed",
    summary: "what stands in the last `\\boxed{...}`",
    extract: |text| {
        let (_, inner) = text.rsplit_once("\\boxed{")?;
        let mut depth = 1;
        for (at, byte) in inner.bytes().enumerate() {
            match byte {
                b'{' => depth += 1,
                b'}' => depth -= 1,
                _ => {}
            }
            if depth == 0 {
                return Some(inner[..at].trim());
            }
        }
        // Cut off within the box: the marker is there, the answer is not.
        Some("")
    },
};

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn braces_inside_the_last_box_are_balanced() {
        let read = EXTRACTION.extract;
        assert_eq!(read(r"\boxed{1} so \boxed{\frac{1}{2}}."), Some(r"\frac{1}{2}"));
        assert_eq!(read(r"so \boxed{\frac{1}{2}"), Some(""));
        assert_eq!(read("no box"), None);
    }
}
