//! Why a request cannot be sent to the provider: always a 400 for the client.

use std::fmt::Display;

use tollgate_api::ApiError;

use crate::config::OnUnsupported;

/// A request that cannot be translated.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Refusal {
    code: &'static str,
    param: Option<String>,
    message: String,
}

impl Refusal {
    /// The parameter at `param` is not what the client's API says.
    pub(crate) fn invalid(param: impl Into<String>, expected: impl Display) -> Self {
        let param = param.into();
        let message = format!("invalid value of `{param}`: expected {expected}");
        Self { code: "invalid_value", param: Some(param), message }
    }

    /// The provider cannot honour the parameter at `param`.
    pub(crate) fn unsupported(param: impl Into<String>) -> Self {
        let param = param.into();
        let message = format!("the provider of this model does not support `{param}`");
        Self { code: "unsupported_parameter", param: Some(param), message }
    }

    /// The body is not the JSON that it should be.
    pub(crate) fn invalid_json() -> Self {
        let message = "the body is not valid JSON; expected an object".to_owned();
        Self { code: "invalid_json", param: None, message }
    }
}

impl From<Refusal> for ApiError {
    fn from(refusal: Refusal) -> Self {
        let error = Self::new(400, refusal.code, refusal.message);
        match refusal.param {
            Some(param) => error.param(param),
            None => error,
        }
    }
}

impl OnUnsupported {
    /// Refuses the parameter at `param`, or lets it be dropped.
    pub(crate) fn meets(self, param: impl Into<String>) -> Result<(), Refusal> {
        match self {
            Self::Drop => Ok(()),
            Self::Reject => Err(Refusal::unsupported(param)),
        }
    }
}
