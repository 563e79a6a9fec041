//! Parameters of headers: `; name=value` (RFC 9110 §5.6.6, RFC 2045 §5.1).

/// A parameter as written.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Parameter<'a> {
    pub(crate) name: &'a [u8],
    /// Without quotes, escapes as they are.
    pub(crate) value: &'a [u8],
    pub(crate) quoted: bool,
}

impl Parameter<'_> {
    pub(crate) fn is(&self, name: &str) -> bool {
        self.name.eq_ignore_ascii_case(name.as_bytes())
    }
}

/// The value before the parameters, and the rest.
pub(crate) fn split(header: &[u8]) -> (&[u8], &[u8]) {
    let end = header.iter().position(|b| *b == b';').unwrap_or(header.len());
    let (value, rest) = header.split_at_checked(end).unwrap_or((header, &[]));
    (trim(value), rest)
}

/// Takes the next parameter off `rest`; `None` at its end.
///
/// # Errors
///
/// If `rest` does not begin with a parameter: an empty one, one without a value, a space before or
/// behind `=`, a quoted value without end or with something behind it.
pub(crate) fn next<'a>(rest: &mut &'a [u8]) -> Result<Option<Parameter<'a>>, ()> {
    let [b';', behind @ ..] = trim_start(rest) else {
        return if trim_start(rest).is_empty() { Ok(None) } else { Err(()) };
    };
    let behind = trim_start(behind);
    let equals = behind.iter().position(|b| !is_token(*b)).ok_or(())?;
    let (name, behind) = behind.split_at_checked(equals).ok_or(())?;
    let behind = behind.strip_prefix(b"=").ok_or(())?;
    let (value, quoted, behind) = match behind {
        [b'"', behind @ ..] => {
            let end = quote(behind).ok_or(())?;
            let (value, behind) = behind.split_at_checked(end).ok_or(())?;
            (value, true, behind.strip_prefix(b"\"").ok_or(())?)
        }
        _ => {
            let end = behind
                .iter()
                .position(|b| matches!(b, b';' | b' ' | b'\t'))
                .unwrap_or(behind.len());
            let (value, behind) = behind.split_at_checked(end).ok_or(())?;
            (value, false, behind)
        }
    };
    if name.is_empty() || (value.is_empty() && !quoted) {
        return Err(());
    }
    *rest = behind;
    Ok(Some(Parameter { name, value, quoted }))
}

/// RFC 9110 §5.6.2: a byte of a token.
pub(crate) fn is_token(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte)
}

/// Without spaces and tabs at both ends.
pub(crate) fn trim(bytes: &[u8]) -> &[u8] {
    let mut bytes = trim_start(bytes);
    while let [rest @ .., b' ' | b'\t'] = bytes {
        bytes = rest;
    }
    bytes
}

fn trim_start(mut bytes: &[u8]) -> &[u8] {
    while let [b' ' | b'\t', rest @ ..] = bytes {
        bytes = rest;
    }
    bytes
}

/// Where the closing quote is.
fn quote(bytes: &[u8]) -> Option<usize> {
    let mut escaped = false;
    bytes.iter().position(|byte| {
        let ends = *byte == b'"' && !escaped;
        escaped = *byte == b'\\' && !escaped;
        ends
    })
}
