//! `tollgate check` and `tollgate schema`.

use std::io::{self, Write};
use std::path::{Path, PathBuf};

use anyhow::{Result, anyhow, bail};
use host_tests::check::Checker;
use host_tests::config_file::{Config, ConfigFile};
use host_tests::source::{MOST_BYTES, Mistake, bounded};

use crate::Outcome;

/// Checks the configurations of filter `filter` in `files`; without a name, those of manifests, where
/// each plugin has one.
pub(crate) fn check(
    out: &mut impl Write,
    filter: Option<&str>,
    files: &[PathBuf],
) -> Result<Outcome> {
    let checker = filter.map(Checker::named).transpose()?;
    let mut tally = Tally::default();
    for file in files {
        let read = match read(file)? {
            Ok(read) => read,
            Err(mistake) => {
                tally.refused += 1;
                if let Some(filter) = filter {
                    writeln!(out, "{filter}: invalid configuration (1 problem)")?;
                }
                writeln!(out, "{mistake}")?;
                continue;
            }
        };
        let shown = if files.len() == 1 && !read.is_manifest { None } else { Some(file.as_path()) };
        match checker {
            Some(checker) if !read.is_manifest => {
                let config = read.only().map_err(anyhow::Error::msg)?;
                tally.add(one(out, checker, shown, &read, config)?);
            }
            Some(checker) => {
                let configs = read.configs.iter().filter(|config| config.is_called(checker.name));
                for config in configs {
                    tally.add(one(out, checker, shown, &read, config)?);
                }
            }
            None if read.is_manifest => {
                if read.configs.is_empty() {
                    writeln!(out, "skip  {}: no plugin in it", file.display())?;
                }
                for config in &read.configs {
                    match Checker::all().find(|checker| config.is_called(checker.name)) {
                        Some(checker) => tally.add(one(out, checker, shown, &read, config)?),
                        None => writeln!(
                            out,
                            "skip  {}: {}: no filter of Tollgate, so what it accepts is not known",
                            file.display(),
                            config.plugin
                        )?,
                    }
                }
            }
            None => writeln!(out, "skip  {}: no manifest of a plugin", file.display())?,
        }
    }
    match tally {
        Tally { refused: 0, accepted: 0 } => match checker {
            Some(checker) => bail!("found no configuration of {} to check", checker.name),
            None => bail!(
                "found no plugin of Tollgate in a manifest; whose configuration a file is that \
                     is no manifest says `--filter NAME`"
            ),
        },
        Tally { refused: 0, .. } => Ok(Outcome::Fine),
        _ => Ok(Outcome::Refused),
    }
}

pub(crate) fn schema(out: &mut impl Write, filter: &str) -> Result<Outcome> {
    write!(out, "{}", Checker::named(filter)?.schema()?)?;
    Ok(Outcome::Fine)
}

#[derive(Default)]
struct Tally {
    accepted: usize,
    refused: usize,
}

impl Tally {
    fn add(&mut self, accepted: bool) {
        match accepted {
            true => self.accepted += 1,
            false => self.refused += 1,
        }
    }
}

/// Whether the filter accepts `config`; what it says of it is printed.
fn one(
    out: &mut impl Write,
    checker: &Checker,
    shown: Option<&Path>,
    file: &ConfigFile,
    config: &Config,
) -> Result<bool> {
    match checker.check(&config.bytes) {
        Ok(warnings) => {
            for warning in warnings {
                let Mistake { file, position, mut problem } = file.locate(config, warning);
                problem.message = format!("warning: {}", problem.message);
                writeln!(out, "{}", Mistake { file, position, problem })?;
            }
            match shown {
                Some(path) => writeln!(out, "ok    {}: {}", path.display(), checker.name)?,
                None => writeln!(out, "ok")?,
            }
            Ok(true)
        }
        Err(problems) => {
            let count = problems.list.len();
            let noun = if count == 1 { "problem" } else { "problems" };
            writeln!(out, "{}: invalid configuration ({count} {noun})", checker.name)?;
            for problem in problems.list {
                writeln!(out, "{}", file.locate(config, problem))?;
            }
            Ok(false)
        }
    }
}

/// The configurations in `file`; `-` is standard input. The outer error is one of reading it.
fn read(file: &Path) -> Result<Result<ConfigFile, Mistake>> {
    let bytes = if file == Path::new("-") { bounded_input() } else { bounded(file, MOST_BYTES) };
    let bytes = bytes.map_err(|why| anyhow!("`{}`: {why}", file.display()))?;
    let name = if file == Path::new("-") { Path::new("stdin.yaml") } else { file };
    Ok(ConfigFile::new(name, bytes))
}

fn bounded_input() -> Result<Vec<u8>, String> {
    host_tests::source::all_of(io::stdin().lock(), MOST_BYTES)
}
