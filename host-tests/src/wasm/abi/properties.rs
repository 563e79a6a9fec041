//! Attributes and filter state as guests get and set them; which there are is in [`super::attributes`].
//!
//! Encodings are Envoy's: strings raw, numbers and times as 8 bytes little-endian, booleans as 1
//! byte, maps as pairs, lists as pairs without values.

use serde_json::Value;

pub(crate) use super::attributes::{Sight, lookup};
use super::{Answer, Cx, Status};
use crate::wasm::guest::GuestState;
use crate::wasm::headers::to_wire;

/// `proxy_get_property`: a path that is no attribute is filter state under its *first part* (E27).
pub(super) fn get(cx: &mut Cx<'_>, path: u32, path_size: u32, to: u32, to_size: u32) -> Answer {
    let path = cx.bytes(path, path_size)?;
    if path.is_empty() {
        // Envoy looks nothing up, and cannot serialize that.
        return Err(Status::SerializationFailure.into());
    }
    // A NUL at the end is dropped, which the C++ SDK sends.
    let path = path.strip_suffix(b"\0").unwrap_or(path);
    let parts: Vec<String> =
        path.split(|b| *b == 0).map(|part| String::from_utf8_lossy(part).into_owned()).collect();
    let parts: Vec<&str> = parts.iter().map(String::as_str).collect();
    let value = find(cx.state(), &parts).ok_or(Status::NotFound)?.encode()?;
    cx.give(&value, to, to_size)
}

/// The property at `path`, as the context that host functions are about sees it.
pub(super) fn find(state: &GuestState, path: &[&str]) -> Option<Property> {
    match (path, state.plugin()) {
        (["plugin_name"], Some(plugin)) => Some(Property::text(plugin.name.as_str())),
        (["plugin_root_id"], Some(plugin)) => Some(Property::text(plugin.root_id.as_str())),
        (["plugin_vm_id"], _) => Some(Property::Bytes(state.vm.vm_id.clone())),
        _ => {
            let stream = state.stream()?;
            let now = state.world.borrow().now;
            let info = stream.info.borrow();
            let sight = Sight::of(stream);
            let old = path.first().is_some_and(|first| TOP_LEVEL_XDS.contains(first));
            let inside = old && state.profile.top_level_xds;
            let found = inside.then(|| [&["xds"], path].concat());
            let found = found.and_then(|path| lookup(&info, &path, now, &sight));
            found.or_else(|| lookup(&info, path, now, &sight))
        }
    }
}

/// `proxy_set_property`: filter state under `wasm.` and the raw path; needs a stream. What was
/// declared as read-only can be set once.
pub(super) fn set(
    cx: &mut Cx<'_>,
    path: u32,
    path_size: u32,
    value: u32,
    value_size: u32,
) -> Answer {
    let path = cx.bytes(path, path_size)?.to_vec();
    let value = cx.bytes(value, value_size)?.to_vec();
    let state = cx.state();
    let stream = state.stream().ok_or(Status::NotFound)?;
    let read_only = state.declared.get(&(state.root(), path.clone())).is_some_and(|once| *once);
    let key = [b"wasm.", path.as_slice()].concat();
    cx.keep(key.len() + value.len())?;
    let mut info = stream.info.borrow_mut();
    if info.read_only.contains(&key) {
        return Err(Status::BadArgument.into());
    }
    if read_only && !info.filter_state.contains_key(&key) {
        info.read_only.insert(key.clone());
    }
    info.filter_state.insert(key, value);
    Ok(())
}

/// A property's value.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Property {
    Bytes(Vec<u8>),
    Int(i64),
    Double(f64),
    Bool(bool),
    /// Nanoseconds since 1970.
    Time(i64),
    /// Nanoseconds.
    Span(i64),
    Map(Vec<(Vec<u8>, Self)>),
    List(Vec<Self>),
    /// A group of attributes, such as `request`: there, but only its members can be handed over.
    Group,
}

impl Property {
    pub(super) fn text(text: impl Into<Vec<u8>>) -> Self {
        Self::Bytes(text.into())
    }

    /// So many nanoseconds, of a time or a duration.
    pub(super) fn nanos(number: u64) -> i64 {
        i64::try_from(number).unwrap_or(i64::MAX)
    }

    pub(super) fn int(number: u64) -> Self {
        Self::Int(i64::try_from(number).unwrap_or(i64::MAX))
    }

    /// The bytes a guest gets.
    pub(crate) fn encode(self) -> Result<Vec<u8>, Status> {
        Ok(match self {
            Self::Bytes(bytes) => bytes,
            Self::Int(number) | Self::Time(number) | Self::Span(number) => {
                number.to_le_bytes().to_vec()
            }
            Self::Double(number) => number.to_le_bytes().to_vec(),
            Self::Bool(yes) => vec![u8::from(yes)],
            Self::Map(pairs) => {
                let pairs = pairs.into_iter().map(|(k, v)| Ok((k, v.encode()?)));
                let pairs: Vec<_> = pairs.collect::<Result<_, Status>>()?;
                to_wire(pairs.iter().map(|(k, v)| (k.as_slice(), v.as_slice())))
            }
            Self::List(items) => {
                let items: Vec<_> =
                    items.into_iter().map(Self::encode).collect::<Result<_, _>>()?;
                to_wire(items.iter().map(|item| (item.as_slice(), &[][..])))
            }
            Self::Group => return Err(Status::SerializationFailure),
        })
    }

    /// As a report shows it.
    pub(crate) fn to_json(&self) -> Value {
        match self {
            Self::Bytes(bytes) => bytes_json(bytes),
            Self::Int(number) | Self::Time(number) | Self::Span(number) => (*number).into(),
            Self::Double(number) => (*number).into(),
            Self::Bool(yes) => (*yes).into(),
            Self::Map(pairs) => pairs
                .iter()
                .map(|(k, v)| (String::from_utf8_lossy(k).into_owned(), v.to_json()))
                .collect::<serde_json::Map<_, _>>()
                .into(),
            Self::List(items) => items.iter().map(Self::to_json).collect::<Vec<_>>().into(),
            Self::Group => Value::Null,
        }
    }

    pub(super) fn from_json(value: &Value) -> Option<Self> {
        Some(match value {
            Value::Null => return None,
            Value::Bool(yes) => Self::Bool(*yes),
            Value::Number(number) => match number.as_i64() {
                Some(number) => Self::Int(number),
                None => Self::Double(number.as_f64()?),
            },
            Value::String(text) => Self::text(text.as_str()),
            Value::Array(items) => Self::List(items.iter().filter_map(Self::from_json).collect()),
            Value::Object(map) => Self::Map(
                map.iter()
                    .filter_map(|(k, v)| Some((k.as_bytes().to_vec(), Self::from_json(v)?)))
                    .collect(),
            ),
        })
    }
}

/// Bytes as a report shows them: text, or `{"base64": …}`.
pub(crate) fn bytes_json(bytes: &[u8]) -> Value {
    use base64::Engine as _;
    match std::str::from_utf8(bytes) {
        Ok(text) => text.into(),
        Err(_) => {
            let text = base64::engine::general_purpose::STANDARD.encode(bytes);
            serde_json::json!({ "base64": text })
        }
    }
}

/// Attributes of `xds` that Envoy before 1.32 had outside of it.
const TOP_LEVEL_XDS: [&str; 8] = [
    "cluster_metadata",
    "cluster_name",
    "listener_direction",
    "listener_metadata",
    "node",
    "route_metadata",
    "route_name",
    "upstream_host_metadata",
];
