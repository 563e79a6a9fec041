//! Forms, as the scanner and as another parser read them.

use std::convert::Infallible;
use std::pin::pin;
use std::task::{Context, Poll, Waker};

use futures_util::stream;
use tollgate_multipart::{Limits, Scanner, Wanted, boundary};

use crate::cut;

const WANTED: &[Wanted] = &[Wanted { name: "model", keep: 64 }, Wanted { name: "stream", keep: 5 }];

/// The form scanner does the same whole and cut, and stops at the same byte; where it finds a field
/// once, or not at all, so does another parser.
pub fn multipart(data: &[u8]) {
    let Some((which, data)) = data.split_first() else { return };
    let name = ["b", "--", "-a-", "aXa"][usize::from(which % 4)];
    let Ok(boundary) = boundary(format!("multipart/form-data; boundary={name}").as_bytes()) else {
        panic!("{name} is a boundary");
    };
    let (at, body) = cut(data);
    let limits = Limits { header_bytes: 200, headers: 3, parts: 4 };
    let [whole, pieces] = [&[body][..], &[&body[..at], &body[at..]]].map(|pieces| {
        let mut scanner = Scanner::new(&boundary, WANTED, limits);
        let mut stops = Vec::new();
        let mut before = 0;
        for piece in pieces {
            let mut piece = *piece;
            while !piece.is_empty() {
                let taken = match scanner.push_to_field(piece, 0b11) {
                    Ok(taken) => taken,
                    Err(error) => return Err(error),
                };
                assert!(0 < taken && taken <= piece.len());
                before += taken;
                piece = &piece[taken..];
                stops.push(before);
            }
        }
        scanner.finish().map(|()| (scanner, stops))
    });
    let ((scanner, stops), (pieces, more_stops)) = match (whole, pieces) {
        (Ok(whole), Ok(pieces)) => (whole, pieces),
        (whole, pieces) => return assert_eq!(whole.err(), pieces.err()),
    };
    assert!(stops.iter().all(|stop| more_stops.contains(stop)));
    let others = fields(name, body);
    for (index, wanted) in WANTED.iter().enumerate() {
        let field = scanner.field(index);
        assert_eq!(field, pieces.field(index));
        assert!(field.exact <= field.count);
        let content = field.range.clone().map(|range| &body[range]);
        assert_eq!(content.is_some(), field.exact > 0);
        assert_eq!(field.raw(), content.filter(|content| content.len() <= wanted.keep));
        assert_eq!(field.too_long(), content.is_some() && field.raw().is_none());
        if field.count == field.exact && field.count < 2 {
            // The other parser may refuse a body, but reads no other one.
            let Some(others) = &others else { continue };
            let others: Vec<&[u8]> =
                others.iter().filter(|(name, _)| name == wanted.name).map(|(_, v)| &v[..]).collect();
            assert_eq!(others, content.into_iter().collect::<Vec<_>>());
        }
    }
}

/// The names and contents of a form's fields, as `multer` finds them; `None` if it finds no form.
pub(crate) fn fields(boundary: &str, body: &[u8]) -> Option<Vec<(String, Vec<u8>)>> {
    let body = body.to_vec();
    let whole = stream::once(async move { Ok::<_, Infallible>(body) });
    let mut form = multer::Multipart::new(whole, boundary);
    let all = async move {
        let mut all = Vec::new();
        while let Some(field) = form.next_field().await.ok()? {
            let name = field.name().map(str::to_owned);
            let content = field.bytes().await.ok()?;
            all.extend(name.map(|name| (name, content.to_vec())));
        }
        Some(all)
    };
    // Nothing it waits for is ever not there.
    let mut all = pin!(all);
    loop {
        if let Poll::Ready(all) = all.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
            return all;
        }
    }
}
