//! Error bodies of OpenAI and of the servers that are nearly compatible with it.

use serde::Deserialize;
use serde_json::value::RawValue;

use crate::errors::ProviderError;
use crate::json::{self, Text};

#[derive(Deserialize)]
struct Body<'a> {
    /// OpenAI's object; a string from some servers.
    #[serde(borrow, default)]
    error: Option<&'a RawValue>,
    /// vLLM before 0.10 has the object's members at the top.
    #[serde(borrow, default)]
    message: Option<Text<'a>>,
    #[serde(borrow, default)]
    code: Option<&'a RawValue>,
    /// FastAPI's own errors.
    #[serde(borrow, default)]
    detail: Option<&'a RawValue>,
}

#[derive(Deserialize)]
struct Object<'a> {
    #[serde(borrow)]
    message: Text<'a>,
    #[serde(borrow, default)]
    code: Option<&'a RawValue>,
}

/// Reads an error body; `None` if it is not JSON of a known shape.
pub(crate) fn read(body: &[u8]) -> Option<ProviderError> {
    let body: Body<'_> = json::document(body)?;
    if let Some(object) = body.error.and_then(json::read::<Object<'_>>) {
        let code = object.code.and_then(json::read::<String>).unwrap_or_default();
        let message = object.message.0.into_owned();
        return Some(ProviderError { code, message, is_native: true });
    }
    let text = body
        .error
        .and_then(json::read::<String>)
        .or_else(|| body.message.map(|m| m.0.into_owned()));
    let message = text.or_else(|| body.detail.and_then(json::read::<String>))?;
    let code = body.code.and_then(json::read::<String>).unwrap_or_default();
    Some(ProviderError { code, message, is_native: false })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_shapes_in_use_are_read() {
        for (body, message, code, is_native) in [
            (r#"{"error":{"message":"m","type":"t","param":null,"code":"c"}}"#, "m", "c", true),
            (r#"{"error":{"message":"m","type":"BadRequestError","code":400}}"#, "m", "", true),
            (r#"{"object":"error","message":"m","type":"t","code":400}"#, "m", "", false),
            (r#"{"error":"model not found"}"#, "model not found", "", false),
            (r#"{"detail":"Not Found"}"#, "Not Found", "", false),
        ] {
            let error = read(body.as_bytes()).unwrap();
            assert_eq!(
                (&*error.message, &*error.code, error.is_native),
                (message, code, is_native)
            );
        }
        for body in ["", "<html>", "{}", "[]", r#"{"error":7}"#, r#"{"detail":[{"msg":"x"}]}"#] {
            assert_eq!(read(body.as_bytes()), None, "{body}");
        }
    }
}
