use super::*;

fn events(strips: bool) -> Events {
    let (config, _) = crate::config::check(br#"{"maxEventBytes": 1024}"#).unwrap();
    Events::new(strips, &config)
}

/// What passes in each callback, and how it ended.
fn passed(events: &mut Events, pieces: &[&str]) -> Vec<String> {
    let mut passed = Vec::new();
    for (n, piece) in pieces.iter().enumerate() {
        let mut out = Effects::new();
        let bytes = piece.as_bytes();
        let end = n + 1 == pieces.len();
        events.push(Body { bytes, held: bytes.len(), more: false, end }, &mut out);
        passed.push(match out.as_slice() {
            [] => (*piece).to_owned(),
            [Effect::ReplaceBody { on: Direction::Response, with }] => {
                String::from_utf8(with.clone()).unwrap()
            }
            other => panic!("{other:?}"),
        });
    }
    passed
}

const CHUNK: &str = "data: {\"choices\":[{\"delta\":{\"content\":\"a\"}}]}\n\n";
const EXTRA: &str = "data: {\"choices\":[],\"usage\":{\"prompt_tokens\":3}}\n\n";
const DONE: &str = "data: [DONE]\n\n";

#[test]
fn a_complete_event_goes_out_at_once_and_an_incomplete_one_with_its_end() {
    let (head, tail) = CHUNK.split_at(20);
    let pieces = [CHUNK, &format!("{CHUNK}{head}"), tail, EXTRA, DONE];
    let mut events = events(true);
    assert_eq!(passed(&mut events, &pieces), [CHUNK, CHUNK, CHUNK, "", DONE]);
    assert_eq!(events.ended().status, UsageStatus::Exact);
}

#[test]
fn nothing_is_held_or_changed_where_nothing_is_to_be_taken_out() {
    let (head, tail) = CHUNK.split_at(20);
    let pieces = [head, tail, EXTRA, DONE];
    let mut events = events(false);
    assert_eq!(passed(&mut events, &pieces), pieces);
    assert_eq!(events.ended().prompt, 3);
}

#[test]
fn the_line_end_of_the_extra_event_goes_with_it() {
    let extra = EXTRA.replace('\n', "\r\n");
    let (head, line_feed) = extra.split_at(extra.len() - 1);
    let mut events = events(true);
    assert_eq!(passed(&mut events, &[head, line_feed, DONE]), ["", "", DONE]);
}

#[test]
fn a_tail_without_its_empty_line_is_read_too() {
    for (tail, expected) in [("data: [DONE]", "data: [DONE]"), (EXTRA.trim_end(), "")] {
        let mut events = events(true);
        assert_eq!(passed(&mut events, &[EXTRA, tail, ""]), ["", "", expected]);
        assert_eq!(events.ended().status, UsageStatus::Exact, "{tail}");
    }
}

#[test]
fn an_event_over_the_limit_passes() {
    let long = format!("data: {{\"choices\":[{{\"x\":\"{}\"}}]}}\n\n", "y".repeat(2000));
    let (head, tail) = long.split_at(1020);
    let (middle, tail) = tail.split_at(10);
    let mut events = events(true);
    let out = passed(&mut events, &[head, middle, tail, EXTRA, DONE]);
    assert_eq!(out, ["", &format!("{head}{middle}"), tail, "", DONE]);
}

#[test]
fn the_status_says_how_it_ended() {
    let continuous = "data: {\"choices\":[{}],\"usage\":{\"prompt_tokens\":2}}\n\n";
    let null = "data: {\"choices\":[{}],\"usage\":null}\n\n";
    let error = "data: {\"error\":{\"message\":\"overloaded\"}}\n\n";
    for (case, pieces, expected) in [
        ("extra and done", vec![CHUNK, EXTRA, DONE], (3, UsageStatus::Exact)),
        ("extra without done", vec![CHUNK, EXTRA], (3, UsageStatus::Exact)),
        ("continuous, done", vec![continuous, DONE], (2, UsageStatus::Exact)),
        ("continuous, not done", vec![continuous, continuous], (2, UsageStatus::Partial)),
        ("null does not win", vec![continuous, null, DONE], (2, UsageStatus::Exact)),
        ("the last wins", vec![continuous, EXTRA, DONE], (3, UsageStatus::Exact)),
        ("none", vec![CHUNK, DONE], (0, UsageStatus::Unknown)),
        ("error", vec![CHUNK, error, DONE], (0, UsageStatus::Partial)),
        ("error after numbers", vec![continuous, error, DONE], (2, UsageStatus::Partial)),
        ("broken chunk", vec!["data: {\"choices\n\n", EXTRA, DONE], (3, UsageStatus::Exact)),
        ("comments", vec![": hi\n\n", EXTRA, ": hi\n\n", DONE], (3, UsageStatus::Exact)),
        ("nothing", vec![""], (0, UsageStatus::Unknown)),
    ] {
        for strips in [false, true] {
            let mut events = events(strips);
            passed(&mut events, &pieces);
            let usage = events.ended();
            assert_eq!((usage.prompt, usage.status), expected, "{case}");
        }
    }
}

#[test]
fn only_an_event_of_usage_alone_is_taken_out() {
    for (case, event) in [
        ("usage with choices", "data: {\"choices\":[{}],\"usage\":{\"prompt_tokens\":2}}\n\n"),
        ("no usage", "data: {\"choices\":[],\"prompt_filter_results\":[]}\n\n"),
        ("null usage", "data: {\"choices\":[],\"usage\":null}\n\n"),
        ("no choices", "data: {\"usage\":{\"prompt_tokens\":2}}\n\n"),
        ("usage of a member", "data: {\"choices\":[],\"x\":{\"usage\":{\"prompt_tokens\":2}}}\n\n"),
    ] {
        assert_eq!(passed(&mut events(true), &[event, DONE]), [event, DONE], "{case}");
    }
    let blanks = "data: { \"usage\" : { } , \"choices\" : [ \t] }\n\n";
    assert_eq!(passed(&mut events(true), &[blanks, DONE]), ["", DONE]);
}

#[test]
fn held_bytes_are_bounded() {
    let mut events = events(true);
    let mut out = Effects::new();
    for _ in 0..1000 {
        events.push(Body { bytes: &[b'x'; 100], held: 100, more: false, end: false }, &mut out);
        assert!(events.framer.held() <= 1024);
    }
}
