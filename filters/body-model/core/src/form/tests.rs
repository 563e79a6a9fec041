//! What forms are taken for, in any cut.

use super::*;

const MOST: usize = 32;
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
type Found = (Option<Named>, bool);

fn read(body: &[u8], cut: usize) -> Result<Found, Refusal> {
    let mut form = Form::new(TYPE, MOST)?;
    for piece in [&body[..cut], &body[cut..]] {
        assert_eq!(form.push(piece, 0)?, piece.len());
    }
    found(form)
}

fn found(mut form: Form) -> Result<Found, Refusal> {
    form.finish()?;
    Ok((form.model()?, form.stream()?))
}

fn read_all_ways(body: &[u8]) -> Result<Found, Refusal> {
    let whole = read(body, 0);
    for cut in 0..=body.len() {
        assert_eq!(read(body, cut), whole, "cut at {cut}");
    }
    let mut bytes = Form::new(TYPE, MOST)?;
    let pushed = body.iter().try_for_each(|byte| bytes.push(&[*byte], 0).map(drop));
    assert_eq!(pushed.and_then(|()| found(bytes)), whole, "byte by byte");
    whole
}

/// What a form with this model, and this for `stream`, is taken for.
fn fields(model: &str, stream: &[&str]) -> Result<(String, bool), Refusal> {
    let mut parts = vec![("name=\"model\"", model)];
    parts.extend(stream.iter().map(|stream| ("name=\"stream\"", *stream)));
    read_all_ways(&form(&parts)).map(|(model, stream)| (model.unwrap().name, stream))
}

#[test]
fn the_model_is_found_before_and_behind_a_file_and_can_be_replaced() {
    let file = ("name=\"file\"; filename=\"a\"", "\r\n--a");
    let model = ("name=\"model\"", "whisper-1");
    for parts in [[model, file], [file, model]] {
        let body = form(&parts);
        let (model, stream) = read_all_ways(&body).unwrap();
        let model = model.unwrap();
        assert_eq!((model.name.as_str(), stream), ("whisper-1", false));
        let mut replaced = body.clone();
        let with = Form::new(TYPE, MOST).unwrap().replacement("another").unwrap();
        replaced.splice(model.at, with);
        let expected = String::from_utf8(body).unwrap().replace("whisper-1", "another");
        assert_eq!(String::from_utf8(replaced).unwrap(), expected);
    }
}

#[test]
fn a_model_with_the_boundary_in_it_is_not_written() {
    let body = form(&[("name=\"model\"", "alias")]);
    let mut form = Form::new(TYPE, MOST).unwrap();
    form.push(&body, 0).unwrap();
    let offset = form.model().unwrap().unwrap().at.start;
    let refusal = Refusal::Form(Error::Malformed { offset, reason: Reason::Delimiter });
    assert_eq!(form.replacement("a--b"), Err(refusal));
    assert_eq!(form.replacement("a-b"), Ok(b"a-b".to_vec()));
}

#[test]
fn pushing_stops_behind_the_model_at_the_same_byte_in_any_cut() {
    let body = form(&[("name=\"model\"", "whisper-1"), ("name=\"file\"; filename=\"a\"", "a")]);
    let mut whole = Form::new(TYPE, MOST).unwrap();
    let stop = whole.push(&body, 1 << MODEL).unwrap();
    assert!(body[..stop].ends_with(b"whisper-1\r\n--b\r\n"));
    assert_eq!(whole.model().unwrap().unwrap().name, "whisper-1");
    assert!(whole.has(1 << MODEL) && !whole.has(1 << MODEL | 1 << STREAM));
    for cut in 0..stop {
        let mut form = Form::new(TYPE, MOST).unwrap();
        assert_eq!(form.push(&body[..cut], 1 << MODEL), Ok(cut));
        assert_eq!(form.push(&body[cut..], 1 << MODEL), Ok(stop - cut), "cut at {cut}");
        assert_eq!(form.push(&body[stop..], 1 << MODEL), Ok(body.len() - stop));
        assert_eq!(form.finish(), Ok(()));
    }
}

#[test]
fn models_are_names_as_they_stand() {
    let taken = |model: &str| Ok((model.to_owned(), false));
    let refused = |reason: InvalidModel| Err(Refusal::InvalidModel(reason));
    let (longest, too_long) = ("m".repeat(32), "m".repeat(33));
    let far_too_long = "m".repeat(MOST_MODEL_BYTES + 1);
    for (model, expected) in [
        ("whisper-1", taken("whisper-1")),
        ("\"whisper-1\"", taken("\"whisper-1\"")),
        ("ünï\\code %20", taken("ünï\\code %20")),
        (&longest, taken(&longest)),
        (&too_long, refused(InvalidModel::TooLong { limit: 32 })),
        ("", refused(InvalidModel::Empty)),
        (" a", refused(InvalidModel::Space)),
        ("a\u{a0}", refused(InvalidModel::Space)),
        ("a\r\nb", refused(InvalidModel::Control)),
        ("a\0", refused(InvalidModel::Control)),
        ("\u{feff}a", refused(InvalidModel::NotText)),
    ] {
        assert_eq!(fields(model, &[]), expected, "{model}");
    }
    let result = read(&form(&[("name=\"model\"", &far_too_long)]), 0);
    assert_eq!(result, Err(InvalidModel::TooLong { limit: 32 }.into()));
    let mut not_utf8 = form(&[("name=\"model\"", "a")]);
    *not_utf8.iter_mut().rfind(|byte| **byte == b'a').unwrap() = 0xff;
    assert_eq!(read_all_ways(&not_utf8), Err(InvalidModel::NotText.into()));
}

#[test]
fn streams_are_asked_for_with_true_in_lower_case() {
    for (stream, expected) in [
        (&[][..], Ok(false)),
        (&["true"], Ok(true)),
        (&["false"], Ok(false)),
        (&["true", "true"], Err(Refusal::Duplicate("stream"))),
        (&[""], Err(Refusal::StreamNotBoolean)),
        (&["True"], Err(Refusal::StreamNotBoolean)),
        (&["1"], Err(Refusal::StreamNotBoolean)),
        (&["on"], Err(Refusal::StreamNotBoolean)),
        (&["null"], Err(Refusal::StreamNotBoolean)),
        (&[" true"], Err(Refusal::StreamNotBoolean)),
        (&["true\r\n"], Err(Refusal::StreamNotBoolean)),
        (&["falsefalse"], Err(Refusal::StreamNotBoolean)),
    ] {
        assert_eq!(fields("m", stream).map(|found| found.1), expected, "{stream:?}");
    }
}

#[test]
fn what_backends_could_read_differently_is_refused() {
    let model = ("name=\"model\"", "a");
    let form_error = |offset, reason| Refusal::Form(Error::Malformed { offset, reason });
    for (parts, expected) in [
        (&[model, model][..], Refusal::Duplicate("model")),
        (&[model, ("name=\"MODEL\"", "b")], Refusal::Duplicate("model")),
        (&[model, ("name=\"model[]\"", "b")], Refusal::Duplicate("model")),
        (&[("name=\"Model\"", "a")], Refusal::MissingModel),
        (&[("name=\"model\"; filename=\"a\"", "a")], InvalidModel::NotText.into()),
        (&[model, ("name=\"stream\"; filename=\"a\"", "true")], Refusal::StreamNotBoolean),
        (&[model, ("name=\"Stream\"", "true")], Refusal::StreamNotBoolean),
        (&[("name=\"_charset_\"", "utf-16")], form_error(55, Reason::Charset)),
        (&[("name=\"a\"; name=\"model\"", "a")], form_error(5, Reason::Disposition)),
    ] {
        assert_eq!(read_all_ways(&form(parts)), Err(expected), "{parts:?}");
    }
    let body = form(&[model]);
    for end in 0..body.len() - 2 {
        let expected = Err(Refusal::Form(Error::Incomplete));
        assert_eq!(read_all_ways(&body[..end]), expected, "{end}");
    }
}

#[test]
fn a_form_without_the_field_names_no_model() {
    for parts in [&[][..], &[("name=\"models\"", "a")]] {
        assert_eq!(read_all_ways(&form(parts)), Ok((None, false)), "{parts:?}");
    }
}

#[test]
fn a_content_type_without_a_boundary_is_refused() {
    use tollgate_multipart::ContentTypeError::{BadBoundary, NoBoundary, NotFormData};
    for (content_type, expected) in [
        ("", NotFormData),
        ("application/json", NotFormData),
        ("multipart/form-data", NoBoundary),
        ("multipart/form-data; boundary=\"\"", BadBoundary),
    ] {
        let result = Form::new(content_type.as_bytes(), MOST).map(drop);
        assert_eq!(result, Err(Refusal::ContentType(expected)), "{content_type}");
    }
}

#[test]
fn clients_are_told_what_is_wrong_without_a_word_of_the_body() {
    let offset = 58;
    for (refusal, code, message) in [
        (
            Refusal::ContentType(tollgate_multipart::ContentTypeError::NoBoundary),
            "invalid_multipart",
            "the body cannot be read as a form: content-type has no boundary",
        ),
        (
            Refusal::Form(Error::Incomplete),
            "invalid_multipart",
            "the body is not a valid multipart form: the form ends before its closing boundary",
        ),
        (
            Refusal::Form(Error::Malformed { offset, reason: Reason::LineBreak }),
            "invalid_multipart",
            "the body is not a valid multipart form: expected lines to end in CR LF at byte 58",
        ),
        (
            InvalidModel::NotText.into(),
            "invalid_model",
            "`model` must be text in UTF-8, not a file",
        ),
    ] {
        assert_eq!(refusal.metric(), format!("tollgate_body_model.refused.{code}"));
        let reply = format!("{:?}", refusal.error());
        assert!(reply.contains(message) && reply.contains(code), "{reply}");
    }
}
