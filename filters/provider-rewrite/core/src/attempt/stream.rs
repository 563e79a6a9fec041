//! A stream on its way to the client, translated event by event.

use tollgate_api::ApiError;
use tollgate_sse::{Framer, Piece};

use crate::chat::stream as chat;
use crate::config::Secret;
use crate::errors::{bad_response, for_client};
use crate::providers::{Step, Translator};

/// The translation of one stream to chat completion chunks.
pub(super) struct Translation {
    framer: Framer,
    translator: Box<dyn Translator>,
    secret: Option<Secret>,
    /// Nothing more goes to the client.
    is_over: bool,
}

impl Translation {
    pub(super) fn new(
        max_event_bytes: usize,
        translator: Box<dyn Translator>,
        secret: Option<Secret>,
    ) -> Self {
        Self { framer: Framer::new(max_event_bytes), translator, secret, is_over: false }
    }

    /// Takes the next bytes of the provider's stream (`end` if they are the last); what the client
    /// gets for them.
    pub(super) fn push(&mut self, bytes: &[u8], end: bool) -> Vec<u8> {
        let mut out = Vec::with_capacity(bytes.len().saturating_mul(2));
        let Self { framer, translator, secret, is_over } = self;
        framer.push(bytes, &mut |piece| {
            if *is_over {
                return;
            }
            let step = match piece {
                Piece::Event(event) => match event.data() {
                    // Comments, and line ends that a cut made come late.
                    data if data.is_empty() => Step::More,
                    data => translator.push(&data, &mut out),
                },
                Piece::Raw(_) => {
                    *is_over = true;
                    translator.usage_so_far(&mut out);
                    chat::error(&bad_response("an event of the provider is too long"), &mut out);
                    return;
                }
            };
            match step {
                Step::More => {}
                Step::Done => {
                    *is_over = true;
                    chat::done(&mut out);
                }
                Step::Failed(status, error) => {
                    *is_over = true;
                    translator.usage_so_far(&mut out);
                    chat::error(&for_client(status, Some(&error), secret.as_ref()), &mut out);
                    chat::done(&mut out);
                }
                Step::Unreadable => {
                    *is_over = true;
                    translator.usage_so_far(&mut out);
                    chat::error(&unreadable(), &mut out);
                }
            }
        });
        if end && !*is_over {
            // No `[DONE]`: a client must not take this for a complete answer.
            *is_over = true;
            translator.usage_so_far(&mut out);
            chat::error(&bad_response("the provider's stream broke off"), &mut out);
        }
        out
    }
}

fn unreadable() -> ApiError {
    bad_response("an event of the provider cannot be read")
}
