//! A multipart/form-data scanner that finds form fields in any chunking, without a copy of the body.
//!
//! [`boundary`] reads the `Content-Type`; [`Scanner`] checks that the pieces it is given make up one
//! form (RFC 7578, RFC 2046 §5.1), and notes for each wanted field where its content is, how often
//! its name occurs, and the content itself up to a size. What is between the parts' headers and the
//! next delimiter is only searched for the boundary, several bytes per step.
//!
//! It is strict where parsers disagree, since a gateway and a backend that read the same bytes
//! differently are a way around the gateway:
//!
//! - `--boundary` occurs nowhere but in delimiter lines, which end in CRLF and have no padding
//!   (python-multipart takes a padded one for content, Go for a delimiter; werkzeug takes one behind
//!   a bare LF, Django one in mid-line);
//! - nothing precedes the first delimiter but one line break, and nothing but those follows the last;
//! - part headers are `name: value` in one line each; each part has one `Content-Disposition:
//!   form-data` with one `name`, in which no parser finds another one ([`Reason::Disposition`]);
//! - names are counted also when only their case, an escape or a suffix in brackets differs: ASP.NET
//!   takes `Model` for `model`, multer takes `model[]`;
//! - a wanted field is text in UTF-8, as it stands: no `Content-Transfer-Encoding`, no other charset,
//!   no `_charset_` field.
//!
//! None of that is sent by clients: curl, browsers, the openai SDKs, requests and httpx, Node's
//! `FormData`, form-data, Go's and .NET's writers are taken as they are. Two differences are left to
//! the caller, or to nobody: WHATWG's `formData()` takes a byte order mark off a content, and
//! formidable takes each part with a `Content-Type` for a file, as .NET sends them.
//!
//! Memory is bounded by the sum of [`Wanted::keep`] and [`Limits::header_bytes`]; time is linear,
//! whatever is in the body.
//!
//! Not here: nested multiparts, decoding of transfer encodings, reading files.

mod content_type;
mod delimiter;
mod disposition;
mod error;
mod field;
mod parameter;
mod part;
mod scanner;

pub use content_type::{Boundary, boundary};
pub use error::{ContentTypeError, Error, Reason};
pub use field::{Field, Wanted};
pub use scanner::{Limits, Scanner};
