//! Values that a scenario may write in more than one way, read by hand so that an error names what
//! was found and every form that would do (serde's `untagged` says neither).

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::de::{Error, MapAccess, SeqAccess, Unexpected, Visitor};
use serde::{Deserialize, Deserializer};
use serde_json::Value;
use tollgate_config::nearest;

/// Headers in the order of the file; names in lower case, each once.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct HeaderMap(pub Vec<(String, HeaderValue)>);

impl HeaderMap {
    /// What the file says about `name` (lower case).
    pub fn get(&self, name: &str) -> Option<&HeaderValue> {
        self.0.iter().find(|(n, _)| n == name).map(|(_, value)| value)
    }
}

/// A header's values.
#[derive(Clone, Debug, PartialEq)]
pub enum HeaderValue {
    /// `null`, in expectations: must not be there.
    Absent,
    /// One value, or those of a repeated header in order; any bytes.
    Values(Vec<Vec<u8>>),
}

/// Bytes: a text, a number, a boolean, or `{base64: …}`.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Bytes(pub Vec<u8>);

/// How a body is cut into pieces.
#[derive(Clone, Debug, Default, PartialEq)]
pub enum Chunks {
    /// `whole`, or nothing said: one piece, sent with its length.
    #[default]
    Whole,
    /// `every-byte`.
    EveryByte,
    /// A list of offsets.
    At(Vec<usize>),
    /// `seed:N`: cuts drawn from this seed, the same at every run.
    Seed(u64),
}

/// A server-sent event.
#[derive(Clone, Debug, PartialEq)]
pub struct SseItem {
    /// Its `event:` line.
    pub event: Option<String>,
    /// Its data: a string as it is, anything else as JSON.
    pub data: Value,
}

impl<'de> Deserialize<'de> for HeaderMap {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        struct Map;
        impl<'de> Visitor<'de> for Map {
            type Value = HeaderMap;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("header names with their values")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<HeaderMap, A::Error> {
                let mut headers = HeaderMap::default();
                while let Some(name) = map.next_key::<String>()? {
                    let lower = name.to_ascii_lowercase();
                    if headers.get(&lower).is_some() {
                        return Err(Error::custom(format_args!(
                            "header `{lower}` twice, expected once, a repeated header as a list"
                        )));
                    }
                    if !lower.bytes().all(is_token) || lower.is_empty() {
                        return Err(Error::custom(format_args!(
                            "invalid header name `{name}`, expected letters, digits and `-`"
                        )));
                    }
                    headers.0.push((lower, map.next_value()?));
                }
                Ok(headers)
            }
        }
        from.deserialize_map(Map)
    }
}

/// RFC 9110 §5.6.2.
fn is_token(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte)
}

impl<'de> Deserialize<'de> for HeaderValue {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        from.deserialize_any(HeaderVisitor { in_list: false })
    }
}

impl<'de> Deserialize<'de> for Bytes {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        match from.deserialize_any(HeaderVisitor { in_list: true })? {
            HeaderValue::Values(values) => Ok(Self(values.into_iter().next().unwrap_or_default())),
            HeaderValue::Absent => Ok(Self(Vec::new())),
        }
    }
}

struct HeaderVisitor {
    in_list: bool,
}

impl<'de> Visitor<'de> for HeaderVisitor {
    type Value = HeaderValue;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.in_list {
            "a string, a whole number, a boolean or `{base64: …}`"
        } else {
            "a string, a whole number, a boolean, `{base64: …}`, or a list of these"
        })
    }

    fn visit_bool<E: Error>(self, value: bool) -> Result<HeaderValue, E> {
        one(value.to_string().into_bytes())
    }

    fn visit_i64<E: Error>(self, value: i64) -> Result<HeaderValue, E> {
        one(value.to_string().into_bytes())
    }

    fn visit_u64<E: Error>(self, value: u64) -> Result<HeaderValue, E> {
        one(value.to_string().into_bytes())
    }

    /// YAML has forgotten how it was written (`1.10`).
    fn visit_f64<E: Error>(self, value: f64) -> Result<HeaderValue, E> {
        Err(E::custom(format_args!("found the number {value}, expected it in quotes")))
    }

    fn visit_str<E: Error>(self, value: &str) -> Result<HeaderValue, E> {
        one(value.as_bytes().to_vec())
    }

    fn visit_unit<E: Error>(self) -> Result<HeaderValue, E> {
        if self.in_list {
            return Err(E::invalid_type(Unexpected::Other("null"), &self));
        }
        Ok(HeaderValue::Absent)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<HeaderValue, A::Error> {
        if self.in_list {
            return Err(A::Error::invalid_type(Unexpected::Seq, &self));
        }
        let mut values = Vec::new();
        while let Some(Bytes(value)) = seq.next_element()? {
            values.push(value);
        }
        if values.is_empty() {
            return Err(A::Error::custom("found an empty list, expected at least one value"));
        }
        Ok(HeaderValue::Values(values))
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<HeaderValue, A::Error> {
        #[derive(Deserialize)]
        #[serde(deny_unknown_fields)]
        struct Bytes {
            base64: String,
        }
        let bytes = Bytes::deserialize(serde::de::value::MapAccessDeserializer::new(map))?;
        let value = STANDARD
            .decode(&bytes.base64)
            .map_err(|e| A::Error::custom(format_args!("base64: {e}, expected padded base64")))?;
        one(value)
    }
}

/// A value with these bytes would not be one header but several, or none.
fn one<E: Error>(value: Vec<u8>) -> Result<HeaderValue, E> {
    if value.iter().any(|b| matches!(b, b'\r' | b'\n' | 0)) {
        return Err(E::custom("found a line break or NUL, expected a value that can be sent"));
    }
    Ok(HeaderValue::Values(vec![value]))
}

impl<'de> Deserialize<'de> for Chunks {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        from.deserialize_any(ChunksVisitor)
    }
}

struct ChunksVisitor;

impl<'de> Visitor<'de> for ChunksVisitor {
    type Value = Chunks;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("`whole`, `every-byte`, `seed:` and a number, or a list of offsets")
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Chunks, E> {
        match text {
            "whole" => return Ok(Chunks::Whole),
            "every-byte" => return Ok(Chunks::EveryByte),
            _ => {}
        }
        if let Some(Ok(seed)) = text.strip_prefix("seed:").map(str::parse) {
            return Ok(Chunks::Seed(seed));
        }
        let hint = nearest(text, ["whole", "every-byte"]);
        let hint = hint.map(|near| format!("; did you mean `{near}`?")).unwrap_or_default();
        Err(E::custom(format_args!(
            "found `{text}`, expected `whole`, `every-byte`, `seed:` and a number, or a list of \
             offsets{hint}"
        )))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Chunks, A::Error> {
        let mut offsets: Vec<usize> = Vec::new();
        while let Some(offset) = seq.next_element()? {
            if offset <= offsets.last().copied().unwrap_or(0) {
                return Err(A::Error::custom(format_args!(
                    "found offset {offset}, expected offsets from 1 up, each larger than the one \
                     before"
                )));
            }
            offsets.push(offset);
        }
        Ok(Chunks::At(offsets))
    }
}

impl<'de> Deserialize<'de> for SseItem {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let mut value = Value::deserialize(from)?;
        if let Some(members) = value.as_object_mut()
            && members.len() == 2
            && members.contains_key("data")
            && let Some(Value::String(event)) = members.get("event").cloned()
        {
            let data = members.remove("data").unwrap_or_default();
            return Ok(Self { event: Some(event), data });
        }
        Ok(Self { event: None, data: value })
    }
}
