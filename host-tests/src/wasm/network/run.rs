//! Runs connections, one after the other, in the gateway's loop.

use std::cell::RefCell;
use std::rc::Rc;

use super::super::Gateway;
use super::super::events::{MOST_EVENTS, MOST_WAIT_NANOS};
use super::super::guest::Action;
use super::super::worker::{Place, Worker};
use super::Connection;
use crate::report::ObservedConnection;

/// What a call outside of any stream has asked for, on this worker.
pub(crate) type Stray = (Rc<RefCell<Worker>>, Place, Action);

/// Strays that wait at most.
const MOST_STRAYS: usize = 10_000;

impl Gateway {
    /// Runs a TCP connection to its end; what only time can move on gets an hour of it.
    pub(in crate::wasm) fn connect(
        &mut self,
        number: usize,
        mut connection: Connection<'_>,
    ) -> anyhow::Result<ObservedConnection> {
        self.strays.take();
        let until = self.now().saturating_add(MOST_WAIT_NANOS);
        let mut ended = connection.run();
        let mut events = 0;
        while events < MOST_EVENTS
            && (self.call_queue_readers(&mut [])?
                || self.happen(if ended { self.now() } else { until }, &mut []))
        {
            events += 1;
            for (worker, place, action) in self.strays.take() {
                if Rc::ptr_eq(&worker, &connection.worker) {
                    connection.perform(place, [action].into());
                }
            }
            ended = connection.settle();
        }
        let lines = self.lines(Some(number));
        // It stays open until the host goes.
        connection.abandon();
        self.late.extend(self.lines(Some(number)));
        Ok(connection.observed(ended, lines))
    }

    pub(in crate::wasm) fn stray(
        &self,
        worker: &Rc<RefCell<Worker>>,
        place: Place,
        action: Action,
    ) {
        let mut strays = self.strays.borrow_mut();
        if strays.len() < MOST_STRAYS {
            strays.push_back((Rc::clone(worker), place, action));
        }
    }
}
