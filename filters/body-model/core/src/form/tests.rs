//! What forms are taken for, in any cut.

use super::*;

const MAX_MODEL_BYTES: usize = 32;
const TYPE: &[u8] = b"multipart/form-data; boundary=b";

/// A form of these parts, each of which is its header's parameters and its content.
fn form(parts: &[(&str, &str)]) -> Vec<u8> {
    let parts = parts.iter().map(|(parameters, content)| {
        format!("--b\r\nContent-Disposition: form-data; {parameters}\r\n\r\n{content}\r\n")
    });
    let body = parts.collect::<String>() + "--b--\r\n";
    body.into_bytes()
}

/// The model, where it is, and whether a stream is asked for.
type Found = (Named, bool);

fn read(body: &[u8], cut: usize) -> Result<Found, Refusal> {
    let mut form = Form::new(TYPE, MAX_MODEL_BYTES).unwrap();
    form.push(&body[..cut], 0)?;
    form.push(&body[cut..], 0)?;
    form.finish()?;
    Ok((form.model()?.ok_or(Refusal::MissingModel)?, form.stream()?))
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
        assert_eq!((found.0.name.as_str(), found.1), ("whisper-1", false));
        let form = Form::new(TYPE, MAX_MODEL_BYTES).unwrap();
        let mut replaced = body.clone();
        replaced.splice(found.0.at, form.replacement("another").unwrap());
        let expected = String::from_utf8(body).unwrap().replace("whisper-1", "another");
        assert_eq!(String::from_utf8(replaced).unwrap(), expected);
    }
}

#[test]
fn pushing_to_the_model_stops_at_the_same_byte_in_any_cut() {
    let body = form(&[("name=\"model\"", "whisper-1"), ("name=\"file\"; filename=\"a\"", "a")]);
    let mut whole = Form::new(TYPE, MAX_MODEL_BYTES).unwrap();
    let stop = whole.push(&body, 1 << MODEL).unwrap();
    assert!(body[..stop].ends_with(b"whisper-1\r\n--b\r\n"));
    assert_eq!(whole.model().unwrap().unwrap().name, "whisper-1");
    for cut in 0..stop {
        let mut form = Form::new(TYPE, MAX_MODEL_BYTES).unwrap();
        assert_eq!(form.push(&body[..cut], 1 << MODEL).unwrap(), cut);
        assert_eq!(form.push(&body[cut..], 1 << MODEL).unwrap(), stop - cut, "cut at {cut}");
        assert_eq!(form.push(&body[stop..], 1 << MODEL).unwrap(), body.len() - stop);
        assert!(form.finish().is_ok());
    }
}
