//! Server-sent event framing, for bytes cut anywhere.
//!
//! [`Framer`] takes the body of a `text/event-stream` in pieces and gives it back as [`Piece`]s: whole
//! [`Event`]s, each with its exact bytes, so that a filter can pass on, drop or replace one and leave
//! the rest of the stream byte-identical. Four promises, each a test:
//!
//! 1. The bytes of all pieces, in order, are the bytes pushed: none lost, none twice.
//! 2. The events do not depend on how the stream was cut: inside a UTF-8 character, or between the CR
//!    and the LF of a line end.
//! 3. An event is delivered in the push that completes it, also when that push ends in a CR which
//!    may or may not be followed by an LF.
//! 4. No more than `max_event_bytes` are held. A longer event passes as [`Piece::Raw`] bytes.
//!
//! Follows the WHATWG HTML standard, "Server-sent events", §9.2.5 and §9.2.6
//! (<https://html.spec.whatwg.org/multipage/server-sent-events.html>): lines end in LF, CR or CRLF in
//! any mixture, a byte order mark may come first, an event ends at an empty line.
//!
//! Not here: what the data means, reconnection (`id`, `retry`), and writing events.

mod event;
mod framer;

pub use event::Event;
pub use framer::{Framer, Piece};
