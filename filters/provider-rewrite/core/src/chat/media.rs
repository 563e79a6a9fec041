//! Images and files in messages: where their bytes are.

use crate::refusal::Refusal;

/// Where the bytes of an image or a file are.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Media<'a> {
    Base64 { media_type: &'a str, data: &'a str },
    Url(&'a str),
}

impl<'a> Media<'a> {
    /// Reads a `data:` (RFC 2397, base64 only), `https:` or `http:` URL found at `param`.
    pub(crate) fn of_url(url: &'a str, param: &str) -> Result<Self, Refusal> {
        let invalid =
            || Refusal::invalid(param, "an http(s) URL or `data:<media type>;base64,<data>`");
        if has_scheme(url, "https:") || has_scheme(url, "http:") {
            return Ok(Self::Url(url));
        }
        if !has_scheme(url, "data:") {
            return Err(invalid());
        }
        let (head, data) = url.split_once(',').ok_or_else(invalid)?;
        let head = head.get("data:".len()..).unwrap_or_default();
        let (head, encoding) = head.rsplit_once(';').ok_or_else(invalid)?;
        let media_type = head.split(';').next().unwrap_or_default().trim();
        if !encoding.trim().eq_ignore_ascii_case("base64") || !media_type.contains('/') {
            return Err(invalid());
        }
        // A common misspelling that providers refuse.
        let media_type =
            if media_type.eq_ignore_ascii_case("image/jpg") { "image/jpeg" } else { media_type };
        Ok(Self::Base64 { media_type, data })
    }
}

fn has_scheme(url: &str, scheme: &str) -> bool {
    url.get(..scheme.len()).is_some_and(|start| start.eq_ignore_ascii_case(scheme))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls_are_told_apart() {
        let png = Media::Base64 { media_type: "image/png", data: "AA==" };
        let jpeg = Media::Base64 { media_type: "image/jpeg", data: "AA==" };
        for (url, expected) in [
            ("data:image/png;base64,AA==", Some(png)),
            ("DATA:image/png;charset=x;BASE64,AA==", Some(png)),
            ("data:image/jpg;base64,AA==", Some(jpeg)),
            ("https://x.test/a.png", Some(Media::Url("https://x.test/a.png"))),
            ("data:image/png,AA", None),
            ("data:;base64,AA==", None),
            ("data:image/png;base64", None),
            ("file:///etc/passwd", None),
            ("ä", None),
            ("", None),
        ] {
            assert_eq!(Media::of_url(url, "p").ok(), expected, "{url}");
        }
    }
}
