//! Names beside curves: broken into lines, moved apart where they would collide.

/// Height of a line of a label, in pixels of the chart.
pub(super) const LINE_HEIGHT: f64 = 13.5;
const MAX_WIDTH: f64 = 104.0;
const GAP: f64 = 4.0;

/// The name of a curve with the figure it ends on.
pub(super) struct Label {
    /// Words of each line, and the figure where it stands on that line.
    pub(super) lines: Vec<(String, String)>,
    pub(super) class: &'static str,
    /// Where the curve ends; no x is the edge of the plot.
    pub(super) end: (Option<f64>, f64),
}

impl Label {
    pub(super) fn new(
        name: &str,
        figure: &str,
        class: &'static str,
        end: (Option<f64>, f64),
    ) -> Self {
        let mut lines = vec![String::new()];
        for word in name.split_whitespace() {
            let line = lines.last_mut().expect("there is a line");
            if !line.is_empty() && text_width(line) + text_width(" ") + text_width(word) > MAX_WIDTH
            {
                lines.push(word.to_owned());
            } else {
                if !line.is_empty() {
                    line.push(' ');
                }
                line.push_str(word);
            }
        }
        let mut lines: Vec<(String, String)> =
            lines.into_iter().map(|line| (line, String::new())).collect();
        let (last, place) = lines.last_mut().expect("there is a line");
        if text_width(last) + text_width(" ") + figure_width(figure) > MAX_WIDTH {
            lines.push((String::new(), figure.to_owned()));
        } else {
            last.push('\u{a0}');
            figure.clone_into(place);
        }
        Self { lines, class, end }
    }

    pub(super) fn width(&self) -> f64 {
        let width = |(words, figure): &(String, String)| text_width(words) + figure_width(figure);
        self.lines.iter().map(width).fold(0.0, f64::max)
    }

    pub(super) fn height(&self) -> f64 {
        self.lines.len() as f64 * LINE_HEIGHT + GAP
    }
}

/// Centres as near as they can be (least squares) to the wanted ones so that
/// labels, given as (wanted centre, height), neither overlap nor leave `top` to
/// `bottom`; the order of the wanted centres is kept.
pub(super) fn spread(wanted: &[(f64, f64)], top: f64, bottom: f64) -> Vec<f64> {
    struct Cluster {
        members: Vec<usize>,
        start: f64,
        height: f64,
    }
    let fitted = |members: &[usize]| {
        let (mut height, mut offset) = (0.0, 0.0);
        for &member in members {
            let (centre, tall) = wanted[member];
            offset += centre - (height + tall / 2.0);
            height += tall;
        }
        let start = offset / members.len() as f64;
        (start.min(bottom - height).max(top), height)
    };
    let mut order: Vec<usize> = (0..wanted.len()).collect();
    order.sort_by(|&a, &b| wanted[a].0.total_cmp(&wanted[b].0));
    let mut clusters: Vec<Cluster> = Vec::new();
    for label in order {
        let mut members = vec![label];
        let (mut start, mut height) = fitted(&members);
        while let Some(above) = clusters.pop_if(|above| above.start + above.height > start) {
            members.splice(0..0, above.members);
            (start, height) = fitted(&members);
        }
        clusters.push(Cluster { members, start, height });
    }
    let mut centres = vec![0.0; wanted.len()];
    for cluster in clusters {
        let mut at = cluster.start;
        for member in cluster.members {
            centres[member] = at + wanted[member].1 / 2.0;
            at += wanted[member].1;
        }
    }
    centres
}

/// Width of a figure, which is set bold.
fn figure_width(figure: &str) -> f64 {
    1.12 * text_width(figure)
}

/// Width of text set in 12 px of a usual sans serif, a little on the wide side.
fn text_width(text: &str) -> f64 {
    let width = |character: char| match character {
        'i' | 'j' | 'l' | '.' | ',' | ':' | ';' | '\'' | '|' | '!' => 3.4,
        'f' | 't' | 'r' | 'I' | '(' | ')' | '[' | ']' | ' ' | '\u{a0}' | '-' | '/' => 4.6,
        'm' | 'w' | 'M' | 'W' | '%' | '@' => 10.6,
        c if c.is_uppercase() => 8.6,
        c if c.is_ascii() => 7.3,
        '\u{2212}' => 7.3,
        _ => 9.0,
    };
    text.chars().map(width).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_that_have_room_stay_where_they_are() {
        assert_eq!(spread(&[(80.0, 10.0), (20.0, 10.0)], 0.0, 100.0), [80.0, 20.0]);
    }

    #[test]
    fn labels_that_collide_move_apart_evenly() {
        assert_eq!(spread(&[(50.0, 10.0), (50.0, 10.0)], 0.0, 100.0), [45.0, 55.0]);
        // The third pulls the first two along.
        assert_eq!(
            spread(&[(50.0, 10.0), (52.0, 10.0), (54.0, 10.0)], 0.0, 100.0),
            [42.0, 52.0, 62.0]
        );
    }

    #[test]
    fn labels_stay_inside_and_never_overlap() {
        let wanted: Vec<(f64, f64)> =
            [99.0, 98.0, 97.0, 3.0, 2.0, 2.0, 50.0].map(|centre| (centre, 12.0)).to_vec();
        let mut centres = spread(&wanted, 0.0, 100.0);
        centres.sort_by(f64::total_cmp);
        assert!(centres.windows(2).all(|pair| pair[1] - pair[0] >= 12.0 - 1e-9), "{centres:?}");
        assert!(centres[0] >= 6.0 && centres[6] <= 94.0 + 1e-9, "{centres:?}");
    }

    #[test]
    fn a_long_name_takes_several_lines_and_ends_with_its_figure() {
        let label = Label::new("vote weighted by the evaluator", "44.3%", "main", (None, 0.4));
        assert!(label.lines.len() > 1 && label.width() <= MAX_WIDTH);
        assert_eq!(label.lines.last().unwrap().1, "44.3%");
    }
}
