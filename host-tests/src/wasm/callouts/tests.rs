//! Bounds of calls, and that room comes back.

use super::*;
use crate::plan::{Callout, CalloutAnswer};

fn clusters(answers: usize) -> Callouts {
    let answer = Callout { answer: CalloutAnswer::Never, delay_nanos: 0 };
    Callouts::new(&[("auth".to_owned(), vec![answer; answers])].into())
}

fn call(kind: Kind, body: usize) -> Call {
    Call {
        kind,
        root: 1,
        filter: "a".into(),
        exchange: Some(0),
        cluster: "auth".into(),
        headers: HeaderMap::of_call(&[(b":path".to_vec(), b"/".to_vec())]),
        body: vec![b'x'; body],
        timeout: None,
    }
}

fn id(token: u32) -> Id {
    Id { vm: 1, token }
}

#[test]
fn bodies_of_calls_are_bounded_and_room_comes_back() {
    let (mut callouts, mut agenda) = (clusters(9), Scheduler::default());
    let mut make = |callouts: &mut Callouts, token, body| {
        callouts.make(id(token), call(Kind::Http, body), 0, &mut agenda)
    };
    let refused = make(&mut callouts, 4, MOST_BODY_BYTES + 1).unwrap_err();
    assert_eq!(refused.0, "its body is over 33554432 bytes");
    make(&mut callouts, 4, MOST_BODY_BYTES - 4096).unwrap();
    make(&mut callouts, 8, MOST_BODY_BYTES - 4096).unwrap();
    let refused = make(&mut callouts, 12, 16384).unwrap_err();
    assert_eq!(refused.0, "the calls of this exchange are over 67108864 bytes");
    // Cancelled, and reported: both make room.
    callouts.arrive(id(4), 0, &mut agenda);
    callouts.cancel(id(8), &mut agenda);
    assert_eq!(callouts.take_made(0).len(), 1);
    assert_eq!(callouts.kept_bytes, 0);
}

#[test]
fn messages_of_a_stream_are_bounded() {
    let (mut callouts, mut agenda) = (clusters(1), Scheduler::default());
    callouts.make(id(6), call(Kind::Stream, 0), 0, &mut agenda).unwrap();
    let message = vec![b'x'; MOST_BODY_BYTES];
    assert_eq!(callouts.send(id(6), &message, false), Ok(true));
    assert!(callouts.send(id(6), b"x", false).is_err());
    callouts.arrive(id(6), 0, &mut agenda);
    assert!(callouts.send(id(6), b"x", false).is_err());
    let body = callouts.take_made(0).remove(0).body.unwrap();
    assert_eq!(body.len(), MOST_BODY_BYTES);
    // What is said after the report is nobody's, and takes no room.
    assert_eq!(callouts.send(id(6), b"x", true), Ok(true));
    assert_eq!(callouts.kept_bytes, 0);
    assert_eq!(callouts.send(id(10), b"x", true), Ok(false));
}

#[test]
fn a_full_agenda_refuses_calls_and_leaves_nothing_behind() {
    let (mut callouts, mut agenda) = (clusters(1), Scheduler::default());
    while agenda.schedule(9, Due::Tick { vm: 1, root: 1 }).is_some() {}
    // Room for its arrival only.
    agenda.pop(9).unwrap();
    let with_timeout = Call { timeout: Some(5), ..call(Kind::Http, 1) };
    let refused = callouts.make(id(4), with_timeout, 0, &mut agenda).unwrap_err();
    assert_eq!(refused.0, "too much is to come already");
    assert_eq!((agenda.next_at(), callouts.kept_bytes), (Some(9), 0));
    callouts.make(id(4), call(Kind::Http, 1), 0, &mut agenda).unwrap();
}

#[test]
fn every_run_begins_with_the_answers_that_the_start_left() {
    let (mut callouts, mut agenda) = (clusters(2), Scheduler::default());
    let mut arrive = |callouts: &mut Callouts, token| {
        callouts.make(id(token), call(Kind::Http, 0), 0, &mut agenda).unwrap();
        callouts.arrive(id(token), 0, &mut agenda).is_some()
    };
    assert!(!arrive(&mut callouts, 4));
    callouts.started();
    for run in 0..2 {
        callouts.rewind();
        assert!(!arrive(&mut callouts, 8), "run {run}");
        assert!(arrive(&mut callouts, 12), "run {run}");
        callouts.drop_calls(&mut Scheduler::default());
    }
}

#[test]
fn calls_that_fail_at_once_hold_nothing_and_open_ones_are_counted() {
    let (mut callouts, mut agenda) = (clusters(1), Scheduler::default());
    let closed = || VecDeque::from([Part::Closed { status: 14, message: String::new() }]);
    let (told, forgotten) = (id(4), id(8));
    for id in [told, forgotten] {
        callouts.fail_at_once(id, call(Kind::Grpc, MOST_BODY_BYTES), closed(), 0, &mut agenda);
    }
    assert!(callouts.kept_bytes <= 2 * BYTES_PER_CALL);
    assert!(callouts.next_part(told, &mut agenda).is_some());
    assert!(callouts.cancel(forgotten, &mut agenda));
    assert_eq!((callouts.kept_bytes, callouts.open_calls().len()), (0, 0));
    // Not even their number grows with a full agenda.
    while agenda.schedule(9, Due::Tick { vm: 1, root: 1 }).is_some() {}
    callouts.fail_at_once(id(12), call(Kind::Grpc, 1), closed(), 0, &mut agenda);
    assert!(callouts.next_part(id(12), &mut agenda).is_none());

    let mut agenda = Scheduler::default();
    for token in 0..MOST_OPEN as u32 {
        assert_eq!(callouts.obstacle("auth"), None);
        callouts.make(id(token), call(Kind::Http, 0), 0, &mut agenda).unwrap();
    }
    assert_eq!(callouts.obstacle("auth"), Some(Obstacle::Overflow));
    assert!(callouts.cancel(id(0), &mut agenda));
    assert_eq!(callouts.obstacle("auth"), None);
}
