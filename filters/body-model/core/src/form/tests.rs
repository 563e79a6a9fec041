//! What forms are taken for, in any cut.

use super::*;

const LIMITS: Limits = Limits { body: 400, decompressed: 400, model: 32, depth: 0 };
const TYPE: &[u8] = b"multipart/form-data; boundary=b";

/// A form of these parts, each of which is its header's parameters and its content.
fn form(parts: &[(&str, &str)]) -> Vec<u8> {
    let parts = parts.iter().map(|(parameters, content)| {
        format!("--b\r\nContent-Disposition: form-data; {parameters}\r\n\r\n{content}\r\n")
    });
    let body = parts.collect::<String>() + "--b--\r\n";
    body.into_bytes()
}

fn read(body: &[u8], cut: usize) -> Result<Found, Refusal> {
    let mut form = Form::new(TYPE, LIMITS).unwrap();
    assert!(form.is_empty());
    form.push(&body[..cut])?;
    form.push(&body[cut..])?;
    form.finish()
}

fn read_all_ways(body: &[u8]) -> Result<Found, Refusal> {
    let whole = read(body, 0);
    for cut in 0..=body.len() {
        assert_eq!(read(body, cut), whole, "cut at {cut}");
    }
    whole
}

#[test]
fn the_model_is_found_in_any_cut_and_can_be_replaced() {
    for parts in [
        [("name=\"model\"", "whisper-1"), ("name=\"file\"; filename=\"a\"", "\r\n--a")],
        [("name=\"file\"; filename=\"a\"", "\r\n--a"), ("name=\"model\"", "whisper-1")],
    ] {
        let body = form(&parts);
        let found = read_all_ways(&body).unwrap();
        assert_eq!((found.model.as_str(), found.stream), ("whisper-1", false));
        assert_eq!((found.max_tokens, found.len), (None, body.len()));
        let form = Form::new(TYPE, LIMITS).unwrap();
        let mut replaced = body.clone();
        replaced.splice(found.model_at, form.replacement("another").unwrap());
        let expected = String::from_utf8(body).unwrap().replace("whisper-1", "another");
        assert_eq!(String::from_utf8(replaced).unwrap(), expected);
    }
}

#[test]
fn pushing_to_the_model_stops_at_the_same_byte_in_any_cut() {
    let body = form(&[("name=\"model\"", "whisper-1"), ("name=\"file\"; filename=\"a\"", "a")]);
    let mut whole = Form::new(TYPE, LIMITS).unwrap();
    let stop = whole.push_to_model(&body).unwrap();
    assert!(body[..stop].ends_with(b"whisper-1\r\n--b\r\n"));
    assert_eq!(whole.model().unwrap().0, "whisper-1");
    for cut in 0..stop {
        let mut form = Form::new(TYPE, LIMITS).unwrap();
        assert_eq!(form.push_to_model(&body[..cut]).unwrap(), cut);
        assert_eq!(form.push_to_model(&body[cut..]).unwrap(), stop - cut, "cut at {cut}");
        assert_eq!(form.push_to_model(&body[stop..]).unwrap(), body.len() - stop);
        assert!(form.finish().is_ok());
    }
}
