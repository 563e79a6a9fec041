//! A part's `Content-Disposition`: RFC 7578 §4.2, and how parsers read what it does not say.

use crate::Wanted;
use crate::parameter::{Parameter, is_token, next, split};

/// What a part is.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Disposition {
    pub(crate) field: Name,
    pub(crate) is_file: bool,
}

/// Which field.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Name {
    /// `_charset_`
    Charset,
    /// No wanted one.
    Other,
    /// The wanted one of this index, if not exactly so to some parser.
    Wanted { index: usize, exact: bool },
}

/// Reads the header's value.
///
/// # Errors
///
/// If it is not `form-data` with one `name`, or if another parser could find another name in it.
pub(crate) fn read(header: &[u8], wanted: &[Wanted]) -> Result<Disposition, ()> {
    let (kind, mut rest) = split(header);
    if !kind.eq_ignore_ascii_case(b"form-data") {
        return Err(());
    }
    // Whether the quote ends the value: yes in browsers, no in RFC 9110; for `\\"`, the other way
    // round in Python. With a `;` in quotes they would find different parameters.
    let unclear_quote = header.windows(2).any(|two| two == b"\\\"");
    let (mut name, mut is_file, mut others) = (None, false, false);
    while let Some(parameter) = next(&mut rest)? {
        // In lower case: `Name` is none to multer (Rust) and undici.
        if parameter.name == b"name" {
            if name.replace(parameter).is_some() {
                return Err(());
            }
        } else if parameter.is("filename") || parameter.is("filename*") {
            is_file = true;
        } else if contains(parameter.name, b"name") {
            // `name*`, `name*0`, which only some read; and `x-name`, to a regular expression.
            return Err(());
        } else {
            others = true;
        }
        if !parameter.quoted && !parameter.value.iter().copied().all(is_token)
            || unclear_quote && parameter.value.contains(&b';')
            // What a regular expression finds first (formidable).
            || contains_name(parameter.value)
        {
            return Err(());
        }
    }
    let field = which(name.ok_or(())?, wanted)?;
    if matches!(field, Name::Wanted { .. }) && (unclear_quote || others) {
        return Err(());
    }
    Ok(Disposition { field, is_file })
}

fn which(name: Parameter<'_>, wanted: &[Wanted]) -> Result<Name, ()> {
    // RFC 2047, which some decode.
    if name.value.windows(2).any(|two| two == b"=?") {
        return Err(());
    }
    let folded = fold(name.value);
    if folded == b"_charset_" {
        return Ok(Name::Charset);
    }
    let found = wanted.iter().position(|wanted| wanted.name.as_bytes() == folded);
    Ok(match found.and_then(|index| wanted.get(index).map(|wanted| (index, wanted))) {
        Some((index, wanted)) => {
            Name::Wanted { index, exact: wanted.name.as_bytes() == name.value }
        }
        None => Name::Other,
    })
}

/// The name that is left when a parser unescapes, percent-decodes, trims, takes `name[…]` for an
/// array or object `name`, and compares without case: whoever does only some of that finds a name
/// that is either the same, or not one of lower-case letters.
fn fold(mut name: &[u8]) -> Vec<u8> {
    let mut folded = Vec::with_capacity(name.len());
    loop {
        let (byte, rest) = match name {
            [] => break,
            [b'\\', rest @ ..] => {
                name = rest;
                continue;
            }
            [b'%', high, low, rest @ ..] => match (hex(*high), hex(*low)) {
                (Some(high), Some(low)) => (high << 4 | low, rest),
                _ => (b'%', name.get(1..).unwrap_or_default()),
            },
            [byte, rest @ ..] => (*byte, rest),
        };
        name = rest;
        folded.push(byte.to_ascii_lowercase());
        // Letters that fold into ASCII: long s, Kelvin sign.
        for (wide, letter) in [(&b"\xc5\xbf"[..], b's'), (b"\xe2\x84\xaa", b'k')] {
            if folded.ends_with(wide) {
                folded.truncate(folded.len() - wide.len());
                folded.push(letter);
            }
        }
    }
    let end = folded.iter().position(|b| *b == b'[').unwrap_or(folded.len());
    folded.truncate(end);
    folded.trim_ascii().to_vec()
}

fn hex(digit: u8) -> Option<u8> {
    char::from(digit).to_digit(16).and_then(|digit| u8::try_from(digit).ok())
}

fn contains(text: &[u8], what: &[u8]) -> bool {
    text.windows(what.len()).any(|part| part.eq_ignore_ascii_case(what))
}

/// Whether `name=` is a word in `text`.
fn contains_name(text: &[u8]) -> bool {
    text.windows(5).enumerate().any(|(at, part)| {
        let before = at.checked_sub(1).and_then(|at| text.get(at));
        part.eq_ignore_ascii_case(b"name=")
            && !before.is_some_and(|b| b.is_ascii_alphanumeric() || *b == b'_')
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const WANTED: &[Wanted] =
        &[Wanted { name: "model", keep: 1 }, Wanted { name: "stream", keep: 1 }];
    const MODEL: Name = Name::Wanted { index: 0, exact: true };
    const FOLDED: Name = Name::Wanted { index: 0, exact: false };

    #[test]
    fn names_are_read_as_all_parsers_do() {
        for (header, field, is_file) in [
            ("form-data; name=\"model\"", MODEL, false),
            ("Form-Data;name=model", MODEL, false),
            ("form-data ;\t name=\"model\" ", MODEL, false),
            ("form-data; name=\"stream\"", Name::Wanted { index: 1, exact: true }, false),
            ("form-data; name=\"model\"; filename=\"a\"", MODEL, true),
            ("form-data; filename=a; name=model", MODEL, true),
            ("form-data; name=model; filename*=utf-8''a%20b", MODEL, true),
            ("form-data; name=\"model\"; filename=\"\"", MODEL, true),
            ("form-data; name=\"file\"; filename=\"a;b%22\\c=d.wav\"", Name::Other, true),
            ("form-data; name=\"file\"; filename=\"a\\\"b\\\\\"", Name::Other, true),
            ("form-data; name=\"file\"; filename=\"ü\"", Name::Other, true),
            ("form-data; name=\"file\"; filename=\"filename=a\"", Name::Other, true),
            ("form-data; name=\"file\"; size=3; x=\"y\"", Name::Other, false),
            ("form-data; name=\"\"", Name::Other, false),
            ("form-data; name=\"models\"", Name::Other, false),
            ("form-data; name=\"a[model]\"", Name::Other, false),
            ("form-data; name=\"_charset_\"", Name::Charset, false),
            ("form-data; name=\"_CHARSET_[]\"", Name::Charset, false),
        ] {
            let expected = Ok(Disposition { field, is_file });
            assert_eq!(read(header.as_bytes(), WANTED), expected, "{header}");
        }
    }

    #[test]
    fn names_that_some_parser_takes_for_the_same_are_not_exact() {
        for name in [
            "Model",
            "MODEL",
            "%6dodel",
            "%6Dodel",
            "mo\\del",
            "\\model",
            "model[]",
            "model[a]",
            "model%5B%5D",
            " model",
            "model ",
            "%20model",
            "%4D%4f%44%45%4c",
            "model%00[",
        ] {
            let header = format!("form-data; name=\"{name}\"");
            let field = if name.contains("%00") { Name::Other } else { FOLDED };
            let expected = Ok(Disposition { field, is_file: false });
            assert_eq!(read(header.as_bytes(), WANTED), expected, "{name}");
        }
        for name in ["ſtream", "%C5%BFtream", "%c5\\%bFTREAM"] {
            let header = format!("form-data; name=\"{name}\"");
            let field = Name::Wanted { index: 1, exact: false };
            let expected = Ok(Disposition { field, is_file: false });
            assert_eq!(read(header.as_bytes(), WANTED), expected, "{name}");
        }
        for name in
            ["m", "mode", "modell", "%256dodel", "%6", "%", "model%", "%6godel", "mo del", "[]"]
        {
            let header = format!("form-data; name=\"{name}\"");
            let expected = Ok(Disposition { field: Name::Other, is_file: false });
            assert_eq!(read(header.as_bytes(), WANTED), expected, "{name}");
        }
    }

    #[test]
    fn what_parsers_read_differently_is_refused() {
        for header in [
            "",
            "form-data",
            "form-data;",
            "attachment; name=\"model\"",
            "\"form-data\"; name=\"model\"",
            "form-data name=\"model\"",
            "form-data, name=\"model\"",
            "form-data; filename=\"a\"",
            "form-data; Name=\"model\"",
            "form-data; name",
            "form-data; name=",
            "form-data; name=\"model\";",
            "form-data;; name=\"model\"",
            "form-data; name =\"model\"",
            "form-data; name= \"model\"",
            "form-data; name=\"model\"x",
            "form-data; name=\"model\" x",
            "form-data; name=\"model",
            "form-data; name=\"model\\\"",
            "form-data; name=mo\"del\"",
            "form-data; name=model[]",
            "form-data; name='a b'",
            "form-data; name=mödel",
            // Go takes none of two, Python the last, busboy the first.
            "form-data; name=\"a\"; name=\"model\"",
            "form-data; name=\"a\"; Name=\"model\"",
            // RFC 2231: Go and busboy decode it, python-multipart does not.
            "form-data; name*=utf-8''model",
            "form-data; name=\"a\"; name*=utf-8''model",
            "form-data; name*0=mo; name*1=del",
            // RFC 2047: commons-fileupload decodes it.
            "form-data; name=\"=?utf-8?Q?model?=\"",
            // Where quotes end.
            "form-data; name=\"a\"; filename=\"b\\\"; name=\"model\"",
            "form-data; name=\"a\"; filename=\"b\\\\\"; x=\"c;d\"",
            "form-data; filename=\"a\\\"b\"; name=\"; name=model; x=\"",
            "form-data; name=\"model\"; filename=\"a\\\"b\"",
            "form-data; name=\"model\\\"\"; x=\"\\\"\"; y=\";\"",
            // What a search for `name=` finds (formidable).
            "form-data; filename=\"name=model\"; name=\"a\"",
            "form-data; name=\"a\"; filename=\"x; name=model\"",
            "form-data; x-name=model; name=\"a\"",
            "form-data; xname=model; name=\"a\"",
            "form-data; name=\"a\"; filename=NAME=model",
            // Go takes no name where any parameter occurs twice.
            "form-data; x=1; x=2; name=\"model\"",
            "form-data; name=\"model\"; x=1",
        ] {
            assert_eq!(read(header.as_bytes(), WANTED), Err(()), "{header}");
        }
    }
}
