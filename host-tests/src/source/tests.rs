//! Places in files of every style, and files that would hang a reader.

use std::io::Write as _;
use std::time::{Duration, Instant};

use super::*;

fn source(text: &str) -> Source {
    Source::new(Path::new("f.yaml"), text.into()).unwrap()
}

/// The place of `message` about `path`, as `line:column`.
fn place(text: &str, path: &str, message: &str) -> String {
    let mistake = source(text).locate(problem(path, message));
    mistake.position.map_or_else(|| "-".to_owned(), |p| format!("{}:{}", p.line, p.column))
}

#[test]
fn every_style_of_yaml_has_places() {
    let block = "a: 1\nlist:\n  - x: 2\n    dotted.name: [3, {y: 4}]\n  -  z: |\n      text\n";
    let anchors = "base: &base\n  status: 200\nuse: *base\nlist: [*base, &l [7]]\nagain: *l\n";
    let json = "{\n\t\"a\": {\"b\": [1,\n\t\t\"two\"]}\n}\n";
    for (name, text, path, message, expected) in [
        ("value", block, "a", "found 1", "1:4"),
        ("key of an unknown field", block, "list[0].x", "unknown field `x`", "3:5"),
        ("the value of the same", block, "list[0].x", "found 2", "3:8"),
        ("a key with a dot", block, "list[0].dotted.name", "found", "4:18"),
        ("flow style inside", block, "list[0].dotted.name[1].y", "found 4", "4:26"),
        ("block scalar: where its text begins", block, "list[1].z", "found", "6:7"),
        ("a missing field is its parent's", block, "list[1].missing", "missing", "5:6"),
        ("behind a scalar", block, "a.b.c", "found", "1:4"),
        ("outside of a list", block, "list[9].x", "found", "3:3"),
        ("the whole", block, "", "missing field `q`", "1:1"),
        ("alias", anchors, "use", "found", "3:6"),
        ("inside an alias: where it is written", anchors, "use.status", "found", "2:11"),
        ("alias in a list", anchors, "list[0].status", "found", "2:11"),
        ("element by alias", anchors, "again[0]", "found", "4:19"),
        ("json with tabs", json, "a.b[1]", "found", "3:3"),
        ("json key", json, "a.b", "unknown field `b`", "2:8"),
        ("another case, as header names have", "h: {X-A: 1}", "h.x-a", "found", "1:10"),
        ("twice in another case", "h: {X-A: 1, x-a: 2}", "h", "header `x-a` twice", "1:13"),
        ("behind a BOM and characters", "\u{feff}é: \"ü\"\nb: [ä, 1]", "b[1]", "found", "2:8"),
        ("quoted key", "'a b': {\"c\": 1}", "a b.c", "unknown field `c`", "1:9"),
        ("before a syntax error", "a: {b: 1}\nc: [}", "a.b", "found", "1:8"),
        ("a key that is no text", "? [k]\n: v\nb: 1", "b", "found", "3:4"),
        ("nothing", "", "a", "found", "-"),
    ] {
        assert_eq!(place(text, path, message), expected, "{name}");
    }
}

#[test]
fn documents_have_places_of_their_own() {
    let text = source("a: 1\n---\na: 2\n");
    let mistake = text.locate_in(1, "", problem("a", "found 2"));
    assert_eq!(mistake.position, Some(Position { line: 3, column: 4 }));
    assert_eq!(text.yaml().unwrap().len(), 2);
}

#[test]
fn yaml_that_is_none_is_told_with_its_place() {
    for (text, expected) in [
        ("a: [", "f.yaml:2:1: not valid YAML: did not find expected node content"),
        ("a: 1\n b: 2", "f.yaml:2:3: not valid YAML: mapping values are not allowed"),
        ("a: 1\nb: {c: 1,\n  c: 2}", "f.yaml:3:3: b.c: found this key twice, expected it once"),
        ("- a: 1\n  b: 1\n  a: 2", "f.yaml:3:3: [0].a: found this key twice"),
        ("a: *nobody", "f.yaml:1:4: not valid YAML: unknown anchor"),
        ("a: &a [*a]", "f.yaml:1:4: found aliases that stand for more than a million values"),
    ] {
        let found = source(text).yaml().unwrap_err().to_string();
        assert!(found.starts_with(expected), "{text:?}: {found}");
    }
}

/// Each would take a reader without limits minutes, or all of the memory.
#[test]
fn what_would_hang_a_reader_is_refused_quickly() {
    let mut laughs = "a: &a [x,x,x,x,x,x,x,x,x]\n".to_owned();
    for (before, name) in ('a'..'i').zip('b'..) {
        let nine = vec![format!("*{before}"); 9].join(",");
        laughs.push_str(&format!("{name}: &{name} [{nine}]\n"));
    }
    let wide = format!("a: &a [{}]\nb: [{}]\n", "x,".repeat(200_000), "*a,".repeat(50));
    for (name, text, words) in [
        ("billion laughs", laughs, "aliases that stand for more than a million values"),
        ("one large anchor, often", wide, "aliases that stand for more than a million values"),
        ("brackets", "[".repeat(1_000_000), "more than 128 levels"),
        ("braces", "{a: ".repeat(1_000_000), "more than 128 levels"),
        ("dashes", "- ".repeat(100_000), "more than 128 levels"),
        ("question marks", "? ".repeat(100_000), "more than 128 levels"),
    ] {
        let started = Instant::now();
        let found = source(&text).yaml().unwrap_err().to_string();
        assert!(found.contains(words), "{name}: {found}");
        assert!(started.elapsed() < Duration::from_secs(20), "{name}: {:?}", started.elapsed());
    }
}

#[test]
fn a_large_text_that_is_harmless_is_read() {
    let many = format!("[{}]", "[],".repeat(50_000));
    assert_eq!(source(&many).yaml().unwrap()[0].as_sequence().unwrap().len(), 50_000);
    let levels = format!("{}1{}", "[".repeat(100), "]".repeat(100));
    assert!(source(&levels).yaml().is_ok());
}

#[test]
fn files_that_are_no_text_are_refused() {
    let folder = std::env::temp_dir().join(format!("tollgate-source-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    let file = folder.join("file.yaml");
    for (name, bytes, expected) in [
        ("latin-1", b"a: b\nc: \xe9".to_vec(), ":2:4: found bytes that are not UTF-8"),
        ("UTF-16", b"\xff\xfea\0:\0".to_vec(), ":1:1: found bytes that are not UTF-8"),
        ("100 MB", vec![b'a'; 100_000_000], ": found more than 4 MiB, expected at most that"),
    ] {
        File::create(&file).unwrap().write_all(&bytes).unwrap();
        let found = Source::read(&file).unwrap_err().to_string();
        assert!(found.starts_with(&format!("{}{expected}", file.display())), "{name}: {found}");
    }
    let found = Source::read(&folder).unwrap_err().to_string();
    assert!(found.ends_with(": found a folder, expected a file"), "{found}");
    std::fs::remove_dir_all(&folder).unwrap();
    let found = Source::read(&file).unwrap_err().to_string();
    assert!(found.contains(": cannot read the file: "), "{found}");
    if cfg!(unix) {
        let found = Source::read(Path::new("/dev/zero")).unwrap_err().to_string();
        assert_eq!(found, "/dev/zero: found more than 4 MiB, expected at most that");
    }
}

#[test]
fn blank_texts() {
    for (text, expected) in [
        ("", true),
        (" \n\t\n", true),
        ("\u{feff}# only\n---\n  # comments", true),
        ("# a\nb: 1", false),
        ("{}", false),
    ] {
        assert_eq!(source(text).is_blank(), expected, "{text:?}");
    }
}

mod any_text {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        /// The parsers are other people's: whatever they are given, a text is read or refused.
        #[test]
        fn neither_hangs_nor_crashes(
            text in "([a:{}\\[\\],&*!|>'\"\n\t #?%@`~\u{e9}\u{feff}-]|- |: |\n  |&a |\\*a |--- |<<: ){0,80}",
            path in "[a.\\[\\]0-9]{0,8}",
        ) {
            let source = source(&text);
            if let Err(mistake) = source.yaml() {
                prop_assert!(!mistake.problem.message.is_empty());
            }
            for message in ["found", "unknown field `a`", "header `a` twice"] {
                source.locate(problem(path.as_str(), message));
            }
        }
    }
}
