use proptest::prelude::*;

use super::*;

/// A piece with its bytes owned.
#[derive(Clone, Debug, Eq, PartialEq)]
enum Seen {
    Event { raw: Vec<u8>, data: Vec<u8> },
    LineFeed,
    Raw(Vec<u8>),
}

fn pieces(chunks: &[&[u8]], max: usize) -> Vec<Seen> {
    let mut framer = Framer::new(max);
    let mut seen = Vec::new();
    let mut out = |piece: Piece<'_>| {
        seen.push(match piece {
            Piece::Event(e) if e.is_line_feed_of_previous() => Seen::LineFeed,
            Piece::Event(e) => Seen::Event { raw: e.raw().into(), data: e.data().into() },
            Piece::Raw(raw) => Seen::Raw(raw.into()),
        });
    };
    for chunk in chunks {
        framer.push(chunk, &mut out);
        assert!(framer.held() <= max);
    }
    framer.finish(&mut out);
    assert_eq!(framer.held(), 0);
    seen
}

fn bytes(seen: &[Seen]) -> Vec<u8> {
    let parts = seen.iter().map(|piece| match piece {
        Seen::Event { raw, .. } | Seen::Raw(raw) => raw.as_slice(),
        Seen::LineFeed => b"\n",
    });
    parts.collect::<Vec<_>>().concat()
}

/// The pieces as they are without cuts: late line feeds joined to their events, raw bytes to one run.
fn joined(seen: Vec<Seen>) -> Vec<Seen> {
    let mut out: Vec<Seen> = Vec::new();
    for piece in seen {
        match (piece, out.last_mut()) {
            (Seen::LineFeed, Some(Seen::Event { raw, .. })) => raw.push(b'\n'),
            (Seen::Raw(more), Some(Seen::Raw(raw))) => raw.extend(more),
            (piece, _) => out.push(piece),
        }
    }
    out
}

fn data(seen: &[Seen]) -> Vec<String> {
    let events = seen.iter().filter_map(|piece| match piece {
        Seen::Event { data, .. } => Some(String::from_utf8_lossy(data).into_owned()),
        _ => None,
    });
    events.collect()
}

#[test]
fn line_ends_of_every_kind_end_events() {
    for (case, stream) in [
        ("lf", "data: 1\n\ndata: 2\n\n"),
        ("crlf", "data: 1\r\n\r\ndata: 2\r\n\r\n"),
        ("cr", "data: 1\r\rdata: 2\r\r"),
        ("lf then crlf", "data: 1\n\r\ndata: 2\r\n\n"),
        ("cr then lf is one line end", "data: 1\r\n\ndata: 2\n\r"),
        ("mark", "\u{feff}data: 1\n\ndata: 2\n\n"),
        ("other fields", "event: x\nid: 3\ndata: 1\nretry: 4\n\ndata:2\n\n"),
    ] {
        let seen = pieces(&[stream.as_bytes()], 64);
        assert_eq!(data(&seen), ["1", "2"], "{case}");
        assert_eq!(bytes(&seen), stream.as_bytes(), "{case}");
    }
}

#[test]
fn blank_lines_and_comments_are_events_without_data() {
    let seen = pieces(&[b"\n: hello\n\n\n\ndata: 1\n\n"], 64);
    assert_eq!(data(&seen), ["", "", "", "", "1"]);
}

#[test]
fn an_event_comes_with_the_push_that_completes_it() {
    for end in ["\n\n", "\r\r", "\r\n\r\n", "\r\n\r", "\n\r", "\r\n\n"] {
        let stream = format!("data: 1{end}");
        for cut in 0..stream.len() {
            let mut framer = Framer::new(64);
            let mut count = 0;
            framer.push(&stream.as_bytes()[..cut], &mut |_| {});
            framer.push(&stream.as_bytes()[cut..], &mut |_| count += 1);
            assert_eq!(count, 1, "{end:?} cut at {cut}");
            assert_eq!(framer.held(), 0, "{end:?} cut at {cut}");
        }
    }
}

#[test]
fn a_line_feed_after_the_last_cr_is_swallowed_but_not_lost() {
    let seen = pieces(&[b"data: 1\r\n\r", b"\ndata: 2\n\n"], 64);
    assert_eq!(seen[1], Seen::LineFeed);
    assert_eq!(data(&seen), ["1", "2"]);
    // The same byte behind an LF is a blank line of its own.
    let seen = pieces(&[b"data: 1\n\n", b"\ndata: 2\n\n"], 64);
    assert_eq!(data(&seen), ["1", "", "2"]);
    // And an empty push in between changes nothing.
    let seen = pieces(&[b"data: 1\r\r", b"", b"\n"], 64);
    assert_eq!(seen[1], Seen::LineFeed);
}

#[test]
fn an_event_over_the_limit_passes_and_the_next_is_framed() {
    let stream = b"data: 1\n\ndata: 0123456789\n\ndata: 2\n\n";
    let raw = Seen::Raw(b"data: 0123456789\n\n".into());
    for cut in 0..stream.len() {
        let (one, two) = stream.split_at(cut);
        let seen = joined(pieces(&[one, two], 17));
        assert_eq!(seen[1], raw, "cut at {cut}");
        assert_eq!(data(&seen), ["1", "2"], "cut at {cut}");
        assert_eq!(data(&pieces(&[one, two], 18)).len(), 3, "cut at {cut}");
    }
}

#[test]
fn an_unterminated_tail_comes_at_the_end() {
    let seen = pieces(&[b"data: 1\n\ndata: [DO", b"NE]\n"], 64);
    assert_eq!(seen[1], Seen::Raw(b"data: [DONE]\n".into()));
    assert_eq!(Event::from_raw(b"data: [DONE]\n").data(), &b"[DONE]"[..]);
}

#[test]
fn held_bytes_stay_flat_over_a_stream_without_end() {
    let mut framer = Framer::new(1024);
    let mut passed = 0;
    for _ in 0..10_000 {
        framer.push(&[b'x'; 100], &mut |piece| passed += piece.raw().len());
        assert!(framer.pending.capacity() <= 2048);
    }
    assert_eq!(passed, 1_000_000);
}

/// Streams dense in what matters: line ends, marks, field names, characters of several bytes.
fn stream() -> impl Strategy<Value = Vec<u8>> {
    let part = prop::sample::select(vec![
        "\n",
        "\r",
        "\r\n",
        "\n\n",
        "\r\r",
        "\r\n\r\n",
        "data: x",
        "data:",
        "data",
        ":",
        ": c",
        "event: e",
        "\u{feff}",
        "日本",
        "😀",
        "{\"a\":1}",
    ]);
    prop::collection::vec(part, 0..24).prop_map(|parts| parts.concat().into_bytes())
}

proptest! {
    #[test]
    fn all_cuts_give_the_same_pieces_and_all_the_bytes(
        stream in stream(),
        cuts in prop::collection::vec(0usize..200, 0..6),
        max in 0usize..40,
    ) {
        let whole = joined(pieces(&[&stream], max));
        prop_assert_eq!(bytes(&whole), stream.clone());
        // Any two pieces, bytewise, and at random places.
        let mut cuts: Vec<usize> = cuts.into_iter().filter(|c| *c <= stream.len()).collect();
        cuts.sort_unstable();
        let mut bounds = vec![0];
        bounds.extend(cuts);
        bounds.push(stream.len());
        let random: Vec<&[u8]> = bounds.windows(2).map(|w| &stream[w[0]..w[1]]).collect();
        let bytewise: Vec<&[u8]> = stream.chunks(1).collect();
        let mut ways = vec![random, bytewise];
        ways.extend((0..stream.len()).map(|cut| vec![&stream[..cut], &stream[cut..]]));
        for chunks in ways {
            prop_assert_eq!(joined(pieces(&chunks, max)), whole.clone(), "{:?}", chunks);
        }
    }
}
