//! Bodies as clients write them, tables for single rules, and properties of generated forms.

mod clients;
mod properties;

use super::*;
use crate::boundary;

const WANTED: &[Wanted] = &[Wanted { name: "model", keep: 16 }, Wanted { name: "stream", keep: 5 }];
const MODEL: &str = "Content-Disposition: form-data; name=\"model\"\r\n\r\n";

fn of(text: &str) -> Boundary {
    boundary(format!("multipart/form-data; boundary=\"{text}\"").as_bytes()).unwrap()
}

/// Scans `body` cut at `cuts` (ascending).
fn scan(of: &Boundary, limits: Limits, body: &[u8], cuts: &[usize]) -> Result<Scanner, Error> {
    let mut scanner = Scanner::new(of, WANTED, limits);
    let mut from = 0;
    for &cut in cuts.iter().chain([&body.len()]) {
        if let Err(error) = scanner.push(&body[from..cut.max(from)]) {
            assert_eq!(scanner.push(b"--b"), Err(error), "an error stays");
            assert_eq!(scanner.finish(), Err(error), "an error stays");
            return Err(error);
        }
        from = cut.max(from);
    }
    scanner.finish().map(|()| scanner)
}

/// Scans whole, by byte, and at every two-way cut; asserts that it makes no difference.
fn scan_all_ways(of: &Boundary, limits: Limits, body: &[u8]) -> Result<Vec<Field>, Error> {
    let whole = scan(of, limits, body, &[]).map(|scanner| scanner.fields);
    let bytes: Vec<usize> = (0..body.len()).collect();
    for cuts in (0..body.len()).map(|cut| vec![cut]).chain([bytes]) {
        let other = scan(of, limits, body, &cuts).map(|scanner| scanner.fields);
        assert_eq!(other, whole, "{} cut at {cuts:?}", String::from_utf8_lossy(body));
    }
    whole
}

/// What becomes of `text`, with boundary `b`, in which `¦` is where the error is to be.
fn assert_malformed(text: &str, reason: Reason) {
    let offset = text.find('¦').unwrap_or_else(|| panic!("no mark in {text}"));
    let body = text.replace('¦', "");
    let expected = Error::Malformed { offset, reason };
    let result = scan_all_ways(&of("b"), Limits::default(), body.as_bytes());
    assert_eq!(result, Err(expected), "{text}");
}

#[test]
fn fields_are_found_wherever_they_are() {
    let file = "--b\r\nContent-Disposition: form-data; name=\"file\"; filename=\"a.wav\"\r\n\
        Content-Type: audio/wav\r\n\r\n\r\n-\r\n--\r\n--a--\r\r\n\n\r\n\r\n-b\0\u{ff}\r\n";
    let model = format!("--b\r\n{MODEL}whisper-1\r\n");
    let stream = "--b\r\nContent-Disposition: form-data; name=stream\r\n\r\ntrue\r\n";
    for parts in [[file, &model, stream], [stream, file, &model], [&model, stream, file]] {
        let body = parts.concat() + "--b--\r\n";
        let fields = scan_all_ways(&of("b"), Limits::default(), body.as_bytes()).unwrap();
        for (field, text) in fields.iter().zip(["whisper-1", "true"]) {
            assert_eq!((field.count, field.exact, field.is_file), (1, 1, false));
            assert_eq!(field.text(), Some(text));
            assert_eq!(&body[field.range.clone().unwrap()], text);
        }
    }
}

#[test]
fn forms_may_be_empty_and_have_line_breaks_around_them() {
    for body in ["--b--", "--b--\r\n", "\r\n--b--", "\r\n--b--\r\n\r\n\r\n"] {
        let fields = scan_all_ways(&of("b"), Limits::default(), body.as_bytes());
        assert_eq!(fields, Ok(vec![Field::default(); 2]), "{body:?}");
    }
}

#[test]
fn contents_are_bytes_up_to_the_delimiter() {
    for content in ["", "\r\n", "\r", "\n", "\r\n\r\n", "a\r\n", "\r\n-", "\r\n--", "--", "-\u{fc}"]
    {
        let body = format!("--b\r\n{MODEL}{content}\r\n--b--");
        let fields = scan_all_ways(&of("b"), Limits::default(), body.as_bytes()).unwrap();
        assert_eq!(fields[0].text(), Some(content), "{content:?}");
        assert_eq!(&body[fields[0].range.clone().unwrap()], content, "{content:?}");
    }
    let body = [&b"--b\r\n"[..], MODEL.as_bytes(), b"\xff\r\n--b--"].concat();
    let fields = scan_all_ways(&of("b"), Limits::default(), &body).unwrap();
    assert_eq!((fields[0].raw(), fields[0].text()), (Some(&b"\xff"[..]), None));
}

#[test]
fn boundaries_that_match_themselves_are_found() {
    for name in ["-", "--", "-----", "a--", "--a", "-a-", "a--a", "aba", "a b", &"-".repeat(70)] {
        for content in
            ["", "-", "--", "---", "\r\n-", "\r\n--", "a", "\r\n--a", "\r\n-a", "\r\n--ab"]
        {
            if format!("{content}\r\n").contains(&format!("--{name}")) {
                continue;
            }
            let body = format!("--{name}\r\n{MODEL}{content}\r\n--{name}--\r\n");
            let fields = scan_all_ways(&of(name), Limits::default(), body.as_bytes());
            let fields = fields.unwrap_or_else(|error| panic!("{name:?} {content:?}: {error}"));
            assert_eq!(fields[0].text(), Some(content), "{name:?}");
        }
    }
}

// What other parsers make of these bodies was tried with python-multipart 0.0.34, werkzeug 3.1,
// Django 5.2, busboy 1.6, formidable 3.5, undici (Node 20) and multer 3.1 (Rust).
#[test]
fn delimiters_that_parsers_read_differently_are_refused() {
    for (text, reason) in [
        // Preambles: python-multipart refuses most, the others skip them.
        ("¦x\r\n--b--", Reason::Start),
        ("¦\n--b--", Reason::Start),
        ("\r¦--b--", Reason::Start),
        ("\r\n¦\r\n--b--", Reason::Start),
        ("-¦b--", Reason::Start),
        ("--¦c--", Reason::Start),
        // Padding: a delimiter to Go and werkzeug, content to python-multipart.
        ("--b¦ \r\n", Reason::Delimiter),
        (&format!("--b\r\n{MODEL}a\r\n--b¦\t\r\n"), Reason::Delimiter),
        // RFC 2046 takes this for a delimiter, most parsers do not.
        (&format!("--b\r\n{MODEL}a\r\n--b¦c\r\n"), Reason::Delimiter),
        (&format!("--b\r\n{MODEL}a\r\n--b-¦\r\n"), Reason::Delimiter),
        // Bare line breaks: delimiters to werkzeug.
        (&format!("--b\r\n{MODEL}a\n¦--b--"), Reason::Delimiter),
        (&format!("--b\r\n{MODEL}a\r¦--b--"), Reason::Delimiter),
        (&format!("--b\r\n{MODEL}a\r\r¦--b--"), Reason::Delimiter),
        (&format!("--b\r\n{MODEL}a\n\n¦--b--"), Reason::Delimiter),
        (&format!("--b\r\n{MODEL}a\r\n\n¦--b--"), Reason::Delimiter),
        // In mid-line: a delimiter to Django.
        (&format!("--b\r\n{MODEL}a¦--b--"), Reason::Delimiter),
        (&format!("--b\r\n{MODEL}a\r\n-¦--b--"), Reason::Delimiter),
        (&format!("--b\r\n{MODEL}a\r\n--c¦--b--"), Reason::Delimiter),
        // Right behind the headers: an empty part to Go, content to python-multipart.
        (&format!("--b\r\n{MODEL}¦--b--"), Reason::Delimiter),
        (&format!("--b\r\n{MODEL}\n¦--b--"), Reason::Delimiter),
        // In headers.
        ("--b\r\n¦--b: a\r\n", Reason::Delimiter),
        ("--b\r\n¦Content-Disposition: form-data; name=\"--b\"\r\n", Reason::Delimiter),
        ("--b\r\n¦--b--\r\n", Reason::Delimiter),
        // Line breaks.
        ("--b¦\n", Reason::LineBreak),
        ("--b\r¦\r\n", Reason::LineBreak),
        // Epilogues: Django reads parts of them.
        ("--b--¦x", Reason::Epilogue),
        ("--b--¦\n", Reason::Epilogue),
        ("--b--¦ \r\n", Reason::Epilogue),
        ("--b--¦-", Reason::Epilogue),
        ("--b--\r¦x", Reason::Epilogue),
        (&format!("--b--\r\n¦--b\r\n{MODEL}a\r\n--b--"), Reason::Epilogue),
    ] {
        assert_malformed(text, reason);
    }
}

#[test]
fn a_body_is_incomplete_up_to_its_closing_delimiter() {
    let body = format!("\r\n--b\r\n{MODEL}a\r\n--b--");
    for end in 0..body.len() {
        let cut_off = scan_all_ways(&of("b"), Limits::default(), &body.as_bytes()[..end]);
        assert_eq!(cut_off, Err(Error::Incomplete), "{end}");
    }
    assert!(scan_all_ways(&of("b"), Limits::default(), body.as_bytes()).is_ok());
    let open = scan_all_ways(&of("b"), Limits::default(), format!("{body}\r").as_bytes());
    assert_eq!(open, Err(Error::Incomplete));
}

#[test]
fn headers_are_lines_of_name_and_value() {
    for (headers, reason) in [
        ("¦\r\n", Reason::Disposition),
        ("Content-Type: text/plain\r\n¦\r\n", Reason::Disposition),
        ("¦Content-Disposition: form-data; name=\"model\"\n\r\n", Reason::LineBreak),
        ("X: y\r\n¦\n", Reason::LineBreak),
        ("¦X: y\r\r\n", Reason::Header),
        ("¦X: y\rContent-Disposition: form-data; name=\"model\"\r\n", Reason::Header),
        ("¦X: \0\r\n", Reason::Header),
        ("¦X: \u{7f}\r\n", Reason::Header),
        ("¦X\r\n", Reason::Header),
        ("¦: y\r\n", Reason::Header),
        ("¦X : y\r\n", Reason::Header),
        ("¦X\t: y\r\n", Reason::Header),
        ("¦ X: y\r\n", Reason::Header),
        ("X: y\r\n¦ folded: z\r\n", Reason::Header),
        ("X: y\r\n¦\tfolded\r\n", Reason::Header),
        ("¦Ü: y\r\n", Reason::Header),
        ("Content-Type: text/plain\r\n¦content-type: text/plain\r\n", Reason::Header),
        (
            "Content-Transfer-Encoding: binary\r\n¦Content-Transfer-Encoding: binary\r\n",
            Reason::Header,
        ),
        (
            "Content-Disposition: form-data; name=\"a\"\r\n\
             ¦CONTENT-DISPOSITION: form-data; name=\"a\"\r\n",
            Reason::Disposition,
        ),
        ("¦Content-Disposition: attachment; name=\"a\"\r\n", Reason::Disposition),
        ("Content-Disposition: form-data; name=\"_charset_\"\r\n¦\r\nutf-8", Reason::Charset),
        ("Content-Disposition: form-data; name=\"_Charset_\"\r\n¦\r\nutf-8", Reason::Charset),
    ] {
        assert_malformed(&format!("--b\r\n{headers}"), reason);
    }
    // Not looked at, whatever they say.
    let body =
        "--b\r\nX:\r\nX: ü;\"\r\ncontent-disposition:\t form-data; name=model \r\n\r\na\r\n--b--";
    let fields = scan_all_ways(&of("b"), Limits::default(), body.as_bytes()).unwrap();
    assert_eq!(fields[0].text(), Some("a"));
}

#[test]
fn wanted_fields_are_text_as_it_stands() {
    for (header, encoded, is_file) in [
        ("Content-Type: text/plain", false, false),
        ("Content-Type: Text/Plain;charset=UTF-8", false, false),
        ("Content-Type: text/plain; charset=\"utf-8\"", false, false),
        ("Content-Type: text/plain; charset=us-ascii", false, false),
        ("Content-Transfer-Encoding: 8bit", false, false),
        ("Content-Transfer-Encoding: 7BIT", false, false),
        ("content-transfer-encoding: binary", false, false),
        ("Content-Length: 1", false, false),
        // A file to busboy, text to python-multipart.
        ("Content-Type: application/octet-stream", false, true),
        ("Content-Type: text/plain; charset=utf-16", true, false),
        ("Content-Type: text/plain; charset=iso-8859-1", true, false),
        ("Content-Type: text/plain; charset=utf-8; charset=utf-16", true, false),
        ("Content-Type: text/plain; format=flowed", true, false),
        ("Content-Type: text/plain;", true, false),
        ("Content-Type: application/json", true, false),
        ("Content-Type: multipart/mixed; boundary=c", true, false),
        ("Content-Type:", true, false),
        ("Content-Transfer-Encoding: base64", true, false),
        ("Content-Transfer-Encoding: quoted-printable", true, false),
        ("Content-Transfer-Encoding: 8bit, base64", true, false),
        ("Content-Transfer-Encoding:", true, false),
        ("Content-Encoding: gzip", true, false),
    ] {
        let disposition = "Content-Disposition: form-data; name=";
        let parts = [
            (format!("{disposition}\"model\"\r\n{header}\r\n"), true),
            (format!("{header}\r\n{disposition}\"model\"\r\n"), true),
            (format!("{disposition}\"Model\"\r\n{header}\r\n"), true),
            (format!("{disposition}\"file\"\r\n{header}\r\n"), false),
        ];
        for (headers, wanted) in parts {
            let body = format!("--b\r\n{headers}\r\na\r\n--b--");
            let fields = scan_all_ways(&of("b"), Limits::default(), body.as_bytes());
            if encoded && wanted {
                let offset = 5 + headers.len();
                let expected = Error::Malformed { offset, reason: Reason::Encoding };
                assert_eq!(fields, Err(expected), "{headers}");
            } else {
                let model = &fields.unwrap()[0];
                assert_eq!(model.count, u32::from(wanted), "{headers}");
                assert_eq!(model.is_file, is_file && wanted, "{headers}");
            }
        }
    }
}

#[test]
fn parts_that_some_parser_takes_for_the_same_count() {
    let part = |name: &str, content: &str| {
        format!("--b\r\nContent-Disposition: form-data; name=\"{name}\"\r\n\r\n{content}\r\n")
    };
    for (parts, count, exact, text) in [
        (part("model", "a") + &part("model", "b"), 2, 2, Some("b")),
        (part("model", "a") + &part("Model", "b"), 2, 1, Some("a")),
        (part("model[]", "b") + &part("model", "a"), 2, 1, Some("a")),
        (part("%6dodel", "b"), 1, 0, None),
        (part("models", "b") + &part("mode", "c"), 0, 0, None),
    ] {
        let fields =
            scan_all_ways(&of("b"), Limits::default(), (parts.clone() + "--b--").as_bytes());
        let model = &fields.unwrap()[0];
        assert_eq!((model.count, model.exact, model.text()), (count, exact, text), "{parts}");
    }
}

#[test]
fn files_are_marked_in_any_of_the_parts() {
    for file in ["name=\"model\"; filename=\"a\"", "filename*=utf-8''a; name=Model"] {
        let body = format!(
            "--b\r\nContent-Disposition: form-data; {file}\r\n\r\na\r\n--b\r\n{MODEL}b\r\n--b--"
        );
        let fields = scan_all_ways(&of("b"), Limits::default(), body.as_bytes()).unwrap();
        assert_eq!((fields[0].count, fields[0].is_file), (2, true), "{file}");
        assert_eq!(fields[0].text(), Some("b"), "{file}");
    }
}

#[test]
fn contents_are_kept_up_to_their_size() {
    for (len, kept) in [(0, true), (15, true), (16, true), (17, false), (25, false), (300, false)] {
        let content = "m".repeat(len);
        let part = format!("--b\r\n{MODEL}{content}\r\n");
        let body = format!("{part}--b--");
        let fields = scan_all_ways(&of("b"), Limits::default(), body.as_bytes()).unwrap();
        let text = kept.then_some(content.as_str());
        assert_eq!((fields[0].text(), fields[0].too_long()), (text, !kept), "{len}");
        assert_eq!(&body[fields[0].range.clone().unwrap()], content, "{len}");
        // What one part had too much does not count for the next.
        let body = format!("{part}--b\r\n{MODEL}m\r\n--b--");
        let fields = scan_all_ways(&of("b"), Limits::default(), body.as_bytes()).unwrap();
        assert_eq!((fields[0].text(), fields[0].too_long()), (Some("m"), false), "{len}");
    }
    // Bytes are not held while it is not known yet that they are too many.
    let mut scanner = Scanner::new(&of("b"), WANTED, Limits::default());
    scanner.push(format!("--b\r\n{MODEL}").as_bytes()).unwrap();
    for _ in 0..1000 {
        scanner.push(b"m").unwrap();
        assert!(scanner.fields[0].raw_len() <= 16 + 5);
    }
}

#[test]
fn limits_are_what_is_still_taken() {
    let headers = "X: y\r\nContent-Disposition: form-data; name=\"model\"\r\n\r\n";
    let part = format!("--b\r\n{headers}a\r\n");
    let body = [part.as_str(), &part, "--b--"].concat();
    let exact = Limits { header_bytes: headers.len(), headers: 2, parts: 2 };
    let result = |limits| scan_all_ways(&of("b"), limits, body.as_bytes()).map(drop);
    let error = |offset, reason| Err(Error::Malformed { offset, reason });
    assert_eq!(result(exact), Ok(()));
    for less in 1..=headers.len() {
        let header_bytes = headers.len() - less;
        let limits = Limits { header_bytes, ..exact };
        assert_eq!(result(limits), error(5 + header_bytes, Reason::HeaderBytes));
    }
    assert_eq!(result(Limits { headers: 1, ..exact }), error(11, Reason::Headers));
    assert_eq!(result(Limits { headers: 0, ..exact }), error(5, Reason::Headers));
    assert_eq!(result(Limits { parts: 1, ..exact }), error(part.len() + 4, Reason::Parts));
    assert_eq!(result(Limits { parts: 0, ..exact }), error(4, Reason::Parts));
    let none = Limits { header_bytes: 0, headers: 0, parts: 0 };
    assert_eq!(scan_all_ways(&of("b"), none, b"--b--").map(drop), Ok(()));
}

#[test]
fn pushing_stops_at_the_same_byte_in_any_cut() {
    let stream = "Content-Disposition: form-data; name=\"stream\"\r\n\r\ntrue";
    let file = "Content-Disposition: form-data; name=\"file\"\r\n\r\nfile";
    let body = format!("--b\r\n{MODEL}a\r\n--b\r\n{file}\r\n--b\r\n{stream}\r\n--b--\r\n");
    let behind_model = body.find(file).unwrap();
    let behind_stream = body.len() - 2;
    let all = body.len();
    for (stop, expected) in [
        (0, vec![all]),
        (0b100, vec![all]),
        (u32::MAX << 2, vec![all]),
        (0b01, vec![behind_model, all]),
        (0b10, vec![behind_stream, all]),
        (0b11, vec![behind_model, behind_stream, all]),
    ] {
        for cut in 0..=all {
            let mut scanner = Scanner::new(&of("b"), WANTED, Limits::default());
            let (mut at, mut stops) = (0, Vec::new());
            for end in [cut, all] {
                while at < end {
                    at += scanner.push_to_field(&body.as_bytes()[at..end], stop).unwrap();
                    stops.push(at);
                    if at == behind_model && stop & 1 != 0 {
                        assert_eq!(scanner.field(0).text(), Some("a"));
                    }
                }
            }
            stops.retain(|stop| *stop != cut || expected.contains(stop));
            assert_eq!(stops, expected, "{stop:b} cut at {cut}");
            assert_eq!(scanner.finish(), Ok(()));
        }
    }
}

#[test]
fn names_of_fields_that_are_not_wanted_are_absent() {
    let scanner = Scanner::new(&of("b"), WANTED, Limits::default());
    assert_eq!(*scanner.field(2), Field::default());
    assert_eq!(*scanner.field(usize::MAX), Field::default());
}

#[test]
fn what_has_the_boundary_in_it_cannot_be_held() {
    let scanner = Scanner::new(&of("gpt"), WANTED, Limits::default());
    for (content, fits) in [("gpt-4", true), ("-gpt", true), ("a--gpt-4", false), ("--gpt", false)]
    {
        assert_eq!(scanner.can_hold(content.as_bytes()), fits, "{content}");
    }
}

#[test]
fn errors_say_what_was_expected_and_where() {
    let error = Error::Malformed { offset: 7, reason: Reason::LineBreak };
    assert_eq!(error.to_string(), "expected lines to end in CR LF at byte 7");
    assert_eq!(Error::Incomplete.to_string(), "the form ends before its closing boundary");
}
