//! Generated forms, whole and damaged.

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::{Index, select};

use super::*;

/// A part, and what it is to be taken for.
#[derive(Clone, Debug)]
struct Written {
    headers: String,
    /// The index of the wanted field, and whether it has exactly that name.
    wanted: Option<(usize, bool)>,
    is_file: bool,
    content: Vec<u8>,
}

fn names() -> impl Strategy<Value = (&'static str, Option<(usize, bool)>)> {
    select(vec![
        ("name=\"model\"", Some((0, true))),
        ("name=model", Some((0, true))),
        ("name=\"Model\"", Some((0, false))),
        ("name=\"model[]\"", Some((0, false))),
        ("name=\"stream\"", Some((1, true))),
        ("name=\"ſtream\"", Some((1, false))),
        ("name=\"file\"", None),
        ("name=\"models\"", None),
        ("name=\"a;b\"", None),
    ])
}

/// Bytes of which boundaries are made, and others.
fn contents() -> impl Strategy<Value = Vec<u8>> {
    let piece = prop_oneof![
        select(vec![&b"\r\n"[..], b"\r\n--", b"--", b"-", b"\r", b"\n", b"a", b"\r\n--a", b"--a-"])
            .prop_map(<[u8]>::to_vec),
        vec(any::<u8>(), 0..4),
    ];
    vec(piece, 0..8).prop_map(|pieces| pieces.concat())
}

fn parts() -> impl Strategy<Value = Vec<Written>> {
    let part = (names(), any::<bool>(), any::<bool>(), contents());
    let part = part.prop_map(|((name, wanted), is_file, has_other, content)| {
        let file = if is_file { "; filename=\"a\"" } else { "" };
        let other = if has_other { "X-Other: y; name=\"model\"\r\n" } else { "" };
        let headers = format!("{other}Content-Disposition: form-data; {name}{file}\r\n\r\n");
        Written { headers, wanted, is_file, content }
    });
    vec(part, 0..6)
}

fn boundaries() -> impl Strategy<Value = String> {
    prop_oneof!["[-a]{1,6}", "[a-f0-9]{32}", "-{24}[a-f0-9]{16}", "-{70}"]
}

fn contains(text: &[u8], what: &[u8]) -> bool {
    text.windows(what.len()).any(|part| part == what)
}

/// The body, and where each content is.
fn write(boundary: &str, parts: &[Written]) -> (Vec<u8>, Vec<std::ops::Range<usize>>) {
    let (mut body, mut ranges) = (Vec::new(), Vec::new());
    for part in parts {
        body.extend_from_slice(format!("--{boundary}\r\n{}", part.headers).as_bytes());
        ranges.push(body.len()..body.len() + part.content.len());
        body.extend_from_slice(&part.content);
        body.extend_from_slice(b"\r\n");
    }
    body.extend_from_slice(format!("--{boundary}--\r\n").as_bytes());
    (body, ranges)
}

fn cuts(body: &[u8], cuts: &[Index]) -> Vec<usize> {
    let mut cuts: Vec<usize> = cuts.iter().map(|cut| cut.index(body.len() + 1)).collect();
    cuts.sort_unstable();
    cuts
}

/// Whether the boundary is in a part, where it cannot be.
fn clash(boundary: &str, parts: &[Written]) -> bool {
    let delimiter = format!("--{boundary}");
    parts.iter().any(|part| contains(&part.content, delimiter.as_bytes()))
}

proptest! {
    #[test]
    fn what_was_written_is_found(
        boundary in boundaries(), parts in parts(), at in vec(any::<Index>(), 0..4),
    ) {
        prop_assume!(!clash(&boundary, &parts));
        let (body, ranges) = write(&boundary, &parts);
        let scanner = scan(&of(&boundary), Limits::default(), &body, &cuts(&body, &at)).unwrap();
        for (index, wanted) in WANTED.iter().enumerate() {
            let field = scanner.field(index);
            let written = || {
                parts.iter().zip(&ranges).filter_map(|(part, range)| match part.wanted {
                    Some((of, exact)) if of == index => Some((part, range, exact)),
                    _ => None,
                })
            };
            prop_assert_eq!(field.count as usize, written().count());
            prop_assert_eq!(field.exact as usize, written().filter(|part| part.2).count());
            prop_assert_eq!(field.is_file, written().any(|part| part.0.is_file));
            let last = written().rfind(|part| part.2);
            let content = last.map(|part| part.0.content.as_slice());
            prop_assert_eq!(field.range.as_ref(), last.map(|part| part.1));
            prop_assert_eq!(field.raw(), content.filter(|content| content.len() <= wanted.keep));
            prop_assert_eq!(field.too_long(), content.is_some_and(|c| c.len() > wanted.keep));
        }
    }

    #[test]
    fn a_boundary_in_a_content_is_refused(
        boundary in boundaries(), mut parts in parts(), which in any::<Index>(),
        at in any::<Index>(), cut in any::<Index>(), in_line in any::<bool>(),
    ) {
        prop_assume!(!parts.is_empty() && !clash(&boundary, &parts));
        let which = which.index(parts.len());
        let content = &mut parts[which].content;
        let at = at.index(content.len() + 1);
        // Behind a line break it is followed by what ends no delimiter.
        let inside =
            if in_line { format!("x--{boundary}") } else { format!("\r\n--{boundary}x") };
        content.splice(at..at, inside.bytes());
        let (body, _) = write(&boundary, &parts);
        let result = scan(&of(&boundary), Limits::default(), &body, &cuts(&body, &[cut]));
        let error = result.err();
        let refused = matches!(error, Some(Error::Malformed { reason: Reason::Delimiter, .. }));
        prop_assert!(refused, "{:?}", error);
    }

    #[test]
    fn damaged_bodies_never_panic_and_are_read_alike_in_any_cut(
        boundary in "[-a]{1,3}", parts in parts(),
        changes in vec((any::<Index>(), any::<Index>(), contents()), 1..4),
        limits in (0usize..200, 0u32..4, 0u32..4),
    ) {
        let (mut body, _) = write(&boundary, &parts);
        for (from, to, with) in changes {
            let (from, to) = (from.index(body.len() + 1), to.index(body.len() + 1));
            let end = from.max(to).min(from.min(to) + 8);
            body.splice(from.min(to)..end, with);
        }
        let limits = Limits { header_bytes: limits.0, headers: limits.1, parts: limits.2 };
        for limits in [limits, Limits::default()] {
            let _ = scan_all_ways(&of(&boundary), limits, &body);
        }
    }
}
