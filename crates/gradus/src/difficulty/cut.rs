use crate::stats::quantile;

/// A way to cut problems into classes of difficulty; equal difficulties are never parted.
#[derive(Clone, Debug, PartialEq)]
pub enum Cut {
    /// At these shares of the problems, rising: `[1/3, 2/3]` makes classes of equal size.
    Quantiles(Vec<f64>),
    /// At these difficulties on the scale of the method, rising.
    Values(Vec<f64>),
    /// Into this many classes that hold the same information about their problems'
    /// difficulties: the sum of 1 / (standard error)^2. Where answers say little, as at
    /// the ends, a class holds more problems.
    EqualInformation(usize),
}

/// Why problems cannot be cut; each displays as one sentence fragment.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum CutError {
    /// The bounds make no classes.
    #[error("cut bounds {found}, expected {expected}")]
    Bounds {
        /// What they are.
        found: String,
        /// What they should be.
        expected: &'static str,
    },
    /// Information needs standard errors.
    #[error(
        "{problems} problems have no standard error above 0, which a cut by equal \
         information needs; cut by quantiles or values"
    )]
    NoErrors {
        /// How many.
        problems: usize,
    },
}

/// What the classes are called, from easy to hard.
fn names(classes: usize) -> Vec<String> {
    match classes {
        2 => vec!["easy".into(), "hard".into()],
        3 => vec!["easy".into(), "medium".into(), "hard".into()],
        more => (1..=more).map(|class| format!("{class}")).collect(),
    }
}

impl Cut {
    /// What its classes are called, from easy to hard; those between tied difficulties
    /// can be empty.
    pub fn class_names(&self) -> Vec<String> {
        names(match self {
            Self::Quantiles(bounds) | Self::Values(bounds) => bounds.len() + 1,
            Self::EqualInformation(classes) => *classes,
        })
    }

    /// The name of the class of each problem: easy and hard, easy, medium and hard, or
    /// the number from 1.
    pub(super) fn classes(
        &self,
        values: &[f64],
        stds: &[Option<f64>],
    ) -> Result<Vec<String>, CutError> {
        let bounds = self.bounds(values, stds)?;
        let names = names(bounds.len() + 1);
        let class = |value: &f64| names[bounds.partition_point(|bound| bound < value)].clone();
        Ok(values.iter().map(class).collect())
    }

    /// The highest difficulty of each class but the last.
    fn bounds(&self, values: &[f64], stds: &[Option<f64>]) -> Result<Vec<f64>, CutError> {
        let rising = |bounds: &[f64], expected| {
            let fine = !bounds.is_empty() && bounds.windows(2).all(|pair| pair[0] < pair[1]);
            let found = || format!("{bounds:?}");
            if fine { Ok(()) } else { Err(CutError::Bounds { found: found(), expected }) }
        };
        match self {
            Self::Values(bounds) => {
                rising(bounds, "one or more rising numbers")?;
                Ok(bounds.clone())
            }
            Self::Quantiles(shares) => {
                let expected = "one or more rising shares between 0 and 1";
                rising(shares, expected)?;
                if !shares.iter().all(|&share| 0.0 < share && share < 1.0) {
                    return Err(CutError::Bounds { found: format!("{shares:?}"), expected });
                }
                let mut sorted = values.to_vec();
                sorted.sort_by(f64::total_cmp);
                Ok(shares.iter().filter_map(|&share| quantile(&sorted, share)).collect())
            }
            Self::EqualInformation(classes) => equal_information(*classes, values, stds),
        }
    }
}

fn equal_information(
    classes: usize,
    values: &[f64],
    stds: &[Option<f64>],
) -> Result<Vec<f64>, CutError> {
    if classes < 2 {
        let expected = "at least 2 classes";
        return Err(CutError::Bounds { found: format!("{classes} classes"), expected });
    }
    let with_error = |std: &&Option<f64>| std.is_none_or(|std| std <= 0.0);
    let problems = stds.iter().filter(with_error).count();
    if problems > 0 {
        return Err(CutError::NoErrors { problems });
    }
    let mut informed: Vec<(f64, f64)> = values
        .iter()
        .zip(stds)
        .map(|(&value, std)| (value, std.map_or(0.0, |std| std.powi(-2))))
        .collect();
    informed.sort_by(|one, other| one.0.total_cmp(&other.0));
    let total: f64 = informed.iter().map(|(_, information)| information).sum();
    let mut bounds = Vec::new();
    let mut below = 0.0;
    for (value, information) in informed {
        // A problem belongs to the class that holds the middle of its information.
        let middle = below + information / 2.0;
        below += information;
        let class = (middle / total * classes as f64) as usize;
        while bounds.len() < classes - 1 && class > bounds.len() {
            bounds.push(f64::NEG_INFINITY);
        }
        if let Some(bound) = bounds.get_mut(class) {
            *bound = value;
        } else if class < classes - 1 {
            bounds.push(value);
        }
    }
    // A class without problems ends where the one below it does.
    for class in 1..bounds.len() {
        bounds[class] = bounds[class].max(bounds[class - 1]);
    }
    Ok(bounds)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn classes(cut: &Cut, values: &[f64]) -> Vec<String> {
        cut.classes(values, &vec![Some(1.0); values.len()]).unwrap()
    }

    const NINE: [f64; 9] = [9.0, 1.0, 8.0, 2.0, 7.0, 3.0, 6.0, 4.0, 5.0];

    #[test]
    fn thirds_have_equal_sizes() {
        let thirds = classes(&Cut::Quantiles(vec![1.0 / 3.0, 2.0 / 3.0]), &NINE);
        for (class, members) in
            [("easy", [1.0, 2.0, 3.0]), ("medium", [4.0, 5.0, 6.0]), ("hard", [7.0, 8.0, 9.0])]
        {
            let found = NINE.iter().zip(&thirds).filter(|(_, name)| *name == class);
            let mut found: Vec<f64> = found.map(|(value, _)| *value).collect();
            found.sort_by(f64::total_cmp);
            assert_eq!(found, members, "{class}");
        }
    }

    #[test]
    fn a_value_belongs_to_the_class_that_it_ends() {
        let found = classes(&Cut::Values(vec![2.0]), &[1.0, 2.0, 2.1]);
        assert_eq!(found, ["easy", "easy", "hard"]);
        let four = Cut::Values(vec![1.0, 2.0, 3.0]);
        assert_eq!(classes(&four, &[1.5, 9.0]), ["2", "4"]);
        assert_eq!(four.class_names(), ["1", "2", "3", "4"]);
    }

    #[test]
    fn equal_difficulties_stay_together() {
        let found = classes(&Cut::Quantiles(vec![0.5]), &[0.0, 1.0, 1.0, 1.0, 1.0, 2.0]);
        assert_eq!(found, ["easy", "easy", "easy", "easy", "easy", "hard"]);
    }

    // Nine problems of information 1, but that of the easiest three 4: of 18 in all
    // each class holds 6.
    #[test]
    fn classes_of_equal_information_hold_more_of_what_is_less_sure() {
        let values: Vec<f64> = (1..=9).map(f64::from).collect();
        let stds: Vec<Option<f64>> =
            (1..=9).map(|rank| Some(if rank <= 3 { 0.5 } else { 1.0 })).collect();
        let found = Cut::EqualInformation(3).classes(&values, &stds).unwrap();
        let count = |name: &str| found.iter().filter(|class| *class == name).count();
        assert_eq!((count("easy"), count("medium"), count("hard")), (1, 2, 6));
        assert_eq!(classes(&Cut::EqualInformation(3), &NINE)[0], "hard");
    }

    #[test]
    fn bounds_that_make_no_classes_are_named() {
        let refuse = |cut: Cut| cut.classes(&NINE, &[None; 9]).unwrap_err().to_string();
        assert_eq!(
            refuse(Cut::Quantiles(vec![0.5, 1.0])),
            "cut bounds [0.5, 1.0], expected one or more rising shares between 0 and 1"
        );
        assert!(refuse(Cut::Values(vec![2.0, 1.0])).contains("rising numbers"));
        assert!(refuse(Cut::EqualInformation(3)).starts_with("9 problems have no standard error"));
        assert!(refuse(Cut::EqualInformation(1)).contains("at least 2"));
    }
}
