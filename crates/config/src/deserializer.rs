//! From a JSON value to a raw struct, with the place of what is wrong.
//!
//! What `serde_path_to_error` does, for this one kind of input: errors collect the place on their way out, so
//! nothing is tracked on the way in, and each struct is compiled for one type of deserializer instead of a
//! stack of them. That is most of what a field of a configuration costs in a filter. Besides, a list is never
//! taken for a struct, and messages have no strings of the configuration in them.

use std::fmt;

use serde::de::value::StrDeserializer;
use serde::de::{
    self, DeserializeSeed, Expected, IntoDeserializer, MapAccess, SeqAccess, Unexpected, Visitor,
};
use serde::forward_to_deserialize_any;
use serde_json::Value;

/// One step from a value to a value inside.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) enum Segment {
    Index(usize),
    Key(String),
}

/// What is wrong, and where.
#[derive(Debug)]
pub(crate) struct Error {
    pub(crate) message: String,
    /// From the innermost step to the outermost.
    steps: Vec<Segment>,
}

impl Error {
    /// The steps to what is wrong, from the outermost.
    pub(crate) fn path(&self) -> Vec<Segment> {
        self.steps.iter().rev().cloned().collect()
    }

    #[cold]
    fn within(mut self, step: Segment) -> Self {
        self.steps.push(step);
        self
    }

    /// `value` is not of the type that is expected.
    #[cold]
    #[inline(never)]
    fn wrong(value: &Value, expected: &dyn Expected) -> Self {
        let found = match value {
            Value::Null => Unexpected::Unit,
            Value::Bool(value) => Unexpected::Bool(*value),
            Value::Number(number) => match (number.as_u64(), number.as_i64()) {
                (Some(value), _) => Unexpected::Unsigned(value),
                (None, Some(value)) => Unexpected::Signed(value),
                (None, None) => Unexpected::Float(number.as_f64().unwrap_or_default()),
            },
            Value::String(text) => Unexpected::Str(text),
            Value::Array(_) => Unexpected::Seq,
            Value::Object(_) => Unexpected::Map,
        };
        de::Error::invalid_type(found, expected)
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Error {}

impl de::Error for Error {
    #[cold]
    fn custom<T: fmt::Display>(message: T) -> Self {
        Self { message: message.to_string(), steps: Vec::new() }
    }

    #[cold]
    #[inline(never)]
    fn invalid_type(found: Unexpected<'_>, expected: &dyn Expected) -> Self {
        Self::custom(format_args!("invalid type: {}, expected {expected}", Found(found)))
    }

    #[cold]
    #[inline(never)]
    fn invalid_value(found: Unexpected<'_>, expected: &dyn Expected) -> Self {
        Self::custom(format_args!("invalid value: {}, expected {expected}", Found(found)))
    }
}

/// A value in a message, in JSON's words; of a string, which may be a secret, only that it is one.
struct Found<'a>(Unexpected<'a>);

impl fmt::Display for Found<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Unexpected::Bool(value) => write!(f, "boolean `{value}`"),
            Unexpected::Unsigned(value) => write!(f, "integer `{value}`"),
            Unexpected::Signed(value) => write!(f, "integer `{value}`"),
            // By way of JSON: formatting floats otherwise is code of its own in the filter.
            Unexpected::Float(value) => write!(f, "floating point `{}`", Value::from(value)),
            Unexpected::Str(_) => f.write_str("a string"),
            Unexpected::Unit => f.write_str("null"),
            Unexpected::Seq => f.write_str("sequence"),
            Unexpected::Map => f.write_str("map"),
            _ => f.write_str("something else"),
        }
    }
}

/// A value to read.
#[derive(Clone, Copy)]
pub(crate) struct Node<'de>(pub(crate) &'de Value);

impl<'de> de::Deserializer<'de> for Node<'de> {
    type Error = Error;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        match self.0 {
            Value::Null => visitor.visit_unit(),
            Value::Bool(value) => visitor.visit_bool(*value),
            Value::Number(number) => match (number.as_u64(), number.as_i64()) {
                (Some(value), _) => visitor.visit_u64(value),
                (None, Some(value)) => visitor.visit_i64(value),
                (None, None) => visitor.visit_f64(number.as_f64().unwrap_or_default()),
            },
            Value::String(text) => visitor.visit_str(text),
            Value::Array(_) => self.deserialize_seq(visitor),
            Value::Object(_) => self.deserialize_map(visitor),
        }
    }

    fn deserialize_bool<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        match self.0 {
            Value::Bool(value) => visitor.visit_bool(*value),
            other => Err(Error::wrong(other, &visitor)),
        }
    }

    fn deserialize_str<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        match self.0 {
            Value::String(text) => visitor.visit_str(text),
            other => Err(Error::wrong(other, &visitor)),
        }
    }

    fn deserialize_string<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        self.deserialize_str(visitor)
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        match self.0 {
            Value::Null => visitor.visit_none(),
            _ => visitor.visit_some(self),
        }
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        visitor: V,
    ) -> Result<V::Value, Error> {
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_seq<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        match self.0 {
            Value::Array(elements) => {
                visitor.visit_seq(Elements { rest: elements.iter(), index: 0 })
            }
            other => Err(Error::wrong(other, &visitor)),
        }
    }

    fn deserialize_map<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        match self.0 {
            Value::Object(members) => {
                visitor.visit_map(Members { rest: members.iter(), now: None })
            }
            other => Err(Error::wrong(other, &visitor)),
        }
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Error> {
        self.deserialize_map(visitor)
    }

    /// Of enumerations, those whose variants are words.
    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _: &'static str,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Error> {
        match self.0 {
            Value::String(text) => visitor.visit_enum(word(text)),
            other => Err(Error::wrong(other, &visitor)),
        }
    }

    forward_to_deserialize_any! {
        i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char bytes byte_buf unit unit_struct tuple
        tuple_struct identifier ignored_any
    }
}

/// The elements of a list.
struct Elements<'de> {
    rest: std::slice::Iter<'de, Value>,
    /// Of the next one.
    index: usize,
}

impl<'de> SeqAccess<'de> for Elements<'de> {
    type Error = Error;

    fn next_element_seed<T: DeserializeSeed<'de>>(
        &mut self,
        seed: T,
    ) -> Result<Option<T::Value>, Error> {
        let Some(value) = self.rest.next() else { return Ok(None) };
        let index = self.index;
        self.index = index.saturating_add(1);
        match seed.deserialize(Node(value)) {
            Ok(value) => Ok(Some(value)),
            Err(error) => Err(error.within(Segment::Index(index))),
        }
    }
}

/// The members of an object.
struct Members<'de> {
    rest: serde_json::map::Iter<'de>,
    /// The one whose key was read.
    now: Option<(&'de String, &'de Value)>,
}

impl<'de> MapAccess<'de> for Members<'de> {
    type Error = Error;

    fn next_key_seed<K: DeserializeSeed<'de>>(
        &mut self,
        seed: K,
    ) -> Result<Option<K::Value>, Error> {
        self.now = self.rest.next();
        let Some((key, _)) = self.now else { return Ok(None) };
        match seed.deserialize(word(key)) {
            Ok(key) => Ok(Some(key)),
            Err(error) => Err(error.within(Segment::Key(key.clone()))),
        }
    }

    // Once for each type, not for each field.
    #[inline(never)]
    fn next_value_seed<V: DeserializeSeed<'de>>(&mut self, seed: V) -> Result<V::Value, Error> {
        let Some((key, value)) = self.now.take() else {
            return Err(de::Error::custom("a value without a key"));
        };
        seed.deserialize(Node(value)).map_err(|error| error.within(Segment::Key(key.clone())))
    }
}

/// The name of a field or a variant.
fn word(text: &str) -> StrDeserializer<'_, Error> {
    text.into_deserializer()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use serde::Deserialize;
    use serde_json::json;

    use super::*;

    #[derive(Debug, Default, Deserialize, PartialEq)]
    #[serde(rename_all = "camelCase", deny_unknown_fields, default)]
    struct Outer {
        name: Option<String>,
        size: Option<u32>,
        part: f64,
        on: bool,
        mode: Option<Mode>,
        inner: Vec<Inner>,
        by_name: BTreeMap<String, Inner>,
        free: serde_json::Map<String, Value>,
    }

    #[derive(Debug, Default, Deserialize, PartialEq)]
    #[serde(rename_all = "camelCase", deny_unknown_fields, default)]
    struct Inner {
        words: Vec<String>,
    }

    #[derive(Debug, Deserialize, PartialEq)]
    #[serde(rename_all = "camelCase")]
    enum Mode {
        Fast,
    }

    #[test]
    fn reads_what_serde_json_reads() {
        for value in [
            json!({}),
            json!({"name": null, "size": null, "mode": null}),
            json!({"name": "a", "size": 4_294_967_295_u32, "part": 1, "on": true, "mode": "fast"}),
            json!({"part": -1.5, "inner": [{"words": ["a", "b"]}, {}], "byName": {"x": {}}}),
            json!({"free": {"a": [1, -1, 1.5, "s", null, true, {"b": {}}]}}),
        ] {
            let expected: Outer = serde_json::from_value(value.clone()).unwrap();
            assert_eq!(Outer::deserialize(Node(&value)).unwrap(), expected, "{value}");
        }
    }

    #[test]
    fn says_what_is_wrong_and_where() {
        use Segment::{Index, Key};
        for (value, steps, message) in [
            (json!(1), vec![], "invalid type: integer `1`, expected struct Outer"),
            (json!([]), vec![], "invalid type: sequence, expected struct Outer"),
            (
                json!({"name": 1.5}),
                vec![Key("name".into())],
                "invalid type: floating point `1.5`, expected a string",
            ),
            (
                json!({"size": -1}),
                vec![Key("size".into())],
                "invalid value: integer `-1`, expected u32",
            ),
            (
                json!({"size": "sk-secret"}),
                vec![Key("size".into())],
                "invalid type: a string, expected u32",
            ),
            (json!({"on": null}), vec![Key("on".into())], "invalid type: null, expected a boolean"),
            (
                json!({"mode": "slow"}),
                vec![Key("mode".into())],
                "unknown variant `slow`, expected `fast`",
            ),
            (
                json!({"inner": [{}, {"words": ["a", {}]}]}),
                vec![Key("inner".into()), Index(1), Key("words".into()), Index(1)],
                "invalid type: map, expected a string",
            ),
            (
                json!({"inner": [{"word": 1}]}),
                vec![Key("inner".into()), Index(0), Key("word".into())],
                "unknown field `word`, expected `words`",
            ),
            (
                json!({"byName": {"a/b~": true}}),
                vec![Key("byName".into()), Key("a/b~".into())],
                "invalid type: boolean `true`, expected struct Inner",
            ),
        ] {
            let error = Outer::deserialize(Node(&value)).unwrap_err();
            assert_eq!((error.path(), error.message.as_str()), (steps, message), "{value}");
        }
    }
}
