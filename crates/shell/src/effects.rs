//! Performs effects: the only match over [`Effect`].

use std::borrow::Cow;
use std::cell::RefCell;

use tollgate_effects::{Direction, Effect, Effects, HeldBody, LogLevel, Reply, apply};

use crate::host::{self, Buffer};

/// "All of it", for buffer calls: the host clamps to what it holds, and `start + ALL` fits a u32.
pub(crate) const ALL: usize = 0x7fff_ffff;

/// More counters than this are not defined: the host never forgets one. Cores bound their names
/// long before.
const MOST_COUNTERS: usize = 4096;

/// Ids of the counters defined so far, by name, ascending. One per plugin, since each definition makes a new id.
#[derive(Default)]
pub(crate) struct Counters(RefCell<Vec<(Cow<'static, str>, u32)>>);

impl Counters {
    fn add(&self, metric: Cow<'static, str>, by: u64) {
        // The host rejects increments of 0.
        let Ok(by @ 1..) = i64::try_from(by) else { return };
        let Ok(mut ids) = self.0.try_borrow_mut() else { return };
        let id = match ids.binary_search_by(|(name, _)| name.cmp(&metric)) {
            Ok(at) => ids.get(at).map(|(_, id)| *id),
            Err(_) if ids.len() >= MOST_COUNTERS => return,
            Err(at) => {
                let id = host::define_counter(&metric);
                if let Some(id) = id {
                    ids.insert(at, (metric, id));
                }
                id
            }
        };
        let Some(id) = id else { return };
        host::increment(id, by);
    }
}

/// Performs `effects` in order, up to and including a reply. Whether there was one. `held` is how many bytes the host
/// holds of the body that the callback is about.
pub(crate) fn perform(effects: Effects, held: usize, counters: &Counters) -> bool {
    for effect in effects {
        let changes_request = matches!(
            effect,
            Effect::EditBody { on: Direction::Request, .. }
                | Effect::ReplaceBody { on: Direction::Request, .. }
        );
        let done = match effect {
            Effect::ClearRouteCache => host::foreign("clear_route_cache", &[]),
            Effect::Count { metric, by } => {
                counters.add(metric, by);
                true
            }
            Effect::EditBody { on, edits } => apply(&mut HostBody(Buffer::body(on)), held, &edits),
            Effect::Log { level, message } => {
                host::log(level as u32, &message);
                true
            }
            Effect::RemoveHeader { on, name } => host::remove_header(on, &name),
            Effect::ReplaceBody { on, with } => host::set_buffer(Buffer::body(on), 0, ALL, &with),
            Effect::Reply(reply) => {
                send(&reply);
                return true;
            }
            Effect::SetFilterState { key, value } => host::set_property(key, &value),
            Effect::SetHeader { on, name, value } => host::set_header(on, &name, &value),
        };
        if !done && changes_request {
            // What goes on would not be what was allowed.
            refuse("tollgate", "the host refused to change the body of a request");
            return true;
        }
        if !done {
            host::log(LogLevel::Warn as u32, "tollgate: the host refused an effect");
        }
    }
    false
}

/// Fails closed: answers the exchange that the host is calling for.
pub(crate) fn refuse(filter: &str, why: &str) {
    host::log(LogLevel::Error as u32, &format!("{filter}: {why}"));
    send(&Reply {
        status: 500,
        headers: vec![("content-type".into(), b"application/json".to_vec())],
        body: br#"{"error":{"message":"the gateway is not configured correctly","type":"server_error","param":null,"code":"internal_error"}}"#.to_vec(),
        details: "tollgate_internal_error".into(),
    });
}

/// A body that the host holds now.
struct HostBody(Buffer);

impl HeldBody for HostBody {
    fn read(&self, start: usize, max: usize) -> Option<Vec<u8>> {
        host::buffer(self.0, start, max)
    }

    fn replace_front(&mut self, len: usize, with: &[u8]) -> bool {
        host::set_buffer(self.0, 0, len, with)
    }

    fn append(&mut self, with: &[u8]) -> bool {
        host::set_buffer(self.0, ALL, 0, with)
    }
}

fn send(reply: &Reply) {
    let pairs: Vec<(&[u8], &[u8])> =
        reply.headers.iter().map(|(name, value)| (name.as_bytes(), value.as_slice())).collect();
    host::reply(reply.status, &reply.details, &reply.body, &to_wire(&pairs));
}

/// The ABI's serialization of a header map (the inverse of `Headers::from_wire`).
fn to_wire(pairs: &[(&[u8], &[u8])]) -> Vec<u8> {
    let length = |n: usize| u32::try_from(n).unwrap_or(0).to_le_bytes();
    let mut out = length(pairs.len()).to_vec();
    for (name, value) in pairs {
        out.extend(length(name.len()));
        out.extend(length(value.len()));
    }
    for (name, value) in pairs {
        for part in [name, value] {
            out.extend_from_slice(part);
            out.push(0);
        }
    }
    out
}
