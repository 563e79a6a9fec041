//! JSON read without losing its bytes: borrowed text, and members that keep their raw values.

use std::borrow::Cow;
use std::fmt;

use serde::de::{MapAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::value::RawValue;

/// Text that is borrowed from the document where it has no escapes.
#[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
#[serde(transparent)]
pub(crate) struct Text<'a>(#[serde(borrow)] pub(crate) Cow<'a, str>);

impl std::ops::Deref for Text<'_> {
    type Target = str;

    fn deref(&self) -> &str {
        &self.0
    }
}

/// The members of an object in order, repeats included; values untouched.
#[derive(Clone, Debug, Default)]
pub(crate) struct Members<'a>(pub(crate) Vec<(Text<'a>, &'a RawValue)>);

impl<'de: 'a, 'a> Deserialize<'de> for Members<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Object;
        impl<'de> Visitor<'de> for Object {
            type Value = Members<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut members = Vec::new();
                while let Some(member) = map.next_entry()? {
                    members.push(member);
                }
                Ok(Members(members))
            }
        }
        deserializer.deserialize_map(Object)
    }
}

/// Reads a raw value as `T`.
pub(crate) fn read<'a, T: Deserialize<'a>>(raw: &'a RawValue) -> Option<T> {
    serde_json::from_str(raw.get()).ok()
}

/// Reads a document as `T`. As text, so that each type is read by one copy of the code only.
pub(crate) fn document<'a, T: Deserialize<'a>>(bytes: &'a [u8]) -> Option<T> {
    serde_json::from_str(std::str::from_utf8(bytes).ok()?).ok()
}

/// Whether a raw value is an empty object or array.
pub(crate) fn is_empty(raw: &RawValue) -> bool {
    let inner = raw.get().strip_prefix(['{', '[']).and_then(|rest| rest.strip_suffix(['}', ']']));
    inner.is_some_and(|inner| inner.trim_ascii().is_empty())
}

/// Whether a raw value is a number equal to `n`, however it is written.
pub(crate) fn is_number(raw: &RawValue, n: f64) -> bool {
    read::<f64>(raw).is_some_and(|found| (found - n).abs() < f64::EPSILON)
}
