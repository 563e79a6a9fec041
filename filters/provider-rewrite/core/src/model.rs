//! The model in a request's JSON body: found and edited in place.

use std::ops::Range;

use tollgate_api::ApiError;
use tollgate_json::{Kind, Limits, Scanner, Wanted};

/// Longer names are no names.
const MOST_NAME_BYTES: usize = 4096;

static WANTED: [Wanted; 1] = [Wanted { key: "model", keep: MOST_NAME_BYTES }];

/// The `model` member of a body.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Model {
    pub(crate) name: String,
    /// Where its raw value is, quotes included.
    pub(crate) range: Range<usize>,
}

/// Finds the model; `None` if there is none.
///
/// # Errors
///
/// A 400 if the body is not a JSON object, or has a model that two servers could read differently.
pub(crate) fn find(body: &[u8]) -> Result<Option<Model>, ApiError> {
    let mut scanner = Scanner::new(&WANTED, Limits::default());
    scanner
        .push(body)
        .and_then(|()| scanner.finish())
        .map_err(|error| ApiError::new(400, "invalid_json", format!("invalid body: {error}")))?;
    let member = scanner.member(0);
    if member.count > 1 {
        return Err(ApiError::new(
            400,
            "duplicate_model",
            "the body has several members `model`; expected one",
        )
        .param("model"));
    }
    let Some(range) = member.range.clone() else {
        // `Model` and the like: some servers would read it.
        if member.count > 0 {
            return Err(missing());
        }
        return Ok(None);
    };
    if member.kind != Kind::String {
        return Err(missing());
    }
    let name = member.text().filter(|name| !name.is_empty()).ok_or_else(|| {
        ApiError::new(400, "invalid_model", "`model` is not a usable name").param("model")
    })?;
    Ok(Some(Model { name, range }))
}

/// The error for a request without a model.
pub(crate) fn missing() -> ApiError {
    ApiError::new(400, "missing_model", "expected a string `model` in the body").param("model")
}

/// `name` as a JSON string.
pub(crate) fn quoted(name: &str) -> Vec<u8> {
    serde_json::Value::from(name).to_string().into_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_model_is_found_with_its_bytes() {
        let body = br#"{"a": {"model": "x"}, "model" : "gp\u0074" }"#;
        let model = find(body).unwrap().unwrap();
        assert_eq!(model.name, "gpt");
        assert_eq!(&body[model.range], br#""gp\u0074""#);
        assert_eq!(find(b"{}").unwrap(), None);
    }

    #[test]
    fn an_ambiguous_or_broken_body_is_refused() {
        for (body, code) in [
            ("", "invalid_json"),
            ("[]", "invalid_json"),
            (r#"{"model":"a""#, "invalid_json"),
            (r#"{"model":"a","model":"b"}"#, "duplicate_model"),
            (r#"{"model":"a","Model":"b"}"#, "duplicate_model"),
            (r#"{"MODEL":"b"}"#, "missing_model"),
            (r#"{"model":7}"#, "missing_model"),
            (r#"{"model":null}"#, "missing_model"),
            (r#"{"model":""}"#, "invalid_model"),
        ] {
            assert_eq!(find(body.as_bytes()).unwrap_err().code, code, "{body}");
        }
    }
}
