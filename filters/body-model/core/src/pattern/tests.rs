//! Tests of patterns, against a matcher that tries everything.

use proptest::prelude::*;

use super::*;

fn find<'a>(patterns: &[&str], name: &'a str) -> Option<Match<'a>> {
    Patterns::new(patterns.iter().copied()).find(name)
}

#[test]
fn the_closest_pattern_counts() {
    let patterns = ["*", "gpt-*", "gpt-4*", "*-mini", "gpt-4o", "gpt-*-mini", "a*c", "ac*"];
    for (name, index, star) in [
        ("gpt-4o", 4, None),
        ("gpt-4", 2, Some("")),
        ("gpt-4o-mini", 5, Some("4o")),
        ("gpt-mini", 3, Some("gpt")),
        ("x-mini", 3, Some("x")),
        ("-mini", 3, Some("")),
        ("claude", 0, Some("claude")),
        ("", 0, Some("")),
        // As long as `a*c`, but with more in front.
        ("acc", 7, Some("c")),
        ("ac", 7, Some("")),
        ("abc", 6, Some("b")),
        ("gpt-4é", 2, Some("é")),
    ] {
        assert_eq!(find(&patterns, name), Some(Match { index, star }), "{name}");
    }
    assert_eq!(find(&["a*a"], "a"), None, "the two ends do not overlap");
    assert_eq!(find(&["é*"], "\u{e8}"), None);
    assert_eq!(find(&[], "a"), None);
    assert_eq!(find(&["Gpt"], "gpt"), None);
}

#[test]
fn a_star_in_a_name_is_a_character() {
    assert_eq!(find(&["gpt-*"], "gpt-*"), Some(Match { index: 0, star: Some("*") }));
    assert_eq!(find(&["a*b*"], "axb*"), Some(Match { index: 0, star: Some("x") }));
    assert_eq!(find(&["a*b*"], "axbx"), None);
}

#[test]
fn what_matched_fills_the_target() {
    for (target, star, expected) in [
        ("openai/*", Some("4o"), "openai/4o"),
        ("*", Some(""), ""),
        ("a*b", Some("*"), "a*b"),
        ("plain", Some("4o"), "plain"),
        ("plain", None, "plain"),
    ] {
        assert_eq!(fill(target, star), expected);
    }
}

/// The same by trying every text for `*`.
fn naive(patterns: &[String], name: &str) -> Option<usize> {
    let matches = |pattern: &str| match pattern.find('*') {
        None => pattern == name,
        Some(at) => (0..=name.len()).any(|from| {
            (from..=name.len()).any(|to| {
                name.is_char_boundary(from)
                    && name.is_char_boundary(to)
                    && name[..from] == pattern[..at]
                    && name[to..] == pattern[at + 1..]
            })
        }),
    };
    let found = patterns.iter().enumerate().filter(|(_, pattern)| matches(pattern));
    let best = found.min_by_key(|(_, pattern)| {
        let star = pattern.find('*');
        let literal = pattern.len() - usize::from(star.is_some());
        (star.is_some(), Reverse(literal), Reverse(star), pattern.as_str())
    });
    best.map(|(index, _)| index)
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(2000) })]

    #[test]
    fn finds_what_trying_everything_finds(
        patterns in prop::collection::btree_set("[abé]{0,3}\\*?[abé]{0,3}", 0..8),
        name in "[abé]{0,6}",
    ) {
        let patterns: Vec<String> = patterns.into_iter().collect();
        let refs: Vec<&str> = patterns.iter().map(String::as_str).collect();
        let found = find(&refs, &name);
        prop_assert_eq!(found.map(|found| found.index), naive(&patterns, &name));
        if let Some(Match { index, star }) = found {
            prop_assert_eq!(fill(&patterns[index], star), name.as_str());
        }
        // The order in which they are written makes no difference.
        let turned: Vec<&str> = refs.iter().rev().copied().collect();
        let again = find(&turned, &name).map(|found| turned[found.index]);
        prop_assert_eq!(again, found.map(|found| refs[found.index]));
    }
}
