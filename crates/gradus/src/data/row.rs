use super::{FieldError, Fields};

/// A noun that is read from one JSON object a line; it is written by its `Serialize`.
pub trait Row: Sized {
    /// What one row is, for messages: "problem".
    const NOUN: &str;

    /// Takes what the noun knows out of the fields.
    ///
    /// What is left afterwards is an error of the row, so that nothing is
    /// dropped in silence: a noun with metadata ends with [`Fields::rest`].
    fn from_fields(fields: &mut Fields) -> Result<Self, FieldError>;
}
