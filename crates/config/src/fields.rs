//! From a JSON value to a raw struct by a table of its fields.
//!
//! The same answers as with serde ([`crate::read()`]), for a filter with many fields: there each field of each
//! struct is code for itself, here one function goes through the members of any object. With all mistakes in
//! one go, too.

use crate::Reader;
use crate::json::Json;
use crate::problem::nearest;

/// What can be read from a value of a configuration.
pub trait FromValue: Sized {
    /// The value; `None` if it is of another type, which is noted then. What is wrong inside is noted and left
    /// at its default.
    fn from_value(value: &Json, place: &mut Place<'_>) -> Option<Self>;
}

/// Where a value is in the configuration.
#[derive(Debug)]
pub struct Place<'a> {
    pub(crate) reader: &'a mut Reader,
    pub(crate) path: String,
}

impl Place<'_> {
    /// Notes that `value` is not what is `expected` here.
    #[cold]
    #[inline(never)]
    pub fn expected(&mut self, value: &Json, expected: &str) {
        let is_float = |number: &str| number.contains(['.', 'e', 'E']);
        let kind = match value {
            Json::Number(number) if !is_float(number) && expected.starts_with('u') => "value",
            _ => "type",
        };
        // Of a string, which may be a secret, only that it is one.
        let found = match value {
            Json::Null => "null".to_owned(),
            Json::Bool(value) => format!("boolean `{value}`"),
            Json::Number(number) if is_float(number) => format!("floating point `{number}`"),
            Json::Number(number) => format!("integer `{number}`"),
            Json::String(_) => "a string".to_owned(),
            Json::Array(_) => "sequence".to_owned(),
            Json::Object(_) => "map".to_owned(),
        };
        self.problem(format!("invalid {kind}: {found}, expected {expected}"));
    }

    fn problem(&mut self, message: String) {
        self.reader.take_out(self.path.clone(), message);
    }

    #[cold]
    #[inline(never)]
    fn unknown(&mut self, found: &str, fields: &[&str]) {
        let mut message = format!("unknown field `{found}`, expected ");
        message.push_str(match fields {
            [_, _, _, ..] => "one of `",
            _ => "`",
        });
        message.push_str(&fields.join(if fields.len() == 2 { "` or `" } else { "`, `" }));
        message.push('`');
        if let Some(near) = nearest(found, fields.iter().copied()) {
            message = format!("{message}; did you mean `{near}`?");
        }
        self.problem(message);
    }

    /// Goes on with element `index` of a list.
    fn at_index(&mut self, index: usize, read: &mut dyn FnMut(&mut Self)) {
        let before = self.path.len();
        self.path.push_str(&format!("[{index}]"));
        read(self);
        self.path.truncate(before);
    }

    /// Goes on with member `key` of an object.
    fn at_key(&mut self, key: &str, read: &mut dyn FnMut(&mut Self)) {
        let before = self.path.len();
        if before > 0 {
            self.path.push('.');
        }
        self.path.push_str(key);
        read(self);
        self.path.truncate(before);
    }
}

/// Goes through the members of an object: `each` is told of those that are among `fields`, all others are
/// noted. False, and noted, if `value` is no object.
pub fn object(
    value: &Json,
    name: &str,
    fields: &[&str],
    place: &mut Place<'_>,
    each: &mut dyn FnMut(&str, &Json, &mut Place<'_>),
) -> bool {
    let Json::Object(members) = value else {
        place.expected(value, name);
        return false;
    };
    let mut seen = 0_u64;
    for (key, value) in members {
        let field = fields.iter().position(|field| field == key);
        // More fields than bits have none.
        let bit = field.and_then(|field| 1_u64.checked_shl(u32::try_from(field).ok()?));
        let bit = bit.unwrap_or_default();
        place.at_key(key, &mut |place| {
            if seen & bit != 0 {
                place.problem("this field is there twice".to_owned());
            } else if field.is_some() {
                seen |= bit;
                each(key, value, place);
            } else {
                place.unknown(key, fields);
            }
        });
    }
    true
}

/// Reads `value` into `field`, which keeps its default if that cannot be.
#[inline(never)]
pub fn set<T: FromValue>(field: &mut T, value: &Json, place: &mut Place<'_>) {
    if let Some(value) = T::from_value(value, place) {
        *field = value;
    }
}

/// Implements [`FromValue`] for a struct with a default, of fields and the keys they are read from. Other keys
/// are mistakes.
#[macro_export]
macro_rules! fields {
    ($name:ident { $($field:ident: $key:literal),* $(,)? }) => {
        impl $crate::FromValue for $name {
            fn from_value(
                value: &$crate::Json,
                place: &mut $crate::Place<'_>,
            ) -> ::core::option::Option<Self> {
                let mut raw = <Self as ::core::default::Default>::default();
                let name = concat!("struct ", stringify!($name));
                $crate::object(value, name, &[$($key),*], place, &mut |key, value, place| {
                    $(if key == $key {
                        $crate::set(&mut raw.$field, value, place);
                    })*
                })
                .then_some(raw)
            }
        }
    };
}

impl FromValue for String {
    fn from_value(value: &Json, place: &mut Place<'_>) -> Option<Self> {
        let Json::String(text) = value else {
            place.expected(value, "a string");
            return None;
        };
        Some(text.clone())
    }
}

impl FromValue for bool {
    fn from_value(value: &Json, place: &mut Place<'_>) -> Option<Self> {
        let Json::Bool(found) = value else {
            place.expected(value, "a boolean");
            return None;
        };
        Some(*found)
    }
}

impl FromValue for u64 {
    fn from_value(value: &Json, place: &mut Place<'_>) -> Option<Self> {
        let found = match value {
            Json::Number(number) => number.parse().ok(),
            _ => None,
        };
        if found.is_none() {
            place.expected(value, "u64");
        }
        found
    }
}

/// A number in thousandths, such as 1150 for `1.15`; further digits are cut off.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Thousandths(pub u64);

impl FromValue for Thousandths {
    fn from_value(value: &Json, place: &mut Place<'_>) -> Option<Self> {
        let found = match value {
            Json::Number(number) => thousandths(number),
            _ => None,
        };
        if found.is_none() {
            place.expected(value, "a number such as 1.15");
        }
        found.map(Self)
    }
}

/// Of a decimal without sign and exponent.
fn thousandths(number: &str) -> Option<u64> {
    let (whole, part) = number.split_once('.').unwrap_or((number, ""));
    let digits = part.bytes().chain(*b"000").take(3);
    let mut part = digits.map(|digit| char::from(digit).to_digit(10).map(u64::from));
    let start = whole.parse::<u64>().ok()?;
    part.try_fold(start, |sum, digit| sum.checked_mul(10)?.checked_add(digit?))
}

#[cfg(feature = "schema")]
impl schemars::JsonSchema for Thousandths {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Thousandths".into()
    }

    fn json_schema(generator: &mut schemars::SchemaGenerator) -> schemars::Schema {
        f64::json_schema(generator)
    }
}

impl<T: FromValue> FromValue for Option<T> {
    fn from_value(value: &Json, place: &mut Place<'_>) -> Option<Self> {
        match value {
            Json::Null => Some(None),
            value => T::from_value(value, place).map(Some),
        }
    }
}

/// What cannot be read leaves its default, so that the places of the others stay.
impl<T: FromValue + Default> FromValue for Vec<T> {
    fn from_value(value: &Json, place: &mut Place<'_>) -> Option<Self> {
        let Json::Array(elements) = value else {
            place.expected(value, "a sequence");
            return None;
        };
        let mut list = Self::with_capacity(elements.len());
        for (index, value) in elements.iter().enumerate() {
            place.at_index(index, &mut |place| {
                list.push(T::from_value(value, place).unwrap_or_default());
            });
        }
        Some(list)
    }
}

/// The most of [`ByName`], each of which is compared with all others.
const MOST_NAMES: usize = 5000;

/// Values by names of the operator's choice, in order, each name once.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct ByName<T>(pub Vec<(String, T)>);

impl<T> Default for ByName<T> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

impl<T: FromValue> FromValue for ByName<T> {
    fn from_value(value: &Json, place: &mut Place<'_>) -> Option<Self> {
        let Json::Object(members) = value else {
            place.expected(value, "a map");
            return None;
        };
        if members.len() > MOST_NAMES {
            let found = members.len();
            place.problem(format!("{found} names, expected at most {MOST_NAMES}"));
            return None;
        }
        let mut list: Vec<(String, T)> = Vec::new();
        for (key, value) in members {
            place.at_key(key, &mut |place| {
                if list.iter().any(|(name, _)| name == key) {
                    place.problem("this name is there twice".to_owned());
                } else if let Some(value) = T::from_value(value, place) {
                    list.push((key.clone(), value));
                }
            });
        }
        Some(Self(list))
    }
}

#[cfg(test)]
mod tests {
    use serde::Deserialize;
    use serde_json::{Value, json};

    use super::*;

    #[derive(Debug, Default, Deserialize, PartialEq)]
    #[serde(rename_all = "camelCase", deny_unknown_fields, default)]
    struct Outer {
        name: Option<String>,
        size: Option<u64>,
        on: bool,
        inner: Vec<Inner>,
        #[serde(deserialize_with = "by_name")]
        by_name: ByName<Inner>,
    }

    #[derive(Debug, Default, Deserialize, PartialEq)]
    #[serde(rename_all = "camelCase", deny_unknown_fields, default)]
    struct Inner {
        words: Vec<String>,
        two: Option<Two>,
    }

    #[derive(Debug, Default, Deserialize, PartialEq)]
    #[serde(deny_unknown_fields, default)]
    struct Two {
        only: Option<String>,
    }

    fn by_name<'de, D: serde::Deserializer<'de>>(of: D) -> Result<ByName<Inner>, D::Error> {
        let map = std::collections::BTreeMap::deserialize(of)?;
        Ok(ByName(map.into_iter().collect()))
    }

    fields!(Outer { name: "name", size: "size", on: "on", inner: "inner", by_name: "byName" });
    fields!(Inner { words: "words", two: "two" });
    fields!(Two { only: "only" });

    fn problems(reader: Reader) -> Vec<String> {
        reader.finish().map_or_else(
            |problems| problems.list.iter().map(ToString::to_string).collect(),
            |_| Vec::new(),
        )
    }

    #[test]
    fn a_table_reads_what_serde_reads_and_says_the_same() {
        for (config, mistakes) in [
            (json!({}), 0),
            (json!({"name": null, "size": 0, "on": true}), 0),
            (json!({"name": "a", "size": u64::MAX, "inner": [], "byName": {}}), 0),
            (json!({"inner": [{"words": ["a", "b"], "two": {"only": "x"}}, {"two": null}]}), 0),
            (json!([]), 1),
            (json!({"name": 1, "size": "sk-secret", "on": null}), 3),
            (json!({"size": -1, "inner": {}, "byName": []}), 3),
            (json!({"size": 1.5, "nam": 1, "entirelyUnknown": [1]}), 3),
            (json!({"inner": [1, {"words": ["a", {}, "b"], "word": 1}, {"two": {"one": 1}}]}), 4),
            (json!({"byName": {"a": {"words": 1}, "b": 7, "c": {"two": [{}]}}}), 3),
            (Value::Array(vec![Value::Null]), 1),
        ] {
            let bytes = config.to_string();
            let (by_serde, serde_reader) = crate::read::<Outer>("test", bytes.as_bytes());
            let (by_table, reader) = crate::read_fields::<Outer>("test", bytes.as_bytes());
            assert_eq!(by_table, by_serde, "{config}");
            // Here in the order of the file, there in another: what is mistaken is taken out, and read again.
            let (mut found, mut expected) = (problems(reader), problems(serde_reader));
            assert_eq!(found.len(), mistakes, "{found:?}");
            found.sort();
            expected.sort();
            assert_eq!(found, expected, "{config}");
        }
        for bytes in ["", " \n", "{", "{} {}"] {
            let (_, serde_reader) = crate::read::<Outer>("test", bytes.as_bytes());
            let (_, reader) = crate::read_fields::<Outer>("test", bytes.as_bytes());
            let (found, expected) = (problems(reader), problems(serde_reader));
            assert_eq!(found.len(), expected.len(), "{bytes:?}");
            assert!(found.iter().all(|found| found.starts_with("not valid JSON: ")), "{found:?}");
        }
    }

    #[test]
    fn a_field_or_a_name_twice_is_a_mistake() {
        let config = br#"{"on": true, "on": false, "byName": {"a": {}, "a": {}}}"#;
        let (raw, reader) = crate::read_fields::<Outer>("test", config);
        assert!(raw.on);
        let expected = ["on: this field is there twice", "byName.a: this name is there twice"];
        assert_eq!(problems(reader), expected);
    }

    #[test]
    fn a_decimal_is_read_in_thousandths() {
        for (number, expected) in [
            ("1", Some(1000)),
            ("1.15", Some(1150)),
            ("0.0019", Some(1)),
            ("10.5", Some(10_500)),
            ("-1", None),
            ("1e3", None),
            ("99999999999999999999", None),
            ("18446744073709551615", None),
        ] {
            assert_eq!(thousandths(number), expected, "{number}");
        }
    }

    #[test]
    fn no_more_mistakes_are_listed_than_anybody_reads() {
        let config = json!({"inner": vec![1; 1000]}).to_string();
        let (raw, reader) = crate::read_fields::<Outer>("test", config.as_bytes());
        assert_eq!((raw.inner.len(), problems(reader).len()), (1000, 50));
    }
}
