//! What the answers can say, before any model is fitted: who answered all right or
//! all wrong, which items do not vary, which respondents are copies of another, and
//! whether the answers hang together at all. Nothing is dropped here; it is named.

use std::collections::HashMap;
use std::hash::{DefaultHasher, Hash, Hasher};

use super::Responses;

/// Respondents who agree on at least this share of at least [`SHARED`] common items are near-clones.
const NEAR: f64 = 0.98;
/// Fewer common items say nothing about agreement.
const SHARED: usize = 50;
/// Beyond this many respondents all pairs are too many; near-clones are then not looked for.
const PAIRS: usize = 3000;

/// What is unusual in a set of responses; numbers are indices of respondents and items.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Design {
    /// Respondents without any score.
    pub silent: Vec<usize>,
    /// Respondents with the highest score of each item they answered.
    pub all_right: Vec<usize>,
    /// Respondents with the lowest score of each item they answered.
    pub all_wrong: Vec<usize>,
    /// Items that nobody answered.
    pub unanswered: Vec<usize>,
    /// Items on which every score is the same: all right, all wrong or constant.
    pub constant: Vec<usize>,
    /// Respondents with exactly the same scores as an earlier one: (copy, original).
    pub copies: Vec<(usize, usize)>,
    /// Respondents who agree with an earlier one nearly everywhere, exact copies left
    /// out; `None` where there are too many respondents to compare all pairs.
    pub near_clones: Option<Vec<(usize, usize)>>,
    /// Groups of respondents that share no item with any other group, the largest
    /// first; one group is a connected design.
    pub components: Vec<Vec<usize>>,
}

/// Looks at the responses as they are.
pub fn design(responses: &Responses) -> Design {
    let (respondents, items) = (responses.respondents().len(), responses.items().len());
    let mut low = vec![f32::INFINITY; items];
    let mut high = vec![f32::NEG_INFINITY; items];
    for respondent in 0..respondents {
        let (answered, scores) = responses.row(respondent);
        for (&item, &score) in answered.iter().zip(scores) {
            let item = item as usize;
            low[item] = low[item].min(score);
            high[item] = high[item].max(score);
        }
    }
    let mut found = Design {
        unanswered: (0..items).filter(|&item| low[item] > high[item]).collect(),
        constant: (0..items).filter(|&item| low[item] == high[item]).collect(),
        ..Design::default()
    };
    let mut first: HashMap<u64, Vec<usize>> = HashMap::new();
    let mut parent: Vec<usize> = (0..respondents + items).collect();
    let counted = responses.weights.is_empty();
    for respondent in 0..respondents {
        let (answered, scores) = responses.row(respondent);
        if answered.is_empty() {
            found.silent.push(respondent);
            continue;
        }
        let varied = || {
            answered
                .iter()
                .zip(scores)
                .filter(|&(&item, _)| low[item as usize] < high[item as usize])
        };
        if varied().next().is_some() {
            if varied().all(|(&item, &score)| score == high[item as usize]) {
                found.all_right.push(respondent);
            } else if varied().all(|(&item, &score)| score == low[item as usize]) {
                found.all_wrong.push(respondent);
            }
        }
        if counted && answered.len() >= SHARED {
            let mut hash = DefaultHasher::new();
            answered.hash(&mut hash);
            for score in scores {
                score.to_bits().hash(&mut hash);
            }
            let same = first.entry(hash.finish()).or_default();
            let row = (answered, scores);
            match same.iter().find(|&&original| responses.row(original) == row) {
                Some(&original) => found.copies.push((respondent, original)),
                None => same.push(respondent),
            }
        }
        for &item in answered {
            let (left, right) =
                (root(&mut parent, respondent), root(&mut parent, respondents + item as usize));
            parent[left.max(right)] = left.min(right);
        }
    }
    let mut groups: HashMap<usize, Vec<usize>> = HashMap::new();
    for respondent in 0..respondents {
        if !responses.row(respondent).0.is_empty() {
            groups.entry(root(&mut parent, respondent)).or_default().push(respondent);
        }
    }
    found.components = groups.into_values().collect();
    found.components.sort_by_key(|group| (std::cmp::Reverse(group.len()), group[0]));
    found.near_clones =
        (respondents <= PAIRS && counted).then(|| near_clones(responses, &found.copies));
    found
}

impl Design {
    /// A group for each of `respondents`: copies and near-clones, directly or through others,
    /// are of one group, the number of its first member.
    pub fn relatives(&self, respondents: usize) -> Vec<usize> {
        let mut parent: Vec<usize> = (0..respondents).collect();
        for &(one, two) in self.copies.iter().chain(self.near_clones.iter().flatten()) {
            let (left, right) = (root(&mut parent, one), root(&mut parent, two));
            parent[left.max(right)] = left.min(right);
        }
        (0..respondents).map(|respondent| root(&mut parent, respondent)).collect()
    }
}

/// The smallest element of a set of a union-find forest.
fn root(parent: &mut [usize], mut node: usize) -> usize {
    while parent[node] != node {
        parent[node] = parent[parent[node]];
        node = parent[node];
    }
    node
}

/// Pairs by exact agreement on common items; scores are compared as one word per 64 items
/// where all are 0 or 1.
fn near_clones(responses: &Responses, copies: &[(usize, usize)]) -> Vec<(usize, usize)> {
    let respondents = responses.respondents().len();
    let words = responses.items().len().div_ceil(64);
    let mut answered = vec![0u64; respondents * words];
    let mut right = vec![0u64; respondents * words];
    for respondent in 0..respondents {
        let (items, scores) = responses.row(respondent);
        for (&item, &score) in items.iter().zip(scores) {
            let at = respondent * words + item as usize / 64;
            answered[at] |= 1 << (item % 64);
            right[at] |= u64::from(score >= 0.5) << (item % 64);
        }
    }
    let is_copy: Vec<bool> = {
        let mut copied = vec![false; respondents];
        for &(copy, _) in copies {
            copied[copy] = true;
        }
        copied
    };
    let mut found = Vec::new();
    for later in 0..respondents {
        for earlier in (0..later).filter(|&earlier| !is_copy[earlier] && !is_copy[later]) {
            let (mut common, mut same) = (0, 0);
            for word in 0..words {
                let (a, b) = (later * words + word, earlier * words + word);
                let both = answered[a] & answered[b];
                common += both.count_ones() as usize;
                same += (both & !(right[a] ^ right[b])).count_ones() as usize;
            }
            if common >= SHARED && same as f64 >= NEAR * common as f64 {
                found.push((later, earlier));
            }
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    fn responses(rows: &[&[f32]]) -> Responses {
        let names =
            |prefix: &str, count: usize| (0..count).map(|n| format!("{prefix}{n}")).collect();
        let (respondents, items) = (names("m", rows.len()), names("q", rows[0].len()));
        Responses::from_rows(respondents, items, rows.iter().copied()).unwrap()
    }

    const NONE: f32 = f32::NAN;

    #[test]
    fn extremes_constants_and_separate_groups_are_named() {
        let found = design(&responses(&[
            &[1.0, 1.0, 1.0, NONE, NONE],
            &[1.0, 0.0, 0.0, NONE, NONE],
            &[1.0, 1.0, 0.0, NONE, NONE],
            &[NONE, NONE, NONE, 1.0, NONE],
            &[NONE, NONE, NONE, 0.0, NONE],
            &[NONE, NONE, NONE, NONE, NONE],
        ]));
        assert_eq!((found.all_right, found.all_wrong), (vec![0, 3], vec![1, 4]));
        assert_eq!((found.constant, found.unanswered, found.silent), (vec![0], vec![4], vec![5]));
        assert_eq!(found.components, [vec![0, 1, 2], vec![3, 4]]);
    }

    #[test]
    fn copies_and_near_clones_are_told_apart() {
        let mut row: Vec<f32> = (0..100u8).map(|item| f32::from(item % 3 % 2)).collect();
        let original = row.clone();
        row[7] = 1.0 - row[7];
        let other: Vec<f32> = (0..100u8).map(|item| f32::from(item % 2)).collect();
        let found = design(&responses(&[&original, &original, &row, &other]));
        assert_eq!(found.copies, [(1, 0)]);
        assert_eq!(found.near_clones, Some(vec![(2, 0)]));
        assert_eq!(found.relatives(4), [0, 0, 0, 3]);
    }
}
