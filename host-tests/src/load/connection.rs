//! TCP connections of a scenario.

use super::Loader;
use crate::plan;
use crate::scenario::{Connection, Piece};

impl Loader {
    pub(super) fn connections(&mut self, connections: &[Connection]) -> Vec<plan::Connection> {
        let plan = |(i, connection): (usize, &Connection)| {
            let at = format!("connections[{i}]");
            plan::Connection {
                name: connection.name.clone().unwrap_or_else(|| (i + 1).to_string()),
                send: self.sent(&format!("{at}.send"), &connection.send),
                upstream_sends: self
                    .sent(&format!("{at}.upstreamSends"), &connection.upstream_sends),
                closes: connection.closes,
                expect: connection.expect.clone(),
            }
        };
        connections.iter().enumerate().map(plan).collect()
    }

    fn sent(&mut self, at: &str, pieces: &[Piece]) -> Vec<Vec<u8>> {
        for (i, _) in pieces.iter().enumerate().filter(|(_, piece)| piece.0.is_empty()) {
            self.note(format!("{at}[{i}]"), "found nothing, expected bytes to send");
        }
        pieces.iter().map(|piece| piece.0.clone()).collect()
    }
}
