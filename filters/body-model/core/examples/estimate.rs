//! Prints what body-model estimates the tokens of files at: `estimate FILE…`, a line each.
//!
//! A file that ends in `.request.json` is the body of a request, any other the text of a prompt.

use std::io::{Error, Write};

use body_model_core::estimate::{Estimator, MEMBERS};
use tollgate_json::{Limits, Scanner};

fn main() -> Result<(), Error> {
    let mut out = std::io::stdout().lock();
    for path in std::env::args().skip(1) {
        let text = std::fs::read_to_string(&path)?;
        let body = if path.ends_with(".request.json") {
            text
        } else {
            serde_json::json!({"prompt": text}).to_string()
        };
        let mut scanner = Scanner::with_strings(&MEMBERS, Limits::default(), Estimator::new(0));
        scanner.push(body.as_bytes()).map_err(Error::other)?;
        scanner.finish().map_err(Error::other)?;
        writeln!(out, "{} {path}", scanner.strings().tokens(1000))?;
    }
    Ok(())
}
