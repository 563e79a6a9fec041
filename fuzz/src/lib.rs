//! What the fuzz targets check. Each function panics on a finding, and only then.
//!
//! Bytes come from where an attacker or a mistake can put them: bodies of clients ([`json_scanner`],
//! [`multipart()`], [`body_model()`], [`inflate()`]), streams of upstreams ([`sse_framer`]), the host's memory ([`header_map`]), the
//! operator's files ([`configurations`]). Where cuts matter, the first byte says where to cut.

mod body_model;
mod inflate;
mod json;
mod multipart;
mod pairs;

use std::collections::BTreeMap;

use body_model_core::BodyModel;
use tollgate_api::{Listing, Paths};
use tollgate_effects::{Headers, Plugin};
use tollgate_sse::{Framer, Piece};

pub use body_model::body_model;
pub use inflate::inflate;
pub use json::json_scanner;
pub use multipart::multipart;

type NoEnvironment = BTreeMap<String, String>;

/// Takes the first byte as an offset into the rest.
fn cut(data: &[u8]) -> (usize, &[u8]) {
    match data.split_first() {
        Some((at, rest)) => (usize::from(*at).min(rest.len()), rest),
        None => (0, data),
    }
}

/// A model in a path is the same for all who read the path, and after it was rewritten. With a
/// prefix more is in the API, and what was in it stays what it was or is refused.
pub fn paths(data: &[u8]) {
    let prefixes = vec!["/p".to_owned(), "/q/*".to_owned()];
    let Ok(prefixed) = Paths::new(Vec::new(), prefixes) else { panic!("the prefixes are good") };
    tollgate_api::testkit::check(&Paths::BUILT_IN, data);
    tollgate_api::testkit::check(&prefixed, data);
    match (Paths::BUILT_IN.call(data), prefixed.call(data)) {
        (Ok(Some(call)), Ok(prefixed)) => assert_eq!(Some(call), prefixed),
        (Err(_), prefixed) => assert!(prefixed.is_err()),
        (Ok(None), _) | (Ok(Some(_)), Err(_)) => {}
    }
    let _ = Listing::of_path(&prefixed, data);
}

/// The framer loses and repeats no byte, and finds the same events whole and cut.
pub fn sse_framer(data: &[u8]) {
    let (at, stream) = cut(data);
    let [whole, pieces] = [&[stream][..], &[&stream[..at], &stream[at..]]].map(|pieces| {
        let mut framer = Framer::new(64);
        let mut bytes = Vec::new();
        let mut events = Vec::new();
        let mut take = |piece: Piece<'_>| {
            bytes.extend_from_slice(piece.raw());
            if let Piece::Event(event) = piece
                && (event.has_data() || event.name().is_some())
            {
                events.push((event.name().map(<[u8]>::to_vec), event.data().into_owned()));
            }
        };
        for piece in pieces {
            framer.push(piece, &mut take);
        }
        assert!(framer.held() <= 64);
        framer.finish(&mut take);
        assert_eq!(bytes, stream);
        events
    });
    assert_eq!(whole, pieces);
}

/// A map of headers is read within its bounds, or not at all.
pub fn header_map(data: &[u8]) {
    let Some(headers) = Headers::from_wire(data) else { return };
    let size: usize = headers.iter().map(|(name, value)| name.len() + value.len() + 10).sum();
    assert!(data.is_empty() || size + 4 <= data.len());
    let _ = headers.content_length();
}

/// No filter panics at a configuration, and what is refused is refused with a reason.
pub fn configurations(data: &[u8]) {
    fn check<P: Plugin>(data: &[u8]) {
        if let Err(problems) = P::configure(data, &NoEnvironment::new()) {
            assert!(!problems.list.is_empty());
        }
    }
    check::<BodyModel>(data);
    check::<key_check_core::KeyCheck>(data);
    check::<token_count_core::TokenCount>(data);
    check::<provider_rewrite_core::ProviderRewrite>(data);
}
