//! `tollgate check` and `tollgate schema`.

use std::io::{Read as _, Write};
use std::path::Path;

use anyhow::{Context as _, Result};
use host_tests::check::Checker;
use host_tests::load::config_json;

use crate::Outcome;

pub(crate) fn check(out: &mut impl Write, filter: &str, file: &Path) -> Result<Outcome> {
    let checker = Checker::named(filter)?;
    let bytes = read(file).with_context(|| format!("cannot read `{}`", file.display()))?;
    let config = match config_json(file, bytes) {
        Ok(config) => config,
        Err(message) => {
            writeln!(out, "{filter}: invalid configuration (1 problem)\n  {message}")?;
            return Ok(Outcome::Refused);
        }
    };
    match checker.check(&config) {
        Ok(warnings) => {
            for warning in warnings {
                writeln!(out, "warning: {warning}")?;
            }
            writeln!(out, "ok")?;
            Ok(Outcome::Fine)
        }
        Err(problems) => {
            writeln!(out, "{problems}")?;
            Ok(Outcome::Refused)
        }
    }
}

pub(crate) fn schema(out: &mut impl Write, filter: &str) -> Result<Outcome> {
    write!(out, "{}", Checker::named(filter)?.schema()?)?;
    Ok(Outcome::Fine)
}

fn read(file: &Path) -> std::io::Result<Vec<u8>> {
    if file == Path::new("-") {
        let mut bytes = Vec::new();
        std::io::stdin().lock().read_to_end(&mut bytes)?;
        return Ok(bytes);
    }
    std::fs::read(file)
}
