//! Just enough of SVG to draw the charts.

use super::markup::escape;

/// Elements in the order in which they are drawn.
pub(super) struct Svg {
    out: String,
}

/// A value of an attribute.
pub(super) enum Value<'a> {
    Length(f64),
    Text(&'a str),
}

impl From<f64> for Value<'_> {
    fn from(length: f64) -> Self {
        Self::Length(length)
    }
}

impl<'a> From<&'a str> for Value<'a> {
    fn from(text: &'a str) -> Self {
        Self::Text(text)
    }
}

impl<'a> From<&'a String> for Value<'a> {
    fn from(text: &'a String) -> Self {
        Self::Text(text)
    }
}

type Attributes<'a> = &'a [(&'a str, Value<'a>)];

impl Svg {
    pub(super) fn new() -> Self {
        Self { out: String::new() }
    }

    pub(super) fn finish(self) -> String {
        self.out
    }

    fn start(&mut self, name: &str, attributes: Attributes<'_>) {
        self.out.push('<');
        self.out.push_str(name);
        for (key, value) in attributes {
            let value = match value {
                Value::Length(length) => pixels(*length),
                Value::Text(text) => escape(text),
            };
            self.out.push_str(&format!(" {key}=\"{value}\""));
        }
    }

    /// Opens an element that holds others.
    pub(super) fn open(&mut self, name: &str, attributes: Attributes<'_>) {
        self.start(name, attributes);
        self.out.push_str(">\n");
    }

    /// Closes it.
    pub(super) fn close(&mut self, name: &str) {
        self.out.push_str(&format!("</{name}>\n"));
    }

    /// An element that holds nothing.
    pub(super) fn empty(&mut self, name: &str, attributes: Attributes<'_>) {
        self.start(name, attributes);
        self.out.push_str("/>\n");
    }

    /// A line.
    pub(super) fn line(&mut self, class: &str, from: (f64, f64), to: (f64, f64)) {
        let (x1, y1) = (("x1", from.0.into()), ("y1", from.1.into()));
        let (x2, y2) = (("x2", to.0.into()), ("y2", to.1.into()));
        self.empty("line", &[("class", class.into()), x1, y1, x2, y2]);
    }

    /// A circle.
    pub(super) fn circle(&mut self, class: &str, centre: (f64, f64), r: f64) {
        let (cx, cy) = (("cx", centre.0.into()), ("cy", centre.1.into()));
        self.empty("circle", &[("class", class.into()), cx, cy, ("r", r.into())]);
    }

    /// Words at a place.
    pub(super) fn words(&mut self, class: &str, at: (f64, f64), words: &str) {
        let (x, y) = (("x", at.0.into()), ("y", at.1.into()));
        self.text("text", &[("class", class.into()), x, y], words);
    }

    /// A text of parts, each with its class.
    pub(super) fn parts(&mut self, attributes: Attributes<'_>, parts: &[(&str, &str)]) {
        self.start("text", attributes);
        self.out.push('>');
        for (class, text) in parts.iter().filter(|(_, text)| !text.is_empty()) {
            self.out.push_str(&format!("<tspan class=\"{class}\">{}</tspan>", escape(text)));
        }
        self.out.push_str("</text>\n");
    }

    /// An element that holds text.
    pub(super) fn text(&mut self, name: &str, attributes: Attributes<'_>, text: &str) {
        self.start(name, attributes);
        self.out.push_str(&format!(">{}</{name}>\n", escape(text)));
    }
}

/// A length with at most two decimals, as short as it goes.
pub(super) fn pixels(length: f64) -> String {
    let written = super::number::decimals(length, 2);
    written.trim_end_matches('0').trim_end_matches('.').to_owned()
}
