//! Virtual time's agenda: what is due when, and in which order.
//!
//! Two things due at the same instant happen in the order in which they were put down. What a thing
//! is, and what performing it means, is the caller's.

use std::collections::BTreeMap;

/// Entries at most. Ticks are one per root context and calls are bounded per VM, so only a guest
/// that was made for it gets here.
const MOST_ENTRIES: usize = 65_536;

/// An entry, for cancelling it. Orders entries by the time they are due, then by age.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(crate) struct Key {
    at: u64,
    number: u64,
}

/// Things to come, in order.
#[derive(Debug)]
pub(crate) struct Scheduler<T> {
    entries: BTreeMap<Key, T>,
    next_number: u64,
}

impl<T> Default for Scheduler<T> {
    fn default() -> Self {
        Self { entries: BTreeMap::new(), next_number: 0 }
    }
}

impl<T> Scheduler<T> {
    /// Puts down `what` for the instant `at`, in nanoseconds since 1970. None: the agenda is full.
    pub(crate) fn schedule(&mut self, at: u64, what: T) -> Option<Key> {
        if self.entries.len() >= MOST_ENTRIES {
            return None;
        }
        let key = Key { at, number: self.next_number };
        self.next_number += 1;
        self.entries.insert(key, what);
        Some(key)
    }

    /// Strikes an entry; nothing if it has happened.
    pub(crate) fn cancel(&mut self, key: Key) {
        self.entries.remove(&key);
    }

    /// The instant of the next entry.
    pub(crate) fn next_at(&self) -> Option<u64> {
        self.entries.first_key_value().map(|(key, _)| key.at)
    }

    /// Takes the next entry that is due at `until` or before, with its instant.
    pub(crate) fn pop(&mut self, until: u64) -> Option<(u64, T)> {
        if self.next_at()? > until {
            return None;
        }
        self.entries.pop_first().map(|(key, what)| (key.at, what))
    }

    /// Strikes every entry that `keep` does not want.
    pub(crate) fn retain(&mut self, keep: impl Fn(&T) -> bool) {
        self.entries.retain(|_, what| keep(what));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all(agenda: &mut Scheduler<&'static str>, until: u64) -> Vec<(u64, &'static str)> {
        std::iter::from_fn(|| agenda.pop(until)).collect()
    }

    #[test]
    fn entries_come_by_time_and_then_in_the_order_of_scheduling() {
        let mut agenda = Scheduler::default();
        for (at, what) in [(5, "c"), (3, "a"), (5, "d"), (3, "b"), (9, "e")] {
            agenda.schedule(at, what).unwrap();
        }
        assert_eq!(agenda.next_at(), Some(3));
        assert_eq!(all(&mut agenda, 5), [(3, "a"), (3, "b"), (5, "c"), (5, "d")]);
        assert_eq!(agenda.next_at(), Some(9));
        assert_eq!(agenda.pop(8), None);
        assert_eq!(all(&mut agenda, 9), [(9, "e")]);
    }

    #[test]
    fn what_is_cancelled_does_not_come() {
        let mut agenda = Scheduler::default();
        let a = agenda.schedule(1, "a").unwrap();
        agenda.schedule(1, "b").unwrap();
        agenda.schedule(2, "c").unwrap();
        agenda.cancel(a);
        agenda.cancel(a);
        agenda.retain(|what| *what != "c");
        assert_eq!(all(&mut agenda, 9), [(1, "b")]);
    }

    #[test]
    fn a_full_agenda_takes_nothing_more() {
        let mut agenda = Scheduler::default();
        for at in 0..MOST_ENTRIES {
            agenda.schedule(at as u64, ()).unwrap();
        }
        assert_eq!(agenda.schedule(0, ()), None);
        agenda.pop(0).unwrap();
        assert!(agenda.schedule(0, ()).is_some());
    }
}
