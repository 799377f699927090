//! Mathematical equivalence.

mod budget;
mod expr;
mod number;
mod parse;
mod token;
mod word;

#[cfg(test)]
mod tests {
    use super::budget::Budget;
    use super::token::{Reading, tokens};
    #[test]
    fn look() {
        let path = std::env::var("LOOK").unwrap();
        for line in std::fs::read_to_string(path).unwrap().lines() {
            let text: String = serde_json::from_str(line).unwrap();
            let mut budget = Budget::new(10_000_000);
            let tokens = tokens(&text, Reading::default(), &mut budget).unwrap().unwrap();
            println!("{text:?} {} -> {:?}", tokens.broken, super::parse::parse(tokens.list, &mut budget));
        }
    }
}
