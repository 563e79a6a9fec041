//! What a core may ask of its surroundings: values, never actions.

/// Nanoseconds since 1970-01-01T00:00:00Z.
pub type UnixNanos = u64;

/// The host's attributes and the filter state of the stream, read one at a time.
///
/// Paths are those of Envoy's attributes (`["request", "path"]`); what another filter published is
/// a path of one part (`["tollgate.caller"]`), since Envoy looks custom paths up by their first part
/// only. Scalars come in the host's encoding: strings raw, integers as 8 bytes little-endian.
pub trait Properties {
    /// The value at `path`, or `None` if there is none or it is empty.
    fn property(&self, path: &[&str]) -> Option<Vec<u8>>;
}

/// What a configuration is read against.
pub trait Environment {
    /// The value of variable `name` of the plugin's VM, for secrets named by `{env: NAME}`; `None`
    /// if it is not set or not UTF-8.
    fn variable(&self, name: &str) -> Option<String>;

    /// The time of loading, for warnings; 0 if it is not known, as where files are checked.
    fn now(&self) -> UnixNanos {
        0
    }
}

/// The surroundings of one callback.
#[derive(Clone, Copy)]
pub struct Context<'a> {
    /// The time of the callback; 0 unless the plugin sets [`crate::Plugin::READS_CLOCK`].
    pub now: UnixNanos,
    /// The host's attributes and the stream's filter state.
    pub properties: &'a dyn Properties,
}

impl Context<'_> {
    /// The value at `path`, or `None` if there is none or it is empty.
    pub fn property(&self, path: &[&str]) -> Option<Vec<u8>> {
        self.properties.property(path)
    }
}
