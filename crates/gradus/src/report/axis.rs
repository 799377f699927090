use serde::{Deserialize, Serialize};

use super::number::{Format, decimals, signed, thousands};

/// How values are spread along an axis.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Scale {
    /// Equal steps are equal lengths.
    #[default]
    Linear,
    /// Doublings are equal lengths; values must be above zero.
    Log2,
    /// Powers of ten are equal lengths; values must be above zero.
    Log10,
}

/// An axis of a chart.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Axis {
    /// What runs along it, with its unit.
    pub label: String,
    /// How its ticks and values are written.
    pub format: Format,
    /// How values are spread along it.
    pub scale: Scale,
    /// Where the ticks stand; empty leaves the choice to the chart.
    pub ticks: Vec<f64>,
    /// From where to where it runs; `None` fits it to what is shown.
    pub range: Option<(f64, f64)>,
}

impl Axis {
    /// A linear axis fitted to what is shown.
    pub fn new(label: impl Into<String>, format: Format) -> Self {
        Self { label: label.into(), format, scale: Scale::Linear, ticks: Vec::new(), range: None }
    }

    /// A log2 axis with ticks at the given values.
    pub fn log2(label: impl Into<String>, ticks: &[f64]) -> Self {
        Self { scale: Scale::Log2, ticks: ticks.to_vec(), ..Self::new(label, Format::Count) }
    }

    /// The same axis with fixed ends.
    #[must_use]
    pub fn between(self, low: f64, high: f64) -> Self {
        Self { range: Some((low, high)), ..self }
    }

    /// The axis laid out from `start` to `end` (in pixels, either may be the larger) for `values`.
    pub(super) fn fit(
        &self,
        values: impl IntoIterator<Item = f64>,
        start: f64,
        end: f64,
    ) -> FittedAxis<'_> {
        let shown =
            |value: &f64| value.is_finite() && (self.scale == Scale::Linear || *value > 0.0);
        let (low, high) = self.range.unwrap_or_else(|| {
            let all = values.into_iter().chain(self.ticks.iter().copied()).filter(shown);
            all.fold((f64::INFINITY, f64::NEG_INFINITY), |(l, h), v| (l.min(v), h.max(v)))
        });
        let (low, high) = match (low < high, self.scale) {
            (true, _) => (low, high),
            (false, Scale::Linear) if low.is_finite() => (low - 0.5, low + 0.5),
            (false, Scale::Linear) => (0.0, 1.0),
            (false, _) if low.is_finite() => (low / 2.0, low * 2.0),
            (false, _) => (1.0, 2.0),
        };
        let ticks = if self.ticks.is_empty() { self.choose(low, high) } else { self.ticks.clone() };
        // An axis that chose its own ticks ends on them.
        let (low, high) = match (self.range, ticks.first(), ticks.last()) {
            (None, Some(&first), Some(&last)) => (low.min(first), high.max(last)),
            _ => (low, high),
        };
        FittedAxis { axis: self, ticks, low, high, start, end }
    }

    /// Round ticks that cover `low` to `high`.
    fn choose(&self, low: f64, high: f64) -> Vec<f64> {
        match self.scale {
            Scale::Linear => {
                let rough = (high - low) / 4.0;
                let power = 10f64.powf(rough.log10().floor());
                let step = [1.0, 2.0, 2.5, 5.0, 10.0]
                    .map(|factor| factor * power)
                    .into_iter()
                    .find(|&step| step >= rough * 0.999)
                    .unwrap_or(10.0 * power);
                // A fixed range keeps its ends: its ticks stay inside.
                let (first, last) = match self.range {
                    None => ((low / step + 1e-9).floor(), (high / step - 1e-9).ceil()),
                    Some(_) => ((low / step - 1e-9).ceil(), (high / step + 1e-9).floor()),
                };
                (first as i64..=last as i64).map(|k| k as f64 * step).collect()
            }
            Scale::Log2 => powers(2.0, low.log2(), high.log2()),
            Scale::Log10 => powers(10.0, low.log10(), high.log10()),
        }
    }

    /// How a tick is written: as short as the ticks allow.
    fn tick_text(&self, value: f64, places: usize) -> String {
        match self.format {
            Format::Percent => format!("{}%", decimals(value * 100.0, places)),
            Format::Points => signed(&decimals(value * 100.0, places)),
            Format::Decimal(_) => decimals(value, places),
            Format::Count => thousands(value),
        }
    }
}

fn powers(base: f64, low: f64, high: f64) -> Vec<f64> {
    let (first, last) = ((low + 1e-9).floor() as i32, (high - 1e-9).ceil() as i32);
    let step = ((last - first) / 6 + 1).max(1) as usize;
    (first..=last).step_by(step).map(|exponent| base.powi(exponent)).collect()
}

/// An axis with its place on the page.
pub(super) struct FittedAxis<'a> {
    axis: &'a Axis,
    ticks: Vec<f64>,
    low: f64,
    high: f64,
    start: f64,
    end: f64,
}

impl FittedAxis<'_> {
    /// Where a value stands, held inside the axis.
    pub(super) fn at(&self, value: f64) -> f64 {
        let spread = |value: f64| match self.axis.scale {
            Scale::Linear => value,
            Scale::Log2 | Scale::Log10 => value.max(f64::MIN_POSITIVE).ln(),
        };
        let (low, high) = (spread(self.low), spread(self.high));
        let share = ((spread(value) - low) / (high - low)).clamp(0.0, 1.0);
        self.start + share * (self.end - self.start)
    }

    /// Whether a value lies on the axis.
    pub(super) fn covers(&self, value: f64) -> bool {
        (self.low..=self.high).contains(&value)
    }

    /// The ticks: place and text.
    pub(super) fn ticks(&self) -> Vec<(f64, String)> {
        let unit = match self.axis.format {
            Format::Percent | Format::Points => 100.0,
            Format::Decimal(_) | Format::Count => 1.0,
        };
        // The fewest decimals that write a tick exactly; on a linear axis all have the same.
        let exact = |tick: f64| {
            let whole = |places: &usize| {
                let scaled = tick * unit * 10f64.powi(*places as i32);
                (scaled - scaled.round()).abs() < 1e-6
            };
            (0..6).find(whole).unwrap_or(6)
        };
        let most = self.ticks.iter().map(|&tick| exact(tick)).max().unwrap_or(0);
        let places = |tick| if self.axis.scale == Scale::Linear { most } else { exact(tick) };
        let shown = self.ticks.iter().filter(|&&tick| self.covers(tick));
        shown.map(|&tick| (self.at(tick), self.axis.tick_text(tick, places(tick)))).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ticks(axis: &Axis, values: &[f64]) -> Vec<String> {
        let fitted = axis.fit(values.iter().copied(), 0.0, 100.0);
        fitted.ticks().into_iter().map(|(_, text)| text).collect()
    }

    #[test]
    fn ticks_are_round_and_cover_the_values() {
        let percent = Axis::new("accuracy", Format::Percent);
        assert_eq!(ticks(&percent, &[0.18, 0.97]), ["0%", "20%", "40%", "60%", "80%", "100%"]);
        assert_eq!(
            ticks(&percent, &[0.991, 0.999]),
            ["99.0%", "99.2%", "99.4%", "99.6%", "99.8%", "100.0%"]
        );
        let points = Axis::new("difference", Format::Points);
        assert_eq!(ticks(&points, &[-0.04, 0.21]), ["-10", "0", "+10", "+20", "+30"]);
        let loss = Axis { scale: Scale::Log10, ..Axis::new("loss", Format::Decimal(3)) };
        assert_eq!(ticks(&loss, &[0.012, 0.7]), ["0.01", "0.1", "1"]);
    }

    #[test]
    fn given_ticks_are_kept_and_doublings_are_equal_lengths() {
        let axis = Axis::log2("samples", &[1.0, 4.0, 16.0, 64.0]);
        let fitted = axis.fit([1.0, 64.0], 0.0, 60.0);
        let places: Vec<f64> = fitted.ticks().into_iter().map(|(at, _)| at.round()).collect();
        assert_eq!(places, [0.0, 20.0, 40.0, 60.0]);
    }

    #[test]
    fn an_axis_without_a_span_still_has_one() {
        let axis = Axis::new("x", Format::Decimal(1));
        assert_eq!(axis.fit([3.0], 0.0, 100.0).at(3.0), 50.0);
        assert_eq!(axis.fit([f64::NAN], 0.0, 100.0).ticks().len(), 5);
    }
}
