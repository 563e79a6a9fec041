//! Keeps an upstream in step with a client that will go away.
//!
//! Otherwise chance would decide how much of a response passes the gateway before it notices. With a
//! [`Pace`] the upstream sends a piece, waits until the client got something of it (a filter may hold
//! it back: then for a moment), and sends nothing more once the client has gone.

use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// What the two sides share.
#[derive(Debug, Default)]
pub(crate) struct Pace {
    client: Mutex<Client>,
    changed: Condvar,
}

#[derive(Clone, Copy, Debug, Default)]
struct Client {
    /// How often it got something.
    reads: u64,
    gone: bool,
}

impl Pace {
    /// The client got something, and stays.
    pub(crate) fn got(&self) {
        let mut client = self.client();
        client.reads += 1;
        self.changed.notify_all();
    }

    /// The client goes away.
    pub(crate) fn gone(&self) {
        self.client().gone = true;
        self.changed.notify_all();
    }

    /// How often the client got something so far.
    pub(crate) fn reads(&self) -> u64 {
        self.client().reads
    }

    /// Waits until the client got something since `reads`, or went, but not longer than `most`.
    /// Whether it went.
    pub(crate) fn wait(&self, reads: u64, most: Duration) -> bool {
        let until = Instant::now() + most;
        let mut client = self.client();
        loop {
            let left = until.saturating_duration_since(Instant::now());
            if client.gone || client.reads != reads || left.is_zero() {
                return client.gone;
            }
            let waited = self.changed.wait_timeout(client, left);
            client = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    fn client(&self) -> MutexGuard<'_, Client> {
        self.client.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_for_a_read_or_the_end_or_a_moment() {
        let pace = Pace::default();
        let long = Duration::from_secs(60);
        assert!(!pace.wait(pace.reads(), Duration::from_millis(1)));
        let before = pace.reads();
        pace.got();
        assert!(!pace.wait(before, long));
        std::thread::scope(|scope| {
            scope.spawn(|| pace.gone());
            assert!(pace.wait(pace.reads(), long));
        });
        assert!(pace.wait(pace.reads(), long));
    }
}
