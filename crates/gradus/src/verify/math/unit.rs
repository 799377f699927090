//! Units of measure: which words are one, and what they are worth in each other.

use super::number::Rational;

/// Dimension (metre, gram, second and so on by a letter) and exponent.
type Dimensions = Vec<(char, i32)>;

/// A unit that we know: its dimensions, and its size in base units.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Unit {
    dimensions: Dimensions,
    /// Base units in one of these, as a fraction.
    pub(super) size: Rational,
}

impl Unit {
    pub(super) fn measures_the_same(&self, other: &Self) -> bool {
        self.dimensions == other.dimensions
    }
}

/// Words of one unit, dimension, and size as a fraction of base units.
const UNITS: &[(&[&str], char, i64, i64)] = &[
    (&["m", "meter", "metre"], 'L', 1, 1),
    (&["km", "kilometer", "kilometre"], 'L', 1000, 1),
    (&["cm", "centimeter", "centimetre"], 'L', 1, 100),
    (&["mm", "millimeter", "millimetre"], 'L', 1, 1000),
    (&["dm", "decimeter", "decimetre"], 'L', 1, 10),
    (&["in", "inch", "inche"], 'L', 254, 10_000),
    (&["ft", "foot", "feet"], 'L', 3048, 10_000),
    (&["yd", "yard"], 'L', 9144, 10_000),
    (&["mi", "mile"], 'L', 1_609_344, 1000),
    (&["g", "gram"], 'M', 1, 1),
    (&["kg", "kilogram"], 'M', 1000, 1),
    (&["mg", "milligram"], 'M', 1, 1000),
    (&["ton", "tonne"], 'M', 1_000_000, 1),
    (&["lb", "pound"], 'P', 16, 1),
    (&["oz", "ounce"], 'P', 1, 1),
    (&["s", "sec", "second"], 'T', 1, 1),
    (&["min", "minute"], 'T', 60, 1),
    (&["h", "hr", "hour"], 'T', 3600, 1),
    (&["day"], 'T', 86_400, 1),
    (&["week"], 'T', 604_800, 1),
    (&["month"], 'Y', 1, 1),
    (&["yr", "year"], 'Y', 12, 1),
    (&["ml", "milliliter", "millilitre"], 'V', 1, 1000),
    (&["liter", "litre"], 'V', 1, 1),
    (&["gal", "gallon"], 'G', 8, 1),
    (&["qt", "quart"], 'G', 2, 1),
    (&["pt", "pint"], 'G', 1, 1),
    (&["$", "dollar", "usd"], '$', 1, 1),
    (&["cent"], '$', 1, 100),
    (&["€", "euro"], '€', 1, 1),
    (&["£"], '£', 1, 1),
    (&["¥", "yen", "yuan"], '¥', 1, 1),
    (&["₹", "rupee"], '₹', 1, 1),
    (&["°"], '°', 1, 1),
    (&["rad", "radian"], 'r', 1, 1),
    (&["%"], '%', 1, 1),
    (&["newton"], 'N', 1, 1),
    (&["joule"], 'J', 1, 1),
    (&["kj"], 'J', 1000, 1),
    (&["watt"], 'W', 1, 1),
    (&["kw"], 'W', 1000, 1),
    (&["am", "a.m"], 'a', 1, 1),
    (&["pm", "p.m"], 'p', 1, 1),
    // What names a day is not worth anything in another.
    (&["january", "jan"], '1', 1, 1),
    (&["february", "feb"], '2', 1, 1),
    (&["march", "mar"], '3', 1, 1),
    (&["april", "apr"], '4', 1, 1),
    (&["may"], '5', 1, 1),
    (&["june", "jun"], '6', 1, 1),
    (&["july", "jul"], '7', 1, 1),
    (&["august", "aug"], '8', 1, 1),
    (&["september", "sep", "sept"], '9', 1, 1),
    (&["october", "oct"], 'o', 1, 1),
    (&["november", "nov"], 'n', 1, 1),
    (&["december", "dec"], 'd', 1, 1),
];

/// The unit that `text` names, as `cm^2`, `square feet`, `miles per hour`; `None`
/// for words that are none, which then say what is counted.
pub(super) fn unit(text: &str) -> Option<Unit> {
    let text = match text.trim() {
        "mph" => "mi/h",
        "kph" => "km/h",
        other => other,
    };
    let mut dimensions: Dimensions = Vec::new();
    let mut size = Rational::integer(1);
    let mut sign = 1;
    let mut factor = 1;
    let spaced = text.replace('/', " / ").replace('*', " ");
    for word in spaced.split_whitespace() {
        match word {
            "/" | "per" => {
                sign = -1;
                continue;
            }
            "square" | "sq" => {
                factor = 2;
                continue;
            }
            "cubic" | "cu" => {
                factor = 3;
                continue;
            }
            _ => {}
        }
        let (name, power) = match word.split_once('^') {
            Some((name, power)) => (name, power.parse::<i32>().ok().filter(|p| p.abs() <= 6)?),
            None => (word, 1),
        };
        let (dimension, top, bottom) = known(name)?;
        let exponent = sign * factor * power;
        (sign, factor) = (1, 1);
        match dimensions.iter_mut().find(|(known, _)| *known == dimension) {
            Some((_, sum)) => *sum += exponent,
            None => dimensions.push((dimension, exponent)),
        }
        let step = Rational::new(top.into(), bottom.into())?;
        let step = if exponent < 0 { step.reciprocal()? } else { step };
        for _ in 0..exponent.abs() {
            size = Rational::new(
                size.numerator() * step.numerator(),
                size.denominator() * step.denominator(),
            )?;
        }
    }
    dimensions.retain(|(_, exponent)| *exponent != 0);
    dimensions.sort_unstable();
    (!dimensions.is_empty()).then_some(Unit { dimensions, size })
}

/// Whether a word before a number names a month, which the number then counts in.
pub(super) fn is_month(word: &str) -> bool {
    known(word).is_some_and(|(dimension, ..)| "123456789ond".contains(dimension))
}

fn known(name: &str) -> Option<(char, i64, i64)> {
    let lower = name.to_lowercase();
    let singular = lower.strip_suffix('s').unwrap_or(&lower);
    UNITS
        .iter()
        .find(|(names, ..)| names.contains(&lower.as_str()) || names.contains(&singular))
        .map(|(_, dimension, top, bottom)| (*dimension, *top, *bottom))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn units_are_worth_each_other_where_they_measure_the_same() {
        let size = |text| unit(text).unwrap().size;
        assert_eq!(size("feet"), size("ft"));
        assert_eq!(size("cm^2"), size("square centimeters"));
        assert_eq!(size("m^2"), Rational::integer(1));
        assert_eq!(size("km"), Rational::integer(1000));
        assert_eq!(size("miles per hour"), size("mph"));
        assert!(!unit("cm").unwrap().measures_the_same(&unit("cm^2").unwrap()));
        assert!(unit("dollars").unwrap().measures_the_same(&unit("$").unwrap()));
        assert_eq!(unit("apples"), None);
        assert_eq!(unit(""), None);
    }
}
