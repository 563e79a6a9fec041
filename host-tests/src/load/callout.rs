//! Scripted answers to callouts.

use super::{Loader, Source, body};
use crate::plan::{self, CalloutAnswer};
use crate::scenario;

/// `UNAUTHENTICATED`, the highest of the status codes.
/// <https://grpc.io/docs/guides/status-codes/>
const LAST_GRPC_STATUS: u8 = 16;

/// The clusters of exchanges on Envoy.
const OURS: &str = "exchange-";

/// A cluster that filters call must not have the name of one that the host makes.
pub(super) fn check_name(loader: &mut Loader, cluster: &str) {
    if cluster.is_empty() || cluster.starts_with(OURS) {
        let message = format!("found the name `{cluster}`, expected one without `{OURS}` in front");
        loader.note("callouts", message);
    }
}

impl Loader {
    pub(super) fn callout(&mut self, at: &str, answer: &scenario::Callout) -> plan::Callout {
        let source = Source {
            json: answer.json.as_ref(),
            text: answer.body.as_deref(),
            base64: answer.body_base64.as_deref(),
            file: answer.body_file.as_deref(),
            sse: None,
        };
        let mut headers = self.headers(&format!("{at}.headers"), &answer.headers);
        let trailers = self.headers(&format!("{at}.trailers"), &answer.trailers);
        let body = self.body(at, &source);
        if let Some((_, content_type)) = &body {
            body::imply(&mut headers, "content-type", *content_type);
        }
        let http = body.is_some()
            || answer.status.is_some()
            || !headers.is_empty()
            || !trailers.is_empty();
        let forms = [
            ("an HTTP response", http),
            ("`grpc`", answer.grpc.is_some()),
            ("`reset`", answer.reset),
            ("`never`", answer.never),
        ];
        let given: Vec<&str> =
            forms.iter().filter(|(_, there)| *there).map(|(name, _)| *name).collect();
        if given.len() > 1 {
            self.note(at, format!("found {}, expected one of them", given.join(" and ")));
        }
        let answered = match &answer.grpc {
            Some(grpc) => self.grpc(&format!("{at}.grpc"), grpc),
            None if answer.reset => CalloutAnswer::Reset,
            None if answer.never => CalloutAnswer::Never,
            None => CalloutAnswer::Http {
                status: self.status(at, answer.status),
                headers,
                body: body.map(|(bytes, _)| bytes).unwrap_or_default(),
                trailers,
            },
        };
        plan::Callout { answer: answered, delay_nanos: answer.delay_ms.saturating_mul(1_000_000) }
    }

    fn grpc(&mut self, at: &str, answer: &scenario::GrpcAnswer) -> CalloutAnswer {
        if answer.status > LAST_GRPC_STATUS {
            let found = answer.status;
            self.note(format!("{at}.status"), format!("found {found}, expected 0 to 16"));
        }
        CalloutAnswer::Grpc {
            status: answer.status,
            message: answer.message.clone(),
            initial_metadata: self
                .headers(&format!("{at}.initialMetadata"), &answer.initial_metadata),
            messages: answer.messages.iter().map(|message| message.0.clone()).collect(),
            trailing_metadata: self
                .headers(&format!("{at}.trailingMetadata"), &answer.trailing_metadata),
        }
    }
}
