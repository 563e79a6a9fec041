//! Finds out that the host does not hand over bodies while headers are held.
//!
//! A filter that holds request headers gets the body only if the host was told so
//! (`allow_on_headers_stop_iteration`, Envoy 1.35 or later; an Istio WasmPlugin cannot say it). Otherwise the request
//! hangs for good. Until a VM has once got a body under the hold, held requests are looked at every second: one whose
//! body has begun to arrive at the host, but not here, is stuck. A client that is slow to send is not: nothing
//! of its body has arrived. After the first body nobody is watched any more.
//!
//! Taken for stuck, wrongly, is a request whose body an earlier filter holds back longer than the configuration waits,
//! and only if no other request's body came through this VM before.

use std::cell::Cell;
use std::rc::Rc;

use tollgate_effects::{Context, Headers};

/// How often held requests are looked at, in milliseconds.
const PERIOD: u32 = 1000;

/// What one VM knows about its host; shared by its requests.
#[derive(Debug, Default)]
pub(crate) struct Watch {
    /// Whether a body came while its headers were held.
    proven: Cell<bool>,
    /// Held requests whose body has not come.
    waiting: Cell<u32>,
    told: Cell<bool>,
}

/// A held request whose body has not come, while the host is not known to hand it over.
#[derive(Debug)]
pub(crate) struct Waiting {
    watch: Rc<Watch>,
    /// Bytes of the names and values of the headers that are held.
    headers: u64,
    /// How often it was looked at.
    ticks: u64,
}

impl Watch {
    /// Begins to watch a request with `headers` (those that are left on it), unless there is no need.
    pub(crate) fn begin<'a>(
        self: &Rc<Self>,
        headers: &Headers<'a>,
        kept: impl Fn(&'a [u8]) -> bool,
    ) -> Option<Waiting> {
        if self.proven.get() {
            return None;
        }
        let sizes = headers.iter().filter(|(name, _)| kept(name)).map(|(name, value)| {
            u64::try_from(name.len().saturating_add(value.len())).unwrap_or(u64::MAX)
        });
        let headers = sizes.fold(0, u64::saturating_add);
        self.waiting.set(self.waiting.get().saturating_add(1));
        Some(Waiting { watch: Rc::clone(self), headers, ticks: 0 })
    }

    /// As [`tollgate_effects::Plugin::tick_period`].
    pub(crate) fn tick_period(&self) -> u32 {
        if self.proven.get() || self.waiting.get() == 0 { 0 } else { PERIOD }
    }

    /// Whether this is the first time it is asked.
    pub(crate) fn tell(&self) -> bool {
        !self.told.replace(true)
    }
}

impl Waiting {
    /// The body has come: so it does while headers are held.
    pub(crate) fn end(self) {
        self.watch.proven.set(true);
    }

    /// A tick; whether the request is stuck for at least `after` seconds.
    pub(crate) fn is_stuck(&mut self, after: u64, ctx: Context<'_>) -> bool {
        self.ticks = self.ticks.saturating_add(1);
        // The first tick may come right behind the headers.
        !self.watch.proven.get() && self.ticks > after && self.has_arrived(ctx)
    }

    /// Whether something of the body is at the host: `request.total_size` is the size of the headers as they are, names
    /// and values, and what was received of the body (tried on Envoy 1.36 and 1.40). A host that does
    /// not tell is not given the benefit of the doubt: whoever watches wants no request to hang.
    fn has_arrived(&self, ctx: Context<'_>) -> bool {
        let size = ctx.property(&["request", "total_size"]).and_then(|size| size.try_into().ok());
        size.is_none_or(|size| u64::from_le_bytes(size) > self.headers)
    }
}

impl Drop for Waiting {
    fn drop(&mut self) {
        self.watch.waiting.set(self.watch.waiting.get().saturating_sub(1));
    }
}

#[cfg(test)]
mod tests {
    use tollgate_effects::testkit::Values;

    use super::*;

    const PAIRS: [(&[u8], &[u8]); 2] = [(b":path", b"/v1"), (b"x-gateway-stream", b"spoofed")];
    /// What is left: `:path` and `/v1`.
    const SIZE: u64 = 8;

    fn begin(watch: &Rc<Watch>) -> Option<Waiting> {
        watch.begin(&Headers::new(PAIRS.to_vec()), |name| !name.starts_with(b"x-gateway-"))
    }

    /// Ticks until it is stuck, at most so many.
    fn ticks(waiting: &mut Waiting, size: Option<u64>, most: u32) -> Option<u32> {
        let mut values = Values::default();
        if let Some(size) = size {
            values.0.insert("request.total_size".into(), size.to_le_bytes().to_vec());
        }
        let ctx = Context { now: 0, properties: &values };
        (1..=most).find(|_| waiting.is_stuck(2, ctx))
    }

    #[test]
    fn a_request_is_stuck_when_its_body_arrives_elsewhere() {
        let watch = Rc::new(Watch::default());
        assert_eq!(watch.tick_period(), 0);
        let mut waiting = begin(&watch).unwrap();
        assert_eq!(watch.tick_period(), PERIOD);
        assert_eq!(ticks(&mut waiting, Some(SIZE), 100), None);
        assert_eq!(ticks(&mut waiting, Some(SIZE + 1), 1), Some(1));
        drop(waiting);
        assert_eq!(watch.tick_period(), 0);
    }

    #[test]
    fn it_is_waited_for_as_long_as_configured() {
        let watch = Rc::new(Watch::default());
        assert_eq!(ticks(&mut begin(&watch).unwrap(), Some(SIZE + 1), 100), Some(3));
        assert_eq!(ticks(&mut begin(&watch).unwrap(), None, 100), Some(3));
    }

    #[test]
    fn after_the_first_body_nobody_is_watched() {
        let watch = Rc::new(Watch::default());
        let mut slow = begin(&watch).unwrap();
        begin(&watch).unwrap().end();
        assert_eq!(watch.tick_period(), 0);
        assert_eq!(ticks(&mut slow, Some(SIZE + 1), 100), None);
        assert!(begin(&watch).is_none());
    }

    #[test]
    fn it_is_told_once() {
        let watch = Watch::default();
        assert_eq!([watch.tell(), watch.tell()], [true, false]);
    }
}
