//! The scanner reads what serde_json reads.

use serde_json::Value;
use tollgate_json::{Error, Kind, Limits, Scanner, Strings, Wanted};

use crate::cut;
use crate::pairs::Pairs;

const WANTED: &[Wanted] = &[Wanted { key: "model", keep: 64 }, Wanted { key: "stream", keep: 5 }];

/// What is told of strings: each with where it is.
#[derive(Debug, Default, Eq, PartialEq)]
struct Log(Vec<(bool, Option<usize>, String)>);

impl Strings for Log {
    fn begin(&mut self, is_key: bool, member: Option<usize>) {
        self.0.push((is_key, member, String::new()));
    }
    fn ascii(&mut self, run: &[u8]) {
        let Ok(run) = std::str::from_utf8(run) else { panic!("{run:?} is no ASCII") };
        self.last().push_str(run);
    }
    fn character(&mut self, character: u32) {
        let Some(character) = char::from_u32(character) else { panic!("{character} is none") };
        self.last().push(character);
    }
    fn end(&mut self) {
        self.last();
    }
}

impl Log {
    fn last(&mut self) -> &mut String {
        let Some((_, _, text)) = self.0.last_mut() else { panic!("no string has begun") };
        text
    }
}

/// The scanner takes what serde_json takes for an object, and finds the same members: whole or cut,
/// told of strings or not, stopping or not. What it takes out leaves the other members.
pub fn json_scanner(data: &[u8]) {
    let (at, document) = cut(data);
    let mut scanner = Scanner::new(WANTED, Limits::default());
    let result = scanner
        .push(&document[..at])
        .and_then(|()| scanner.push(&document[at..]))
        .and_then(|()| scanner.finish());
    let mut telling = Scanner::with_strings(WANTED, Limits::default(), Log::default());
    assert_eq!(telling.push(document).and_then(|()| telling.finish()), result);
    let stops = [&[][..], &[at]].map(|cuts| stops(document, cuts));
    assert_eq!(stops[0], stops[1]);
    let pairs = match serde_json::from_slice::<Pairs<Value>>(document) {
        Ok(pairs) => pairs.0,
        Err(error) => {
            // The differences that the crate documents.
            let error = error.to_string();
            let known = ["number out of range", "recursion limit exceeded"];
            assert!(result.is_err() || known.iter().any(|known| error.contains(known)), "{error}");
            return;
        }
    };
    assert_eq!(result, Ok::<(), Error>(()));
    let exact: u32 = (0..WANTED.len()).map(|index| scanner.member(index).exact).sum();
    assert_eq!(stops[0].len(), exact as usize);
    for (index, wanted) in WANTED.iter().enumerate() {
        let member = scanner.member(index);
        assert_eq!(member, telling.member(index));
        let mut values = pairs.iter().filter(|(key, _)| key == wanted.key).map(|(_, value)| value);
        let folded = |key: &str| key.replace('\u{17f}', "s").replace('\u{212a}', "k");
        let alike = pairs.iter().filter(|(key, _)| folded(key).eq_ignore_ascii_case(wanted.key));
        assert_eq!(member.count as usize, alike.count());
        assert_eq!(member.exact as usize, values.clone().count());
        match (values.next_back(), &member.range) {
            (None, None) => assert_eq!(member.kind, Kind::Absent),
            (Some(value), Some(range)) => {
                let raw = &document[range.clone()];
                assert_eq!(serde_json::from_slice::<Value>(raw).ok().as_ref(), Some(value));
                assert_eq!(member.raw(), (raw.len() <= wanted.keep).then_some(raw));
                // A string is told of first of all inside its member, the last time it occurs.
                if let Value::String(text) = value {
                    let told = telling.strings().0.iter().rfind(|(_, at, _)| *at == Some(index));
                    assert_eq!(told, Some(&(false, Some(index), text.clone())));
                }
            }
            (value, range) => panic!("{value:?} at {range:?}"),
        }
    }
    let told = telling.strings().0.iter();
    let keys: Vec<&String> =
        told.filter(|(is_key, at, _)| *is_key && at.is_none()).map(|(_, _, text)| text).collect();
    // Those of objects in members that are not wanted, too.
    let mut rest = keys.iter();
    assert!(pairs.iter().all(|(key, _)| rest.any(|told| *told == key)));
    for members in [&[0][..], &[1], &[0, 1]] {
        let once = |index: &usize| {
            let member = scanner.member(*index);
            member.count <= 1 && member.count == member.exact
        };
        if members.iter().all(once) {
            take_out(document, &pairs, &scanner, members);
        }
    }
}

/// Where the scanner stops behind wanted members.
fn stops(document: &[u8], cuts: &[usize]) -> Vec<usize> {
    let mut scanner = Scanner::new(WANTED, Limits::default());
    let mut stops = Vec::new();
    let mut at = 0;
    for cut in cuts.iter().chain([&document.len()]) {
        while at < *cut {
            let Ok(taken) = scanner.push_to_member(&document[at..*cut], 0b11) else {
                return stops;
            };
            at += taken;
            let ended = |index: usize| scanner.member(index).range.as_ref().map(|range| range.end);
            if (0..WANTED.len()).any(|index| ended(index) == Some(at)) {
                stops.push(at);
            } else {
                assert_eq!(at, *cut);
            }
        }
    }
    stops.dedup();
    stops
}

fn take_out(document: &[u8], pairs: &[(String, Value)], scanner: &Scanner, members: &[usize]) {
    let mut left = document.to_vec();
    for range in scanner.removals(members).into_iter().rev() {
        left.drain(range);
    }
    let gone = |key: &str| members.iter().any(|index| WANTED[*index].key == key);
    let expected: Vec<&(String, Value)> = pairs.iter().filter(|(key, _)| !gone(key)).collect();
    let found = match serde_json::from_slice::<Pairs<Value>>(&left) {
        Ok(found) => found.0,
        Err(error) => panic!("{error}: {}", String::from_utf8_lossy(&left)),
    };
    assert_eq!(found.iter().collect::<Vec<_>>(), expected);
}
