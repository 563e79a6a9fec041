//! Hosts that the wasmtime host can mirror, as switches: one for each behaviour in which they differ.
//!
//! [`ENVOY`] is Envoy 1.35 and later, and the default. [`ENVOY_OLD`] is Envoy before: what is
//! different there is what its release notes and older sources say, since only 1.36 and later can
//! be run beside this host. [`SPEC`] is the specification of ABI 0.2.1 where Envoy departs from it: a
//! filter that also behaves there is likely to behave on other hosts.
//!
//! Not here: what a scenario or a module says (the version of the ABI, settings of a filter).

use crate::scenario::Profile;

/// How a host behaves.
#[derive(Debug)]
pub(crate) struct Switches {
    /// `allow_on_headers_stop_iteration` has an effect (E2); Envoy 1.35.
    pub(crate) header_hold: bool,
    /// `failReload` is known (E22); before, a failed VM stays failed.
    pub(crate) reload: bool,
    /// `proxy_on_vm_start` is called once for each VM, not for each root context.
    pub(crate) vm_start_once: bool,
    /// What `proxy_set_buffer_bytes` can do to a body.
    pub(crate) set_buffer: SetBuffer,
    /// A body outside of its callbacks is not found; else it is there, and empty.
    pub(crate) body_not_found: bool,
    /// Reading from behind the end of a buffer is a bad argument; else it gives nothing.
    pub(crate) strict_range: bool,
    /// A stream ends with `on_done`, `on_log`, `on_delete`; else `on_log` comes first.
    pub(crate) done_before_log: bool,
    /// `on_done` may put off the end of a stream, until `proxy_done`; else only that of a plugin.
    pub(crate) streams_may_wait: bool,
    /// The host goes on until plugins whose `on_done` asked for it call `proxy_done`; else it ends with
    /// them.
    pub(crate) plugins_are_waited_for: bool,
    /// `proxy_get_header_map_size` is the size of all pairs as they are handed over, and has no
    /// effect; else it is that of names and values, and asking for trailers can make them (E9).
    pub(crate) serialized_map_size: bool,
    /// `node`, `cluster_name` and others of `xds` are also attributes of their own; Envoy before 1.32.
    pub(crate) top_level_xds: bool,
}

/// What `proxy_set_buffer_bytes` can do.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum SetBuffer {
    /// Replace any range.
    Anywhere,
    /// Replace a part at the front, or append.
    FrontOrEnd,
    /// Replace all, prepend, or append.
    AllOrEnds,
}

pub(crate) const ENVOY: Switches = Switches {
    header_hold: true,
    reload: true,
    vm_start_once: false,
    set_buffer: SetBuffer::FrontOrEnd,
    body_not_found: false,
    strict_range: false,
    done_before_log: false,
    streams_may_wait: false,
    plugins_are_waited_for: false,
    serialized_map_size: false,
    top_level_xds: false,
};

pub(crate) const ENVOY_OLD: Switches = Switches {
    header_hold: false,
    reload: false,
    set_buffer: SetBuffer::AllOrEnds,
    done_before_log: true,
    top_level_xds: true,
    ..ENVOY
};

pub(crate) const SPEC: Switches = Switches {
    vm_start_once: true,
    set_buffer: SetBuffer::Anywhere,
    body_not_found: true,
    strict_range: true,
    done_before_log: true,
    streams_may_wait: true,
    plugins_are_waited_for: true,
    serialized_map_size: true,
    ..ENVOY
};

impl Switches {
    pub(crate) fn of(profile: Profile) -> &'static Self {
        match profile {
            Profile::Envoy => &ENVOY,
            Profile::EnvoyOld => &ENVOY_OLD,
            Profile::Spec => &SPEC,
        }
    }
}
