//! Units of work over threads. Each unit is done by one worker from beginning to
//! end, and results are put together in the order of the units: the same bits
//! whatever the number of threads.

use std::sync::Mutex;

/// Does `work` on every unit, and gives the results in the order of the units.
/// `scratch` makes what a worker keeps between units.
pub(super) fn each<U: Send, T: Send, S>(
    threads: usize,
    units: Vec<U>,
    scratch: impl Fn() -> S + Sync,
    work: impl Fn(&mut S, U) -> T + Sync,
) -> Vec<T> {
    if threads <= 1 || units.len() <= 1 {
        let mut kept = scratch();
        return units.into_iter().map(|unit| work(&mut kept, unit)).collect();
    }
    let count = units.len();
    let queue = Mutex::new(units.into_iter().enumerate());
    let next = || {
        queue.lock().map_or_else(|poisoned| poisoned.into_inner().next(), |mut queue| queue.next())
    };
    let mut results: Vec<(usize, T)> = std::thread::scope(|scope| {
        let workers: Vec<_> = (0..threads.min(count))
            .map(|_| {
                scope.spawn(|| {
                    let mut kept = scratch();
                    let mut done = Vec::new();
                    while let Some((index, unit)) = next() {
                        done.push((index, work(&mut kept, unit)));
                    }
                    done
                })
            })
            .collect();
        let joined = workers.into_iter().map(std::thread::ScopedJoinHandle::join);
        joined
            .flat_map(|done| done.unwrap_or_else(|panic| std::panic::resume_unwind(panic)))
            .collect()
    });
    results.sort_by_key(|&(index, _)| index);
    results.into_iter().map(|(_, result)| result).collect()
}
