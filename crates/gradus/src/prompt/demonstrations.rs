use super::{PromptError, Shows};
use crate::data::Problem;
use crate::run::Stream;

/// Problems that are shown with their answers before the one that is asked.
///
/// One seeded order of the pool serves all problems, so that their prompts begin
/// alike and a model reads the beginning once; a problem that is itself in the
/// pool, by its id or by its question, is passed over.
#[derive(Clone, Debug, Default)]
pub struct Demonstrations {
    rows: Vec<Problem>,
    count: usize,
}

impl Demonstrations {
    /// `count` of `pool` are shown, in an order drawn from `seed`.
    pub fn draw(mut pool: Vec<Problem>, count: usize, seed: u64) -> Result<Self, PromptError> {
        if pool.len() < count {
            return Err(PromptError::TooFew { found: pool.len(), expected: count });
        }
        Stream::new(seed, &["prompt", "demonstrations"]).shuffle(&mut pool);
        Ok(Self { rows: pool, count })
    }

    /// How many are shown.
    pub fn count(&self) -> usize {
        self.count
    }

    /// The rows to show with `problem`.
    pub(super) fn for_problem(&self, problem: &Problem) -> Result<Vec<&Problem>, PromptError> {
        let question = problem.question.trim();
        let other = |row: &&Problem| row.id != problem.id && row.question.trim() != question;
        let rows: Vec<&Problem> = self.rows.iter().filter(other).take(self.count).collect();
        if rows.len() < self.count {
            return Err(PromptError::TooFew { found: rows.len(), expected: self.count });
        }
        Ok(rows)
    }

    /// The first row that lacks what is to be shown.
    pub(super) fn check(&self, shows: Shows) -> Result<(), PromptError> {
        // What lies behind the drawn rows may be shown in place of one that is passed over.
        for row in self.rows.iter().filter(|_| self.count > 0) {
            let lacks = |field, expected| {
                Err(PromptError::Demonstration { id: row.id.clone(), field, expected })
            };
            if row.answer.is_none() {
                return lacks("answer", "the answer that is shown");
            }
            if shows == Shows::Solutions && solution(row).is_none() {
                return lacks("metadata.solution", "the worked solution that is shown");
            }
        }
        Ok(())
    }
}

/// The worked solution of a row, without what graders and calculators read in those of
/// GSM8K: `<<48/2=24>>` inside, `#### 24` at the end.
pub(super) fn solution(row: &Problem) -> Option<String> {
    let text = row.metadata.get("solution")?.as_str()?;
    let mut plain = String::with_capacity(text.len());
    for line in text.lines().filter(|line| !line.trim_start().starts_with("####")) {
        let mut rest = line;
        while let Some((before, marked)) = rest.split_once("<<") {
            let Some((_, after)) = marked.split_once(">>") else { break };
            plain.push_str(before);
            rest = after;
        }
        plain.push_str(rest);
        plain.push('\n');
    }
    plain.truncate(plain.trim_end().len());
    Some(plain)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(id: &str, question: &str) -> Problem {
        Problem { id: id.into(), question: question.into(), ..Problem::default() }
    }

    fn pool() -> Vec<Problem> {
        (0..6).map(|at| row(&format!("d{at}"), &format!("question {at}"))).collect()
    }

    fn ids(demonstrations: &Demonstrations, problem: &Problem) -> Vec<String> {
        let rows = demonstrations.for_problem(problem).unwrap();
        rows.iter().map(|row| row.id.clone()).collect()
    }

    #[test]
    fn one_order_serves_all_and_a_problem_is_not_its_own_demonstration() {
        let demonstrations = Demonstrations::draw(pool(), 3, 1).unwrap();
        let all = ids(&demonstrations, &row("p", "another"));
        assert_eq!(all, ids(&demonstrations, &row("q", "yet another")));
        assert_eq!(all.len(), 3);
        for own in &all {
            let question = format!("question {}", &own[1..]);
            for problem in [row(own, "another"), row("p", &question)] {
                let shown = ids(&demonstrations, &problem);
                assert!(shown.len() == 3 && !shown.contains(own), "{shown:?}");
            }
        }
        let others = (2..9).map(|seed| Demonstrations::draw(pool(), 3, seed).unwrap());
        assert!(others.into_iter().any(|other| ids(&other, &row("p", "another")) != all));
    }

    #[test]
    fn too_few_are_an_error() {
        let error = Demonstrations::draw(pool(), 7, 1).unwrap_err();
        assert_eq!(error, PromptError::TooFew { found: 6, expected: 7 });
        let all = Demonstrations::draw(pool(), 6, 1).unwrap();
        assert!(all.for_problem(&row("d2", "another")).is_err());
    }

    // The first solution of GSM8K's training set (Cobbe et al. 2021), shortened.
    #[test]
    fn a_solution_of_gsm8k_is_shown_as_people_read_it() {
        let mut problem = row("p", "?");
        let text =
            "Natalia sold 48/2 = <<48/2=24>>24 clips in May.\nIn all <<48+24=72>>72.\n#### 72";
        problem.metadata.insert("solution".into(), text.into());
        let plain = "Natalia sold 48/2 = 24 clips in May.\nIn all 72.";
        assert_eq!(solution(&problem).as_deref(), Some(plain));
        problem.metadata.insert("solution".into(), "a << b".into());
        assert_eq!(solution(&problem).as_deref(), Some("a << b"));
    }
}
