use gradus::run::Stream;

use crate::TrainConfig;

/// Batches are sorted by length within this many of them, as in transformers'
/// `LengthGroupedSampler`: padding goes, and most of the randomness stays.
const BATCHES_PER_GROUP: usize = 50;

/// Number of optimiser steps of one epoch; the last one may be a smaller batch.
pub(crate) fn steps_per_epoch(rows: usize, config: &TrainConfig) -> u64 {
    rows.div_ceil(config.batch_size) as u64
}

/// The batches of one epoch as indices of rows, of which `lengths` holds the
/// tokens. They depend on the seed, `name` and the epoch's number alone.
pub(crate) fn of_epoch(
    lengths: &[usize],
    config: &TrainConfig,
    name: &str,
    epoch: u64,
) -> Vec<Vec<usize>> {
    let mut stream = Stream::new(config.seed, &[name, "epoch", &epoch.to_string()]);
    let mut order: Vec<usize> = (0..lengths.len()).collect();
    stream.shuffle(&mut order);
    if config.group_by_length {
        for group in order.chunks_mut(config.batch_size * BATCHES_PER_GROUP) {
            group.sort_by_key(|&row| lengths[row]);
        }
    }
    let mut batches: Vec<Vec<usize>> =
        order.chunks(config.batch_size).map(<[usize]>::to_vec).collect();
    if config.group_by_length {
        stream.shuffle(&mut batches);
    }
    batches
}

#[cfg(test)]
mod tests {
    use super::*;

    fn flat(batches: &[Vec<usize>]) -> Vec<usize> {
        batches.iter().flatten().copied().collect()
    }

    #[test]
    fn an_epoch_holds_every_row_once_in_an_order_of_its_own() {
        let config = TrainConfig { batch_size: 8, ..TrainConfig::default() };
        let first = of_epoch(&[5; 30], &config, "sft", 0);
        assert_eq!(first.iter().map(Vec::len).collect::<Vec<_>>(), [8, 8, 8, 6]);
        assert_eq!(first.len() as u64, steps_per_epoch(30, &config));
        assert_eq!(first, of_epoch(&[5; 30], &config, "sft", 0));
        for other in [of_epoch(&[5; 30], &config, "sft", 1), of_epoch(&[5; 30], &config, "prm", 0)]
        {
            assert_ne!(first, other);
            let mut rows = flat(&other);
            rows.sort_unstable();
            assert_eq!(rows, (0..30).collect::<Vec<_>>());
        }
    }

    #[test]
    fn grouping_by_length_leaves_little_padding() {
        let lengths: Vec<usize> = (0..640).map(|row| row * 37 % 101).collect();
        let padding = |group_by_length| {
            let config = TrainConfig { group_by_length, ..TrainConfig::default() };
            let batches = of_epoch(&lengths, &config, "orm", 0);
            let mut rows = flat(&batches);
            rows.sort_unstable();
            assert_eq!(rows, (0..640).collect::<Vec<_>>());
            let padded = |batch: &Vec<usize>| {
                let longest = batch.iter().map(|&row| lengths[row]).max().unwrap();
                batch.iter().map(|&row| longest - lengths[row]).sum::<usize>()
            };
            batches.iter().map(padded).sum::<usize>()
        };
        assert!(padding(true) * 10 < padding(false));
    }
}
