//! Tests of the lists of adapters.

use super::*;

fn text(text: &str) -> Result<Vec<String>, usize> {
    Adapters::Text(text.to_owned()).into_names()
}

#[test]
fn reads_the_lists_that_yaml_writers_write() {
    for (yaml, expected) in [
        ("- food-review\n- cad-fabricator\n", &["food-review", "cad-fabricator"][..]),
        ("- food-review", &["food-review"]),
        ("\n\n  - a\n\n  - b\n", &["a", "b"]),
        ("# all of them\n- a # the first\n# more\n-   b\n", &["a", "b"]),
        ("- a\r\n- b\r\n", &["a", "b"]),
        ("- \"a b\"\n- 'it''s'\n- \"q\\\"\\\\\\/\" # x\n", &["a b", "it's", "q\"\\/"]),
        (
            "- org/model:v1\n- -x\n- a#b\n- a - b\n- 123\n",
            &["org/model:v1", "-x", "a#b", "a - b", "123"],
        ),
        ("- a, b\n- a]\n", &["a, b", "a]"]),
        ("[a, \"b\", 'c',]", &["a", "b", "c"]),
        ("[\n  a, # one\n  b\n]\n# end\n", &["a", "b"]),
        ("[]", &[]),
        ("[ ]\n", &[]),
        ("", &[]),
        (" \n# nothing\n", &[]),
        ("- é", &["é"]),
    ] {
        let expected: Vec<String> = expected.iter().map(|name| (*name).to_owned()).collect();
        assert_eq!(text(yaml), Ok(expected), "{yaml:?}");
    }
}

#[test]
fn refuses_what_is_no_list_of_names_at_its_line() {
    for (yaml, line) in [
        ("food-review", 1),
        ("- a\nb\n", 2),
        ("- a\n  b\n", 2),
        ("- a\n - b\n", 2),
        ("- a\n\n  - b\n", 3),
        ("\t- a\n", 1),
        ("- \"a\" - b\n", 1),
        ("- \"a\" b\n", 1),
        ("-a\n", 1),
        ("- \n", 1),
        ("-", 1),
        ("- a\n- # none\n", 2),
        ("- - a\n", 1),
        ("- a: b\n", 1),
        ("- a:\n", 1),
        ("- {a: b}\n", 1),
        ("- [a]\n", 1),
        ("- &a b\n", 1),
        ("- *a\n", 1),
        ("- !str a\n", 1),
        ("- |\n  a\n", 1),
        ("- >\n  a\n", 1),
        ("- null\n", 1),
        ("- ~\n", 1),
        ("- True\n", 1),
        ("- \"a\\n\"\n", 1),
        ("- \"a\n", 1),
        ("- 'a\n  b'\n", 1),
        ("[a, b", 1),
        ("[a b: c]", 1),
        ("[a] b", 1),
        ("[a]\n- b", 2),
        ("[,]", 1),
        ("[a,,b]", 1),
        ("[a\n[b]]", 2),
        ("---\n- a\n", 1),
        ("a: [b]\n", 1),
    ] {
        assert_eq!(text(yaml), Err(line), "{yaml:?}");
    }
}

#[test]
fn agrees_with_json() {
    for names in [&["a", "b/c", "it's \"x\""][..], &[]] {
        let json = serde_json::to_string(names).unwrap();
        let expected: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
        assert_eq!(text(&json), Ok(expected), "JSON is YAML");
    }
}
