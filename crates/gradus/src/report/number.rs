use serde::{Deserialize, Serialize};

/// How a figure is written down.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Format {
    /// A share in 0 to 1, written as `41.7%`.
    Percent,
    /// A difference of shares in -1 to 1, written in percentage points with its sign: `+16.0`.
    Points,
    /// A plain number with this many decimals.
    Decimal(u8),
    /// A whole number with thousands separated: `12,000`.
    Count,
}

/// A figure with what is needed to believe it: its interval and its n.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Number {
    /// The estimate, in the unit of `format`; not finite means undefined.
    pub value: f64,
    /// Lower and upper end of its interval, in the unit of `value`.
    pub interval: Option<(f64, f64)>,
    /// How many units (problems, steps, pairs) it was taken over.
    pub n: Option<u64>,
    /// How it is written.
    pub format: Format,
}

impl Number {
    fn new(value: f64, format: Format) -> Self {
        Self { value, interval: None, n: None, format }
    }

    /// A share in 0 to 1.
    pub fn percent(share: f64) -> Self {
        Self::new(share, Format::Percent)
    }

    /// A difference of two shares, in -1 to 1.
    pub fn points(difference: f64) -> Self {
        Self::new(difference, Format::Points)
    }

    /// A number with a fixed count of decimals.
    pub fn decimal(value: f64, decimals: u8) -> Self {
        Self::new(value, Format::Decimal(decimals))
    }

    /// A whole number.
    pub fn count(count: u64) -> Self {
        Self::new(count as f64, Format::Count)
    }

    /// The same figure with its interval.
    #[must_use]
    pub fn within(self, low: f64, high: f64) -> Self {
        Self { interval: Some((low, high)), ..self }
    }

    /// The same figure with the number of units behind it.
    #[must_use]
    pub fn of(self, n: u64) -> Self {
        Self { n: Some(n), ..self }
    }

    /// The estimate alone: `41.7%`.
    pub(super) fn value_text(&self) -> String {
        if !self.value.is_finite() {
            return "undefined".to_owned();
        }
        match self.format {
            Format::Percent => format!("{}%", decimals(self.value * 100.0, 1)),
            Format::Points => signed(&decimals(self.value * 100.0, 1)),
            Format::Decimal(places) => decimals(self.value, places.into()),
            Format::Count => thousands(self.value),
        }
    }

    /// The unit to name where the figure stands alone.
    pub(super) fn unit(&self) -> Option<&'static str> {
        (self.format == Format::Points && self.value.is_finite()).then_some("points")
    }

    /// The interval alone, in brackets and without a unit: `[36.2, 47.4]`. The
    /// space in it does not break, so tables wrap before the bracket.
    pub(super) fn interval_text(&self) -> Option<String> {
        let (low, high) =
            self.interval.filter(|(low, high)| low.is_finite() && high.is_finite())?;
        let end = |value: f64| match self.format {
            Format::Percent | Format::Points => decimals(value * 100.0, 1),
            Format::Decimal(places) => decimals(value, places.into()),
            Format::Count => thousands(value),
        };
        Some(format!("[{},\u{a0}{}]", end(low), end(high)))
    }

    /// The estimate with its interval: `41.7% [36.2, 47.4]`.
    pub(super) fn full_text(&self) -> String {
        match self.interval_text() {
            Some(interval) => format!("{} {interval}", self.value_text()),
            None => self.value_text(),
        }
    }
}

/// Fixed decimals, without the minus sign of a zero.
pub(super) fn decimals(value: f64, places: usize) -> String {
    let written = format!("{value:.places$}");
    match written.strip_prefix('-') {
        Some(digits) if digits.chars().all(|c| c == '0' || c == '.') => digits.to_owned(),
        _ => written,
    }
}

/// With a plus sign where the number is above zero as written.
pub(super) fn signed(written: &str) -> String {
    let zero = written.chars().all(|c| c == '0' || c == '.');
    if zero || written.starts_with('-') { written.to_owned() } else { format!("+{written}") }
}

/// `n = 1,200`.
pub(super) fn n_text(n: u64) -> String {
    format!("n\u{a0}=\u{a0}{}", thousands(n as f64))
}

/// A whole number with commas between groups of three digits.
pub(super) fn thousands(value: f64) -> String {
    let digits = format!("{:.0}", value.abs());
    let mut written = String::new();
    if value <= -0.5 {
        written.push('-');
    }
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            written.push(',');
        }
        written.push(digit);
    }
    written
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_are_written_with_their_interval() {
        let cases = [
            (Number::percent(0.4166), "41.7%"),
            (Number::percent(0.4166).within(0.362, 0.474).of(300), "41.7% [36.2,\u{a0}47.4]"),
            (Number::points(0.16).within(0.11, 0.213), "+16.0 [11.0,\u{a0}21.3]"),
            (Number::points(-0.007).within(-0.04, 0.0), "-0.7 [-4.0,\u{a0}0.0]"),
            (Number::points(-0.0001), "0.0"),
            (Number::decimal(0.99612, 3), "0.996"),
            (Number::count(1_234_567), "1,234,567"),
            (Number::percent(f64::NAN), "undefined"),
            (Number::percent(0.5).within(f64::NAN, 1.0), "50.0%"),
        ];
        for (number, expected) in cases {
            assert_eq!(number.full_text(), expected);
        }
    }
}
