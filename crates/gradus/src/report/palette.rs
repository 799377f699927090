//! Colours, and which curve gets which.

use super::chart::Role;

/// A colour of the page with its value on light and on dark paper.
pub(super) struct Colour {
    pub(super) name: &'static str,
    pub(super) light: &'static str,
    pub(super) dark: &'static str,
}

const fn colour(name: &'static str, light: &'static str, dark: &'static str) -> Colour {
    Colour { name, light, dark }
}

/// The page's colours: every text colour meets WCAG AA on `paper` and on `panel`, and
/// the curves' colours stay apart under the three dichromacies (simulated after
/// Machado et al. 2009, at least 13 apart in CIELAB).
pub(super) const PALETTE: &[Colour] = &[
    colour("paper", "#fdfcf9", "#15171a"),
    colour("panel", "#f4f2ec", "#1e2125"),
    colour("ink", "#1c1d1f", "#e9e7e2"),
    colour("muted", "#5f6062", "#a3a5a8"),
    colour("rule", "#dcd9d1", "#373b40"),
    colour("main", "#b3400a", "#ff9460"),
    colour("baseline", "#3d4045", "#d3d4d6"),
    colour("bound", "#68696b", "#9fa2a6"),
    colour("other-1", "#0b5fa5", "#6fb4f2"),
    colour("other-2", "#8a3b80", "#d65cba"),
    colour("other-3", "#006633", "#33cc94"),
    colour("other-4", "#4c2e00", "#dfac20"),
];

/// How a curve is drawn: told apart by colour, dash and marker, never by one alone.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Stroke {
    /// The class that colours it: a name of the palette.
    pub(super) class: &'static str,
    pub(super) dash: &'static str,
    pub(super) width: f64,
    pub(super) marker: Option<Marker>,
}

/// The shape at a curve's points.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Marker {
    Circle,
    Square,
    Diamond,
    Triangle,
}

const fn stroke(class: &'static str, dash: &'static str, width: f64, marker: Marker) -> Stroke {
    Stroke { class, dash, width, marker: Some(marker) }
}

const MAIN: Stroke = stroke("main", "", 3.2, Marker::Circle);
const BASELINE: Stroke = stroke("baseline", "", 1.8, Marker::Square);
const BOUND: Stroke = Stroke { class: "bound", dash: "1.5 3", width: 1.6, marker: None };
const OTHERS: [Stroke; 8] = [
    stroke("other-1", "7 3", 1.5, Marker::Diamond),
    stroke("other-2", "3 2.5", 1.5, Marker::Triangle),
    stroke("other-3", "9 3 2 3", 1.5, Marker::Square),
    stroke("other-4", "5 2 1.5 2", 1.5, Marker::Circle),
    stroke("other-1", "2 2", 1.5, Marker::Triangle),
    stroke("other-2", "10 3", 1.5, Marker::Diamond),
    stroke("other-3", "4 4", 1.5, Marker::Circle),
    stroke("other-4", "7 3 1.5 3", 1.5, Marker::Square),
];

/// The class that colours a lone mark, where place tells it from others of its role.
pub(super) fn class(role: Role) -> &'static str {
    match role {
        Role::Main => MAIN.class,
        Role::Baseline => BASELINE.class,
        Role::Bound => BOUND.class,
        Role::Other => OTHERS[0].class,
    }
}

/// The stroke of each curve, by its role and by its place among those of the same role.
pub(super) fn strokes(roles: impl IntoIterator<Item = Role>) -> Vec<Stroke> {
    let (mut others, mut taken) = (OTHERS.iter().cycle(), Vec::new());
    for role in roles {
        let own = match role {
            Role::Main => Some(MAIN),
            Role::Baseline => Some(BASELINE),
            Role::Bound => Some(BOUND),
            Role::Other => None,
        };
        let mut next = || *others.next().expect("a cycle does not end");
        taken.push(own.filter(|own| !taken.contains(own)).unwrap_or_else(&mut next));
    }
    taken
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Relative luminance and contrast as WCAG 2.2 defines them.
    fn luminance(hex: &str) -> f64 {
        let channel = |at: usize| {
            let share = f64::from(u8::from_str_radix(&hex[at..at + 2], 16).unwrap()) / 255.0;
            if share <= 0.04045 { share / 12.92 } else { ((share + 0.055) / 1.055).powf(2.4) }
        };
        0.2126 * channel(1) + 0.7152 * channel(3) + 0.0722 * channel(5)
    }

    fn contrast(one: &str, two: &str) -> f64 {
        let (one, two) = (luminance(one), luminance(two));
        (one.max(two) + 0.05) / (one.min(two) + 0.05)
    }

    #[test]
    fn contrast_agrees_with_the_ends_of_the_scale() {
        assert_eq!(contrast("#ffffff", "#000000"), 21.0);
        // The lightest grey that passes AA on white, as commonly quoted.
        assert!((contrast("#767676", "#ffffff") - 4.54).abs() < 0.01);
    }

    #[test]
    fn every_text_colour_meets_aa_on_paper_and_on_panel() {
        let find = |name| PALETTE.iter().find(|colour| colour.name == name).unwrap();
        let (paper, panel) = (find("paper"), find("panel"));
        for colour in PALETTE.iter().filter(|c| !["paper", "panel", "rule"].contains(&c.name)) {
            for ground in [paper, panel] {
                assert!(contrast(colour.light, ground.light) >= 4.5, "light {}", colour.name);
                assert!(contrast(colour.dark, ground.dark) >= 4.5, "dark {}", colour.name);
            }
        }
    }

    #[test]
    fn curves_of_one_chart_differ_in_dash_or_marker_too() {
        let roles = [Role::Main, Role::Baseline, Role::Bound].into_iter().chain([Role::Other; 8]);
        let taken = strokes(roles);
        for (place, one) in taken.iter().enumerate() {
            for two in &taken[place + 1..] {
                assert!((one.dash, one.marker) != (two.dash, two.marker), "{one:?} {two:?}");
            }
        }
    }
}
