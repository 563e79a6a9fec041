//! How long guests may run, so that none makes the host hang: fuel counts what a guest computes, work
//! what the host does for it. Both are counted, not timed: the same scenario ends the same way. What
//! guests leave with the host, such as headers, is counted, too, so that it does not run out of memory.

use std::cell::Cell;

/// Work of a host call beside the bytes that it moves, each of which is a unit.
const HOST_CALL: u64 = 1024;

/// Work in one call into a guest at most: four million host calls, or 4 GiB moved.
const MOST_WORK: u64 = 1 << 32;

/// What all calls for one exchange may take together, in calls that go to their limits. Also those
/// of the start, and those between two exchanges.
const CALLS: u64 = 4;

/// Bytes that guests may leave with the host in one part: headers, pieces of bodies, filter state,
/// answers. What replaces something else counts as well.
const MOST_KEPT: u64 = 512 << 20;

/// What a thing that is kept takes beside its bytes.
const KEPT: u64 = 256;

/// What is left of a scenario's current part.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Allowance {
    fuel: u64,
    work: u64,
    kept: u64,
}

impl Default for Allowance {
    fn default() -> Self {
        Self { fuel: u64::MAX, work: MOST_WORK * CALLS, kept: MOST_KEPT }
    }
}

impl Allowance {
    /// For the next part, with so much fuel for one call; `None` is no limit.
    pub(crate) fn new(fuel: Option<u64>) -> Self {
        Self { fuel: fuel.map_or(u64::MAX, |fuel| fuel.saturating_mul(CALLS)), ..Self::default() }
    }

    /// The fuel of the next call, of `most` at most.
    pub(crate) fn fuel(&self, most: u64) -> u64 {
        most.min(self.fuel)
    }

    /// The work of the next call at most.
    pub(crate) fn work(&self) -> u64 {
        MOST_WORK.min(self.work)
    }

    /// Something of a guest's is kept. False: there is no room for it.
    pub(crate) fn keep(&mut self, bytes: usize) -> bool {
        let left = self.kept.checked_sub(KEPT.saturating_add(bytes as u64));
        self.kept = left.unwrap_or(self.kept);
        left.is_some()
    }

    /// A call is over.
    pub(crate) fn spend(&mut self, fuel: u64, work: u64) {
        self.fuel = self.fuel.saturating_sub(fuel);
        self.work = self.work.saturating_sub(work);
    }
}

/// The work that is left in the current call.
#[derive(Debug, Default)]
pub(crate) struct Work(Cell<u64>);

impl Work {
    pub(crate) fn refill(&self, units: u64) {
        self.0.set(units);
    }

    pub(crate) fn left(&self) -> u64 {
        self.0.get()
    }

    /// A host call begins. False: there have been too many.
    pub(crate) fn begin(&self) -> bool {
        let left = self.0.get();
        self.0.set(left.saturating_sub(HOST_CALL));
        left > 0
    }

    /// It moves or looks at so many bytes. What is over the limit shows at the next host call.
    pub(crate) fn charge(&self, bytes: usize) {
        self.0.set(self.0.get().saturating_sub(bytes as u64));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_part_allows_four_calls_to_the_limit() {
        let mut allowance = Allowance::new(Some(100));
        for _ in 0..CALLS {
            assert_eq!((allowance.fuel(100), allowance.work()), (100, MOST_WORK));
            allowance.spend(100, MOST_WORK);
        }
        assert_eq!((allowance.fuel(100), allowance.work()), (0, 0));
        let mut allowance = Allowance::new(None);
        allowance.spend(1 << 60, 0);
        assert!(allowance.fuel(u64::MAX) > 1 << 60);
    }

    #[test]
    fn work_ends_with_calls_and_with_bytes() {
        let work = Work::default();
        assert!(!work.begin());
        work.refill(2 * HOST_CALL);
        assert!(work.begin() && work.begin() && !work.begin());
        work.refill(2 * HOST_CALL);
        assert!(work.begin());
        work.charge(usize::MAX);
        assert!(!work.begin());
    }

    #[test]
    fn what_has_no_room_takes_none() {
        let mut allowance = Allowance::default();
        assert!(allowance.keep(MOST_KEPT as usize - 2 * KEPT as usize));
        assert!(!allowance.keep(1));
        assert!(allowance.keep(0));
        assert!(!allowance.keep(0));
    }
}
