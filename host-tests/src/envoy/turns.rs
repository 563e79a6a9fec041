//! Keeps a client that still sends in step with an upstream that answers early.
//!
//! Otherwise chance would decide how much of a request has come when the answer passes. With
//! [`Turns`] the client waits for a moment behind each piece, and, if the upstream begins to answer
//! meanwhile, until all of the answer is sent.

use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

/// How long all of a client's moments may take together, and one of them at least and at most.
const ALL: Duration = Duration::from_secs(1);
const LEAST: Duration = Duration::from_millis(4);
const MOST: Duration = Duration::from_millis(30);

/// How long what an upstream has sent may take to its client.
const ON_THE_WAY: Duration = Duration::from_millis(10);

/// What the client and the upstreams of an exchange share.
#[derive(Debug, Default)]
pub(crate) struct Turns {
    /// Upstreams that have begun to answer and not ended.
    answering: Mutex<usize>,
    changed: Condvar,
}

impl Turns {
    /// An upstream answers.
    pub(crate) fn begin(&self) {
        *self.answering() += 1;
    }

    /// It has answered.
    pub(crate) fn end(&self) {
        let mut answering = self.answering();
        *answering = answering.saturating_sub(1);
        self.changed.notify_all();
    }

    /// The client's wait behind one of `pieces`, not longer than to `deadline`.
    pub(crate) fn wait(&self, pieces: usize, deadline: Instant) {
        let share = u32::try_from(pieces).unwrap_or(u32::MAX).max(1);
        thread::sleep((ALL / share).clamp(LEAST, MOST));
        let mut answering = self.answering();
        let waited = *answering > 0;
        while *answering > 0 {
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return;
            }
            let result = self.changed.wait_timeout(answering, left);
            answering = result.unwrap_or_else(PoisonError::into_inner).0;
        }
        drop(answering);
        if waited {
            thread::sleep(ON_THE_WAY);
        }
    }

    fn answering(&self) -> MutexGuard<'_, usize> {
        self.answering.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_client_waits_for_an_answer_that_has_begun_and_no_longer_than_it_may() {
        let turns = Turns::default();
        let soon = || Instant::now() + Duration::from_millis(50);
        turns.wait(1, Instant::now() + Duration::from_secs(60));
        turns.begin();
        turns.wait(1000, soon());
        thread::scope(|scope| {
            scope.spawn(|| turns.wait(1, Instant::now() + Duration::from_secs(60)));
            turns.end();
        });
    }
}
