//! Tables for single rules; properties against serde_json for everything else, in `tests/properties.rs`.

use super::*;
use crate::Kind;

mod properties;
mod wide;

const WANTED: &[Wanted] = &[
    Wanted { key: "model", keep: 64 },
    Wanted { key: "stream", keep: 5 },
    Wanted { key: "max_tokens", keep: 20 },
];

/// Scans `document` cut at `cuts` (ascending).
fn scan(document: &[u8], cuts: &[usize]) -> (Result<(), Error>, Scanner) {
    let mut scanner = Scanner::new(WANTED, Limits::default());
    let mut from = 0;
    for &cut in cuts.iter().chain([&document.len()]) {
        if let Err(error) = scanner.push(&document[from..cut.max(from)]) {
            return (Err(error), scanner);
        }
        from = cut.max(from);
    }
    (scanner.finish(), scanner)
}

/// Scans whole, by byte, and at every two-way cut; asserts that it makes no difference.
fn scan_all_ways(document: &[u8]) -> (Result<(), Error>, Scanner) {
    let (result, whole) = scan(document, &[]);
    let bytes: Vec<usize> = (0..document.len()).collect();
    let mut ways: Vec<Vec<usize>> = (0..document.len()).map(|cut| vec![cut]).collect();
    ways.push(bytes);
    for cuts in ways {
        let (other, scanner) = scan(document, &cuts);
        let text = String::from_utf8_lossy(document);
        assert_eq!(other, result, "{text} cut at {cuts:?}");
        if result.is_ok() {
            assert_eq!(scanner.members, whole.members, "{text} cut at {cuts:?}");
            assert_eq!(scanner.object_start, whole.object_start, "{text} cut at {cuts:?}");
        }
    }
    (result, whole)
}

#[test]
fn wanted_keys_may_have_upper_case() {
    const TOOLS: &[Wanted] = &[Wanted { key: "toolConfig", keep: 9 }];
    let mut scanner = Scanner::new(TOOLS, Limits::default());
    scanner.push(br#"{"toolConfig":1,"toolconfig":2,"TOOLCONFIG":3,"toolConfi":4}"#).unwrap();
    scanner.finish().unwrap();
    let member = scanner.member(0);
    assert_eq!((member.count, member.exact, member.raw()), (3, 1, Some(&b"1"[..])));
}

#[test]
fn finds_members_of_the_top_level_only() {
    let document = br#" {"a":{"model":1,"b":[{"model":2}]}, "model" : "gpt-4o" ,"stream":true}"#;
    let (result, scanner) = scan_all_ways(document);
    assert_eq!(result, Ok(()));
    let model = scanner.member(0);
    assert_eq!((model.count, model.exact, model.kind), (1, 1, Kind::String));
    assert_eq!(model.raw(), Some(&br#""gpt-4o""#[..]));
    assert_eq!(model.text().as_deref(), Some("gpt-4o"));
    assert_eq!(&document[model.range.clone().unwrap()], br#""gpt-4o""#);
    assert_eq!((scanner.member(1).kind, scanner.member(1).raw()), (Kind::Bool, Some(&b"true"[..])));
    assert_eq!(*scanner.member(2), Member::default());
    assert_eq!(scanner.member(99).kind, Kind::Absent);
    assert_eq!(scanner.object_start(), Some(2));
}

#[test]
fn counts_keys_that_some_parser_takes_for_the_same() {
    for (document, count, exact) in [
        (r#"{}"#, 0, 0),
        (r#"{"model":1,"model":2}"#, 2, 2),
        (r#"{"mod\u0065l":1}"#, 1, 1),
        (r#"{"Model":1,"MODEL":2,"model":3}"#, 3, 1),
        (r#"{"\u004dodel":1}"#, 1, 0),
        (r#"{"models":1,"mode":2,"model ":3,"":4,"model\u0000":5}"#, 0, 0),
        (r#"{"mödel":1,"m\u00f6del":1,"\ud83d\ude00model":1}"#, 0, 0),
    ] {
        let (result, scanner) = scan_all_ways(document.as_bytes());
        let model = scanner.member(0);
        assert_eq!((result, model.count, model.exact), (Ok(()), count, exact), "{document}");
    }
    // Go folds these two letters into ASCII.
    let (_, scanner) = scan_all_ways("{\"\u{17f}tream\":1,\"max_to\\u212Aens\":1}".as_bytes());
    assert_eq!((scanner.member(1).count, scanner.member(1).exact), (1, 0));
    assert_eq!((scanner.member(2).count, scanner.member(2).exact), (1, 0));
}

#[test]
fn keeps_no_more_of_a_value_than_wanted() {
    let (_, scanner) = scan_all_ways(br#"{"stream":false,"max_tokens":123456789012345678901}"#);
    assert_eq!(scanner.member(1).raw(), Some(&b"false"[..]));
    let long = scanner.member(2);
    assert_eq!((long.kind, long.raw(), long.too_long()), (Kind::Number, None, true));
    assert_eq!(long.range, Some(29..50));
    // A later occurrence begins anew.
    let (_, scanner) = scan_all_ways(br#"{"stream":[1,2,3,4,5],"stream":{}}"#);
    assert_eq!((scanner.member(1).kind, scanner.member(1).raw()), (Kind::Object, Some(&b"{}"[..])));
}

#[test]
fn names_the_offending_byte() {
    let syntax = |offset| Err(Error::Syntax { offset });
    for (document, expected) in [
        ("", Err(Error::Incomplete)),
        (" \n", Err(Error::Incomplete)),
        ("{", Err(Error::Incomplete)),
        (r#"{"a":"b"#, Err(Error::Incomplete)),
        ("[]", Err(Error::NotAnObject)),
        ("null", Err(Error::NotAnObject)),
        ("\u{feff}{}", Err(Error::NotAnObject)),
        (r#"{"a":1}}"#, syntax(7)),
        (r#"{"a":1} x"#, syntax(8)),
        (r#"{"a":1,}"#, syntax(7)),
        (r#"{,"a":1}"#, syntax(1)),
        (r#"{"a" 1}"#, syntax(5)),
        (r#"{a:1}"#, syntax(1)),
        (r#"{"a":[1,]}"#, syntax(8)),
        (r#"{"a":[1}}"#, syntax(7)),
        (r#"{"a":01}"#, syntax(6)),
        (r#"{"a":1.}"#, syntax(7)),
        (r#"{"a":-}"#, syntax(6)),
        (r#"{"a":1e}"#, syntax(7)),
        (r#"{"a":+1}"#, syntax(5)),
        (r#"{"a":tru}"#, syntax(8)),
        (r#"{"a":nulll}"#, syntax(9)),
        (r#"{"a":NaN}"#, syntax(5)),
        ("{\"a\":\"plain\n\"}", syntax(11)),
        (r#"{"a":"\x"}"#, syntax(7)),
        (r#"{"a":"\u12g4"}"#, syntax(10)),
        (r#"{"a":"\ud83d"}"#, syntax(12)),
        (r#"{"a":"\ud83d\n"}"#, syntax(13)),
        (r#"{"a":"\ude00"}"#, syntax(11)),
        (r#"{'a':1}"#, syntax(1)),
    ] {
        assert_eq!(scan_all_ways(document.as_bytes()).0, expected, "{document}");
    }
    for (document, offset) in
        [(&b"{\"a\":\"\xff\"}"[..], 6), (b"{\"a\":\"\xc3\"}", 7), (b"{\"\xed\xa0\x80\":1}", 3)]
    {
        assert_eq!(scan_all_ways(document).0, syntax(offset), "{document:?}");
    }
}

#[test]
fn stops_at_the_depth_limit_and_not_before() {
    for (depth, most) in [(1, 1), (2, 1), (65, 65), (66, 65), (1024, 1024), (1025, 2000)] {
        let document = format!("{{\"a\":{}{}}}", "[".repeat(depth - 1), "]".repeat(depth - 1));
        let document = if depth == 1 { "{}".into() } else { document };
        let mut scanner = Scanner::new(WANTED, Limits { depth: most });
        let result = scanner.push(document.as_bytes()).and_then(|()| scanner.finish());
        let expected = match usize::from(most.min(Limits::MOST_DEPTH)) {
            most if depth <= most => Ok(()),
            most => Err(Error::TooDeep { offset: most + 4 }),
        };
        assert_eq!(result, expected, "{depth} levels, limit {most}");
    }
}

#[test]
fn an_error_stays() {
    let mut scanner = Scanner::new(WANTED, Limits::default());
    let error = Err(Error::Syntax { offset: 1 });
    assert_eq!(scanner.push(b"{x"), error);
    assert_eq!(scanner.push(b"{}"), error);
    assert_eq!(scanner.finish(), error);
}

#[test]
fn takes_members_out_with_their_commas() {
    const MODEL: usize = 0;
    const STREAM: usize = 1;
    for (document, members, expected) in [
        (r#"{"model":1}"#, &[MODEL][..], "{}"),
        (r#"{ "model" : 1 }"#, &[MODEL], "{  }"),
        (r#"{"model":1,"b":2}"#, &[MODEL], r#"{"b":2}"#),
        (r#"{"a":1,"model":1}"#, &[MODEL], r#"{"a":1}"#),
        (r#"{"a":1,"model":[1,{"x":","}],"b":2}"#, &[MODEL], r#"{"a":1,"b":2}"#),
        (
            "{\n  \"a\": 1,\n  \"model\": 1,\n  \"b\": 2\n}",
            &[MODEL],
            "{\n  \"a\": 1,\n  \"b\": 2\n}",
        ),
        ("{\n  \"model\": 1,\n  \"b\": 2\n}", &[MODEL], "{\n  \"b\": 2\n}"),
        (r#"{"model":1,"stream":2,"b":3}"#, &[STREAM, MODEL], r#"{"b":3}"#),
        (r#"{"model":1,"stream":2,"b":3}"#, &[STREAM], r#"{"model":1,"b":3}"#),
        (r#"{"model":1,"stream":2}"#, &[MODEL, STREAM], "{}"),
        (r#"{"model":1,"a":0,"stream":2}"#, &[MODEL, STREAM], r#"{"a":0}"#),
        (r#"{"a":0 , "model":1 , "stream":2 }"#, &[MODEL, STREAM, MODEL], r#"{"a":0 }"#),
        (r#"{"a":0}"#, &[MODEL, 99], r#"{"a":0}"#),
    ] {
        let (result, scanner) = scan_all_ways(document.as_bytes());
        assert_eq!(result, Ok(()));
        let mut left = document.to_string();
        for range in scanner.removals(members).into_iter().rev() {
            left.replace_range(range, "");
        }
        assert_eq!(left, expected, "{document}");
    }
}

/// Where the scanner stops for the wanted members in `stop`, when cut at `cuts`.
fn stops(document: &[u8], cuts: &[usize], stop: u32) -> Vec<usize> {
    let mut scanner = Scanner::new(WANTED, Limits::default());
    let mut stops = Vec::new();
    let mut at = 0;
    for &cut in cuts.iter().chain([&document.len()]) {
        while at < cut {
            let Ok(taken) = scanner.push_to_member(&document[at..cut], stop) else { return stops };
            at += taken;
            let ended = |n: usize| scanner.member(n).range.as_ref().is_some_and(|r| r.end == at);
            if (0..WANTED.len()).any(|n| stop & (1 << n) != 0 && ended(n)) {
                stops.push(at);
            } else {
                assert_eq!(at, cut, "it went on to the end of the piece");
            }
        }
    }
    stops.dedup();
    stops
}

#[test]
fn stops_behind_the_members_asked_for_however_cut() {
    let document = br#"{"stream":1 ,"a":"model","model":"x","max_tokens":[{"model":2}],"model":3}"#;
    for cut in 0..document.len() {
        assert_eq!(stops(document, &[cut], 0b101), [36, 63, 73], "{cut}");
        assert_eq!(stops(document, &[cut], 0b010), [11], "{cut}");
        assert!(stops(document, &[cut], 0).is_empty(), "{cut}");
    }
    let bytes: Vec<usize> = (0..document.len()).collect();
    assert_eq!(stops(document, &bytes, 0b111), [11, 36, 63, 73]);
}

/// Writes down what it is told.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
struct Log(Vec<String>, String);

impl Strings for Log {
    fn begin(&mut self, is_key: bool, member: Option<usize>) {
        self.1 = format!("{} in {member:?}: ", if is_key { "key" } else { "value" });
    }
    fn ascii(&mut self, run: &[u8]) {
        assert!(!run.is_empty());
        self.1.push_str(std::str::from_utf8(run).unwrap());
    }
    fn character(&mut self, character: u32) {
        self.1.push(char::from_u32(character).unwrap());
    }
    fn end(&mut self) {
        self.0.push(std::mem::take(&mut self.1));
    }
    fn open(&mut self, member: usize, kind: Kind, depth: u16) {
        self.0.push(format!("{kind:?} in {member} at {depth}"));
    }
    fn number(&mut self, member: usize, depth: u16) {
        self.0.push(format!("number in {member} at {depth}"));
    }
}

fn scan_log(document: &[u8], cuts: &[usize]) -> (Result<(), Error>, Scanner<Log>) {
    let mut scanner = Scanner::with_strings(WANTED, Limits::default(), Log::default());
    let mut from = 0;
    for &cut in cuts.iter().chain([&document.len()]) {
        if let Err(error) = scanner.push(&document[from..cut]) {
            return (Err(error), scanner);
        }
        from = cut;
    }
    (scanner.finish(), scanner)
}

#[test]
fn tells_of_strings_and_where_they_are_however_cut() {
    let document = concat!(
        r#"{"a\u0062":["\ud83d\ude00é",1],"model":{"k\n":["v",-1]},"stream":"","#,
        r#""max_tokens":12,"b":[]}"#
    );
    let expected = [
        "key in None: ab",
        "value in None: \u{1f600}é",
        "key in None: model",
        "Object in 0 at 1",
        "key in Some(0): k\n",
        "Array in 0 at 2",
        "value in Some(0): v",
        "number in 0 at 2",
        "key in None: stream",
        "value in Some(1): ",
        "key in None: max_tokens",
        "number in 2 at 0",
        "key in None: b",
    ];
    for cut in 0..document.len() {
        let (result, scanner) = scan_log(document.as_bytes(), &[cut]);
        assert_eq!(result, Ok(()));
        assert_eq!(scanner.strings().0, expected, "cut at {cut}");
    }
}

/// Documents with everything that a cut could go through, short enough to be cut at every two places.
#[test]
fn any_two_cuts_make_no_difference() {
    for document in [
        r#"{"model":"\ud83d\ude00\"é😀","stream":true}"#,
        r#"{"s":["\\","\u00e9\n","",""],"max_tokens":-1.5e+7}"#,
        r#" { "a\"" : { "model" : null } , "model" : [ 1 , "x" ] } "#,
        r#"{"a":"b","c":["d","e"],"mod\u0065l":{"f":"g"},"h":0}"#,
        r#"{"model":"x","Model":12,"model":tru}"#,
        r#"{"model":"x","a":"\ud83dx"}"#,
    ] {
        let document = document.as_bytes();
        let (expected, whole) = scan_log(document, &[]);
        for first in 0..document.len() {
            for second in first..document.len() {
                let (result, scanner) = scan_log(document, &[first, second]);
                let text = String::from_utf8_lossy(document);
                assert_eq!(result, expected, "{text} cut at {first} and {second}");
                if result.is_ok() {
                    assert_eq!(scanner.members, whole.members, "{text} cut at {first}, {second}");
                    assert_eq!(
                        scanner.strings.0, whole.strings.0,
                        "{text} cut at {first}, {second}"
                    );
                }
            }
        }
    }
}
