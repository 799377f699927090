use crate::data::{FieldError, Fields, Row};

/// One game of two competitors, or one attempt at a problem.
///
/// Columns or fields: `player`, `opponent`, `score` (also read as `outcome`) and
/// optionally `period`; others are ignored.
#[derive(Clone, Debug, PartialEq)]
pub struct Game {
    /// The one whose score it is; of an attempt, the solver.
    pub player: String,
    /// The other; of an attempt, the problem.
    pub opponent: String,
    /// What the player got: 1 a win, 0.5 a draw, 0 a loss; of an attempt, the credit.
    pub score: f64,
    /// The rating period, a whole number that never falls from row to row.
    pub period: Option<u64>,
}

impl Row for Game {
    const NOUN: &str = "game";

    fn from_fields(fields: &mut Fields) -> Result<Self, FieldError> {
        let player = fields.text("player")?;
        let opponent = fields.text("opponent")?;
        let name = if fields.names().any(|name| name == "score") { "score" } else { "outcome" };
        let score = fields
            .optional_f64(name)?
            .ok_or_else(|| FieldError::new("score", "nothing", "a number from 0 to 1"))?;
        if !(0.0..=1.0).contains(&score) {
            return Err(FieldError::new(name, score.to_string(), "a number from 0 to 1"));
        }
        let period = fields.optional_u64("period")?;
        fields.ignore_rest();
        Ok(Self { player, opponent, score, period })
    }
}
