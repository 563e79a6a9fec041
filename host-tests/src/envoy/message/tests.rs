//! Messages of the wire, whole, cut anywhere, and broken.

use super::*;

fn read(kind: Kind, pieces: &[&[u8]]) -> Message {
    let mut parser = Parser::new(kind);
    for piece in pieces {
        parser.push(piece).unwrap();
    }
    assert!(parser.close(), "not complete: {parser:?}");
    parser.into_message()
}

const RESPONSE: Kind = Kind::Response { to_head: false };

const CHUNKED: &[u8] = b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nX-A: \xff\r\nx-a: 2\r\n\
    Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n6;ext=1\r\n\r\nworl\r\n1\r\nd\r\n0\r\nX-T: t\r\ny: \r\n\r\n";

#[test]
fn chunked_at_every_split() {
    let whole = read(RESPONSE, &[CHUNKED]);
    assert_eq!(whole.start.status, 200);
    assert_eq!(whole.headers[0], ("x-a".to_owned(), vec![0xff]));
    assert_eq!(whole.headers[1], ("x-a".to_owned(), b"2".to_vec()));
    assert_eq!(whole.body, b"hello\r\nworld");
    assert_eq!(whole.trailers, [("x-t".into(), b"t".to_vec()), ("y".into(), vec![])]);
    for at in 0..=CHUNKED.len() {
        let (front, back) = CHUNKED.split_at(at);
        assert_eq!(read(RESPONSE, &[front, back]), whole, "split at {at}");
    }
    let bytes: Vec<&[u8]> = CHUNKED.chunks(1).collect();
    assert_eq!(read(RESPONSE, &bytes), whole, "every byte");
}

#[test]
fn other_framings() {
    let sized = b"POST /a?b HTTP/1.1\r\nhost: h\r\ncontent-length: 3\r\n\r\nabcd";
    let message = read(Kind::Request, &[sized]);
    assert_eq!(message.start, Start { method: "POST".into(), path: "/a?b".into(), status: 0 });
    assert_eq!(message.body, b"abc");

    assert_eq!(read(Kind::Request, &[b"GET / HTTP/1.1\r\nhost: h\r\n\r\n"]).body, b"");
    assert_eq!(read(RESPONSE, &[b"HTTP/1.1 200 OK\r\n\r\nuntil", b" close"]).body, b"until close");
    assert_eq!(read(RESPONSE, &[b"HTTP/1.1 204 No\r\n\r\n"]).body, b"");
    let head = b"HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\n";
    assert_eq!(read(Kind::Response { to_head: true }, &[head]).body, b"");
}

#[test]
fn a_cut_message_is_incomplete() {
    let cut: [&[u8]; 4] = [
        b"HTTP/1.1 200",
        b"HTTP/1.1 200 OK\r\ncontent-length: 3\r\n\r\nab",
        b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n2\r\nab\r\n",
        b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n2\r\nab\r\n0\r\n",
    ];
    for bytes in cut {
        let mut parser = Parser::new(RESPONSE);
        assert!(!parser.push(bytes).unwrap());
        assert!(!parser.close(), "{}", String::from_utf8_lossy(bytes));
    }
}

#[test]
fn what_is_not_http_is_an_error() {
    let bad: [&[u8]; 3] = [
        b"\x16\x03\x01 tls",
        b"HTTP/1.1 200 OK\r\ncontent-length: x\r\n\r\n",
        b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nzz\r\n",
    ];
    for bytes in bad {
        assert!(Parser::new(RESPONSE).push(bytes).is_err(), "{}", String::from_utf8_lossy(bytes));
    }
}

#[test]
fn what_is_framed_is_read_back() {
    let body = [b"ab".to_vec(), vec![], b"c".to_vec()];
    let trailers = vec![("x-t".to_owned(), b"1".to_vec())];
    let framed = frame(&vec![], Some(&body), &trailers);
    assert_eq!(framed.pieces.len(), 2);
    let mut wire = b"HTTP/1.1 200 OK\r\n".to_vec();
    write_headers(&mut wire, &framed.header.into_iter().collect());
    wire.extend_from_slice(b"\r\n");
    wire.extend(framed.pieces.concat());
    wire.extend(framed.end);
    let message = read(RESPONSE, &[&wire]);
    assert_eq!((message.body, message.trailers), (b"abc".to_vec(), trailers));

    let length = vec![("content-length".to_owned(), b"3".to_vec())];
    let sized = frame(&length, Some(&body), &vec![]);
    assert_eq!((sized.header, sized.pieces.concat(), sized.end), (None, b"abc".to_vec(), vec![]));
}
