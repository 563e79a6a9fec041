//! Many scenarios at once, told in order.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc;
use std::thread;

/// Does `work` on each item, as many at a time as the machine has processors, and calls `done` with
/// each result in the order of the items, as soon as it is its turn.
///
/// # Errors
///
/// The first error of `done`; work that has begun is finished then, and no more is begun.
pub fn each<I: Sync, T: Send, E>(
    items: &[I],
    work: impl Fn(&I) -> T + Sync,
    mut done: impl FnMut(&I, T) -> Result<(), E>,
) -> Result<(), E> {
    let threads = thread::available_parallelism().map_or(1, usize::from);
    let next = AtomicUsize::new(0);
    let (results, arrived) = mpsc::channel();
    thread::scope(|scope| {
        for _ in 0..threads.min(items.len()) {
            let (results, next, work) = (results.clone(), &next, &work);
            scope.spawn(move || {
                loop {
                    let i = next.fetch_add(1, Ordering::Relaxed);
                    let Some(item) = items.get(i) else { return };
                    if results.send((i, work(item))).is_err() {
                        return;
                    }
                }
            });
        }
        drop(results);
        let mut early = BTreeMap::new();
        let mut turn = items.iter().enumerate();
        for (i, result) in arrived {
            early.insert(i, result);
            while let Some((at, item)) = turn.clone().next()
                && let Some(result) = early.remove(&at)
            {
                turn.next();
                done(item, result)?;
            }
        }
        Ok(())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn results_come_in_order_however_long_each_takes() {
        let items: Vec<u64> = (0..50).collect();
        let mut told = Vec::new();
        let slow_first = |n: &u64| {
            thread::sleep(std::time::Duration::from_millis((50 - n) / 10));
            n * 2
        };
        let note = |n: &u64, twice: u64| -> Result<(), ()> {
            assert_eq!(twice, n * 2);
            told.push(*n);
            Ok(())
        };
        each(&items, slow_first, note).unwrap();
        assert_eq!(told, items);
    }

    #[test]
    fn an_error_ends_it() {
        let items: Vec<u64> = (0..1_000_000).collect();
        let mut told = 0;
        let error = each(
            &items,
            |_| (),
            |_, ()| {
                told += 1;
                if told == 3 { Err("enough") } else { Ok(()) }
            },
        );
        assert_eq!((error, told), (Err("enough"), 3));
    }
}
