//! Which of the problems of a file a command works on.

use std::str::FromStr;

use serde_json::{Value, json};

/// `--limit` and `--shard`.
#[derive(Clone, Copy, Debug, clap::Args)]
pub(crate) struct SubsetArgs {
    /// The first N problems of the file, or those from place A to place B (from 1, both
    /// included): N or A-B.
    #[arg(long, value_name = "N|A-B")]
    limit: Option<Limit>,
    /// Every N-th problem of those, from place K (0 to N - 1): a part of the work for one
    /// task of a job array. `gradus merge` puts the parts together.
    #[arg(long, value_name = "K/N")]
    shard: Option<Shard>,
}

impl SubsetArgs {
    /// What the flags leave of `rows`.
    pub(crate) fn of<R>(&self, rows: Vec<R>) -> Vec<R> {
        let Limit { from, to } = self.limit.unwrap_or(Limit { from: 1, to: usize::MAX });
        let Shard { index, count } = self.shard.unwrap_or(Shard { index: 0, count: 1 });
        let limited = rows.into_iter().take(to).skip(from - 1);
        let kept = limited.enumerate().filter(|(at, _)| at % count as usize == index as usize);
        kept.map(|(_, row)| row).collect()
    }

    /// As a record states them.
    pub(crate) fn limit(&self) -> Value {
        self.limit.map_or(Value::Null, |limit| json!([limit.from, limit.to]))
    }

    /// As a record states it.
    pub(crate) fn shard(&self) -> Value {
        self.shard.map_or(Value::Null, |shard| json!(format!("{}/{}", shard.index, shard.count)))
    }
}

/// A range of places, from 1, both ends included.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
struct Limit {
    from: usize,
    to: usize,
}

impl FromStr for Limit {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let place = |text: &str| text.parse::<usize>().ok().filter(|&place| place > 0);
        let (from, to) = match text.split_once('-') {
            Some((from, to)) => (place(from), place(to)),
            None => (Some(1), place(text)),
        };
        match (from, to) {
            (Some(from), Some(to)) if from <= to => Ok(Self { from, to }),
            _ => Err("expected a number from 1 up, or A-B with A not above B".to_owned()),
        }
    }
}

/// One part of several.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(crate) struct Shard {
    pub(crate) index: u32,
    pub(crate) count: u32,
}

impl FromStr for Shard {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let parts = text.split_once('/').and_then(|(index, count)| {
            Some(Self { index: index.parse().ok()?, count: count.parse().ok()? })
        });
        parts
            .filter(|shard| shard.index < shard.count)
            .ok_or_else(|| "expected K/N with K from 0 to N - 1, as 0/4".to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kept(limit: Option<&str>, shard: Option<&str>) -> Vec<usize> {
        let subset = SubsetArgs {
            limit: limit.map(|text| text.parse().unwrap()),
            shard: shard.map(|text| text.parse().unwrap()),
        };
        subset.of((1..=10).collect())
    }

    #[test]
    fn a_limit_is_a_range_of_places_and_shards_share_it_out() {
        assert_eq!(kept(Some("3"), None), [1, 2, 3]);
        assert_eq!(kept(Some("4-6"), None), [4, 5, 6]);
        assert_eq!(kept(Some("9-20"), None), [9, 10]);
        assert_eq!(kept(Some("2-6"), Some("0/2")), [2, 4, 6]);
        assert_eq!(kept(Some("2-6"), Some("1/2")), [3, 5]);
        let mut all: Vec<usize> =
            (0..4).flat_map(|k| kept(None, Some(&format!("{k}/4")))).collect();
        all.sort_unstable();
        assert_eq!(all, kept(None, None));
    }

    #[test]
    fn what_is_no_part_is_refused() {
        assert!(
            ["0", "3-2", "0-2", "a", "-3", "2-"].iter().all(|text| text.parse::<Limit>().is_err())
        );
        assert!(
            ["4/4", "1", "-1/2", "0/0", "a/b"].iter().all(|text| text.parse::<Shard>().is_err())
        );
    }
}
