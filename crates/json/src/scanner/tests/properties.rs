//! The scanner and serde_json read any document alike, in any pieces.

use std::fmt;

use proptest::prelude::*;
use serde::de::{DeserializeSeed, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_json::Value;

use super::*;

/// The members of an object in order, repeats included, as serde_json reads them.
struct Pairs(Vec<(String, Value)>);

impl<'de> serde::Deserialize<'de> for Pairs {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Object;
        impl<'de> Visitor<'de> for Object {
            type Value = Pairs;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }
            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Pairs, A::Error> {
                let mut pairs = Vec::new();
                while let Some(pair) = map.next_entry()? {
                    pairs.push(pair);
                }
                Ok(Pairs(pairs))
            }
        }
        deserializer.deserialize_map(Object)
    }
}

/// Asserts that the scanner and serde_json agree on `document`.
fn agree(document: &[u8], cuts: &[usize]) {
    let text = String::from_utf8_lossy(document);
    let (result, scanner) = scan(document, cuts);
    let pairs = match serde_json::from_slice::<Pairs>(document) {
        Ok(Pairs(pairs)) => pairs,
        Err(error) => {
            // The differences that the crate's documentation names.
            let documented = ["number out of range", "recursion limit exceeded"];
            if !documented.iter().any(|known| error.to_string().contains(known)) {
                assert!(result.is_err(), "serde_json: {error}\n{text}\n{cuts:?}");
            }
            return;
        }
    };
    assert_eq!(result, Ok(()), "{text}\n{cuts:?}");
    strings_agree(document, cuts);
    for subset in 0..1 << WANTED.len() {
        let once = |n: &usize| {
            scanner.member(*n).count <= 1 && scanner.member(*n).exact == scanner.member(*n).count
        };
        let members: Vec<usize> =
            (0..WANTED.len()).filter(|n| subset & (1 << n) != 0).filter(once).collect();
        take_out(document, &pairs, &members);
        assert_eq!(stops(document, cuts, subset), stops(document, &[], subset), "{text}\n{cuts:?}");
    }
    for (index, wanted) in WANTED.iter().enumerate() {
        let member = scanner.member(index);
        let exact: Vec<&Value> =
            pairs.iter().filter(|(k, _)| k == wanted.key).map(|(_, v)| v).collect();
        let folded = |key: &str| key.replace('ſ', "s").replace('\u{212a}', "k");
        let count =
            pairs.iter().filter(|(k, _)| folded(k).eq_ignore_ascii_case(wanted.key)).count();
        assert_eq!(member.exact as usize, exact.len(), "{text}");
        assert_eq!(member.count as usize, count, "{text}");
        let Some(value) = exact.last() else {
            assert_eq!((member.kind, &member.range), (Kind::Absent, &None));
            continue;
        };
        let raw = &document[member.range.clone().unwrap()];
        assert_eq!(serde_json::from_slice::<Value>(raw).unwrap(), **value, "{text}");
        assert_eq!(member.raw(), (raw.len() <= wanted.keep).then_some(raw));
        if let Some(raw) = member.raw() {
            assert_eq!(crate::unescape(raw).as_deref(), value.as_str());
        }
    }
}

/// Notes what [`Log`] should, as serde_json reads a value; it drops no repeated key, as [`Value`] does.
struct Walk<'a> {
    inside: Option<usize>,
    log: &'a mut Vec<String>,
}

impl<'de> DeserializeSeed<'de> for Walk<'_> {
    type Value = ();
    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Walk<'_> {
    type Value = ();
    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("any value")
    }
    fn visit_bool<E>(self, _: bool) -> Result<(), E> {
        Ok(())
    }
    fn visit_i64<E>(self, _: i64) -> Result<(), E> {
        Ok(())
    }
    fn visit_u64<E>(self, _: u64) -> Result<(), E> {
        Ok(())
    }
    fn visit_f64<E>(self, _: f64) -> Result<(), E> {
        Ok(())
    }
    fn visit_unit<E>(self) -> Result<(), E> {
        Ok(())
    }
    fn visit_str<E>(self, text: &str) -> Result<(), E> {
        self.log.push(format!("value in {:?}: {text}", self.inside));
        Ok(())
    }
    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<(), A::Error> {
        let Self { inside, log } = self;
        while seq.next_element_seed(Walk { inside, log })?.is_some() {}
        Ok(())
    }
    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        let Self { inside, log } = self;
        while let Some(key) = map.next_key::<String>()? {
            log.push(format!("key in {inside:?}: {key}"));
            map.next_value_seed(Walk { inside, log })?;
        }
        Ok(())
    }
}

/// The members of the document's object, whose values are inside of them.
struct Members<'a>(&'a mut Vec<String>);

impl<'de> Visitor<'de> for Members<'_> {
    type Value = ();
    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }
    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        while let Some(key) = map.next_key::<String>()? {
            self.0.push(format!("key in None: {key}"));
            let inside = WANTED.iter().position(|wanted| wanted.key == key);
            map.next_value_seed(Walk { inside, log: &mut *self.0 })?;
        }
        Ok(())
    }
}

/// Asserts that the scanner tells of the strings of a document as serde_json reads them.
fn strings_agree(document: &[u8], cuts: &[usize]) {
    let (result, scanner) = scan_log(document, cuts);
    assert_eq!(result, Ok(()));
    let mut told = scanner.into_strings().0;
    told.retain(|line| line.starts_with("key") || line.starts_with("value"));
    let mut expected = Vec::new();
    let mut deserializer = serde_json::Deserializer::from_slice(document);
    deserializer.deserialize_map(Members(&mut expected)).unwrap();
    assert_eq!(told, expected, "{}\n{cuts:?}", String::from_utf8_lossy(document));
}

/// Asserts that `members` can be taken out of a document, and nothing else changes.
fn take_out(document: &[u8], pairs: &[(String, Value)], members: &[usize]) {
    let (_, scanner) = scan(document, &[]);
    let ranges = scanner.removals(members);
    assert!(ranges.is_sorted_by(|a, b| a.end < b.start), "ascending, apart: {ranges:?}");
    let mut left = document.to_vec();
    for range in ranges.iter().rev() {
        left.drain(range.clone());
    }
    let text = String::from_utf8_lossy(document);
    let gone = |key: &str| members.iter().any(|n| WANTED[*n].key == key);
    let expected: Vec<_> = pairs.iter().filter(|(key, _)| !gone(key)).cloned().collect();
    let found = serde_json::from_slice::<Pairs>(&left).unwrap().0;
    assert_eq!(found, expected, "{text} without {members:?}");
    // What is taken out is nothing but these members, commas and white space.
    let (_, rescanned) = scan(&left, &[]);
    for (n, wanted) in WANTED.iter().enumerate() {
        if !members.contains(&n) {
            let [before, after] = [&scanner, &rescanned].map(|s| s.member(n));
            let raw = |member: &Member, document: &[u8]| {
                member.range.clone().map(|range| document[range].to_vec())
            };
            assert_eq!(raw(before, document), raw(after, &left), "{}", wanted.key);
        }
    }
}

/// JSON text with the freedom that writers have: white space, escapes, number forms, repeated keys.
fn json() -> impl Strategy<Value = String> {
    let space = prop::sample::select(vec!["", "", "", " ", "\n\t", "\r\n  "]);
    let character = prop_oneof![
        8 => "[ -!#-\\[\\]-~]",
        1 => any::<char>().prop_filter("escaped elsewhere", |c| !"\"\\".contains(*c) && *c >= ' ')
            .prop_map(String::from),
        2 => prop::sample::select(vec![r#"\""#, r"\\", r"\/", r"\b", r"\n", r"\u0065",
            r"\u00E9", r"\ud83d\ude00", r"\u0000"]).prop_map(String::from),
    ];
    let string =
        prop::collection::vec(character, 0..40).prop_map(|c| format!("\"{}\"", c.concat()));
    let key = prop_oneof![
        2 => string.clone(),
        3 => prop::sample::select(vec![r#""model""#, r#""mod\u0065l""#, r#""Model""#,
            r#""stream""#, "\"\u{17f}tream\"", r#""max_tokens""#, r#""max_to\u212aens""#])
            .prop_map(String::from),
    ];
    let leaf = prop_oneof![
        string,
        prop::sample::select(vec!["true", "false", "null", "0", "-0.5e+3", "12", "1E9"])
            .prop_map(String::from),
        any::<i64>().prop_map(|n| n.to_string()),
    ];
    let spaced = move |text: BoxedStrategy<String>| {
        (space.clone(), text, space.clone()).prop_map(|(a, b, c)| format!("{a}{b}{c}"))
    };
    let object = move |value: BoxedStrategy<String>| {
        let pair = (spaced(key.clone().boxed()), spaced(value))
            .prop_map(|(key, value)| format!("{key}:{value}"));
        prop::collection::vec(pair, 0..6).prop_map(|pairs| format!("{{{}}}", pairs.join(",")))
    };
    let nested = object.clone();
    let value = leaf.prop_recursive(4, 24, 5, move |value| {
        prop_oneof![
            prop::collection::vec(value.clone(), 0..5).prop_map(|v| format!("[{}]", v.join(","))),
            nested(value.boxed()),
        ]
    });
    object(value.boxed())
}

/// Cuts of a document of any length: reduced to it.
fn cut(document: &[u8], mut cuts: Vec<usize>) -> Vec<usize> {
    cuts.iter_mut().for_each(|cut| *cut %= document.len() + 1);
    cuts.sort_unstable();
    cuts
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(512) })]

    #[test]
    fn agrees_with_serde_json(text in json(), cuts in prop::collection::vec(any::<usize>(), 0..5)) {
        agree(text.as_bytes(), &cut(text.as_bytes(), cuts));
    }

    #[test]
    fn agrees_with_serde_json_on_broken_documents(
        text in json(),
        edits in prop::collection::vec((any::<usize>(), 0..4, prop::sample::select(
            b"{}[]\",:\\ut0-+.eE19 \n\x00\x1f\x7f\x80\xc3\xa9\xed\xa0\xe2\x82\xf0\x9f\xff".to_vec(),
        )), 1..4),
        cuts in prop::collection::vec(any::<usize>(), 0..5),
    ) {
        let mut document = text.into_bytes();
        for (at, edit, byte) in edits {
            let at = at % (document.len() + 1);
            match edit {
                0 => document.insert(at, byte),
                3 if at + 1 < document.len() => document.swap(at, at + 1),
                1 if at < document.len() => { document.remove(at); }
                _ if at < document.len() => document[at] = byte,
                _ => document.truncate(at / 2),
            }
        }
        agree(&document, &cut(&document, cuts));
    }

    #[test]
    fn agrees_with_serde_json_on_any_bytes(document: Vec<u8>) {
        agree(&document, &[]);
        let text = [b"{\"model\":\"", document.as_slice(), b"\"}"].concat();
        agree(&text, &[]);
    }

    /// Strings that are longer than what is looked at at once, with escapes at any place, good and bad.
    #[test]
    fn agrees_with_serde_json_on_long_strings(
        parts in prop::collection::vec(prop_oneof![
            4 => "[a-z ]{0,40}".prop_map(String::into_bytes),
            4 => prop::sample::select(vec![&br"\n"[..], br#"\""#, br"\\", br"\\\\", br"\u00e9", "é哪😀".as_bytes()])
                .prop_map(<[u8]>::to_vec),
            2 => "[äß哪。😀 -!#-\\[\\]-~]{0,40}".prop_map(String::into_bytes),
            1 => any::<u8>().prop_map(|byte| vec![byte]),
            1 => any::<u8>().prop_map(|byte| vec![b'\\', byte]),
        ], 0..40),
        cuts in prop::collection::vec(any::<usize>(), 0..3),
    ) {
        let document = [b"{\"a\":\"", parts.concat().as_slice(), b"\",\"model\":\"x\"}"].concat();
        agree(&document, &cut(&document, cuts));
    }

    #[test]
    fn agrees_with_serde_json_on_documents_in_each_other(
        (one, other) in (json(), json()),
        (at, from, len) in any::<(usize, usize, usize)>(),
        cuts in prop::collection::vec(any::<usize>(), 0..5),
    ) {
        let (mut document, other) = (one.into_bytes(), other.into_bytes());
        let from = from % other.len();
        let part = &other[from..from + len % (other.len() - from + 1)];
        let at = at % (document.len() + 1);
        document.splice(at..at, part.iter().copied());
        agree(&document, &cut(&document, cuts));
    }
}
