//! `tollgate test` and `tollgate run`.

use std::io::Write;
use std::path::{Path, PathBuf};

use anyhow::{Result, bail};
use host_tests::judge::{Failure, judge};
use host_tests::plan::Plan;
use host_tests::report::Report;
use host_tests::scenario::HostName;
use host_tests::{batch, checks, find, modules, unavailable};

use crate::Outcome;

/// How many scenarios ended how.
#[derive(Default)]
struct Tally {
    passed: usize,
    failed: usize,
    skipped: usize,
    unreadable: bool,
}

pub(crate) fn test(out: &mut impl Write, paths: &[PathBuf], host: HostName) -> Result<Outcome> {
    let mut tally = Tally::default();
    let mut plans = Vec::new();
    for file in find::scenarios(paths)? {
        match Plan::load(&file) {
            Ok(plan) => plans.push(plan),
            Err(invalid) => {
                writeln!(out, "FAIL  {}", file.display())?;
                for mistake in &invalid.mistakes {
                    writeln!(out, "      {mistake}")?;
                }
                tally.failed += 1;
                tally.unreadable = true;
            }
        }
    }
    let no_host = unavailable(host);
    let skip = |plan: &Plan| plan.skip_reason(host).or_else(|| no_host.clone());
    // All at once: one run of Cargo.
    modules::build(plans.iter().filter(|plan| skip(plan).is_none()))?;
    let run = |plan: &Plan| match skip(plan) {
        Some(reason) => Verdict::Skipped(reason),
        None => match host_tests::run(plan, host) {
            Ok(report) => verdict(plan, host, &report),
            Err(error) => Verdict::Broken(format!("{error:#}")),
        },
    };
    batch::each(&plans, run, |plan, result| tell(out, plan, &result, &mut tally))?;
    let Tally { passed, failed, skipped, unreadable } = tally;
    writeln!(out, "{passed} passed, {failed} failed, {skipped} skipped")?;
    Ok(match (unreadable, failed) {
        (true, _) => Outcome::Unusable,
        (false, 0) => Outcome::Fine,
        (false, _) => Outcome::Refused,
    })
}

/// Judges what the scenario expects; if that holds, what the runner checks of every scenario.
fn verdict(plan: &Plan, host: HostName, report: &Report) -> Verdict {
    let failures = judge(plan, report);
    if !failures.is_empty() || host != HostName::Wasmtime {
        return Verdict::Judged(failures);
    }
    match checks::check(plan, report) {
        Ok(failures) => Verdict::Judged(failures),
        Err(error) => Verdict::Broken(format!("{error:#}")),
    }
}

/// What came of one scenario.
enum Verdict {
    /// Why it cannot run here.
    Skipped(String),
    /// Every difference; none is a pass.
    Judged(Vec<Failure>),
    /// Why there is nothing to judge.
    Broken(String),
}

fn tell(
    out: &mut impl Write,
    plan: &Plan,
    verdict: &Verdict,
    tally: &mut Tally,
) -> std::io::Result<()> {
    let file = plan.path.display();
    match verdict {
        Verdict::Skipped(reason) => {
            tally.skipped += 1;
            writeln!(out, "skip  {file}: {reason}")?;
        }
        Verdict::Judged(failures) if failures.is_empty() => {
            tally.passed += 1;
            writeln!(out, "pass  {file}")?;
        }
        Verdict::Judged(failures) => {
            tally.failed += 1;
            writeln!(out, "FAIL  {file}\n      {}", plan.scenario.description)?;
            for failure in failures {
                match failure.exchange.as_str() {
                    "" => writeln!(out, "      {}", failure.path)?,
                    exchange => writeln!(out, "      exchange {exchange}: {}", failure.path)?,
                }
                writeln!(out, "        expected {}", indented(&failure.expected))?;
                writeln!(out, "        found    {}", indented(&failure.found))?;
            }
        }
        Verdict::Broken(why) => {
            tally.failed += 1;
            writeln!(out, "FAIL  {file}\n      {}", indented(why))?;
        }
    }
    Ok(())
}

pub(crate) fn run(
    out: &mut impl Write,
    file: &Path,
    host: HostName,
    compact: bool,
) -> Result<Outcome> {
    let plan = Plan::load(file)?;
    if let Some(reason) = plan.skip_reason(host).or_else(|| unavailable(host)) {
        bail!("{} cannot run on {host}: {reason}", file.display());
    }
    let report = host_tests::run(&plan, host)?;
    if compact {
        serde_json::to_writer(&mut *out, &report)?;
    } else {
        serde_json::to_writer_pretty(&mut *out, &report)?;
    }
    writeln!(out)?;
    Ok(Outcome::Fine)
}

/// Lines behind the first one, set in.
fn indented(text: &str) -> String {
    text.replace('\n', "\n          ")
}
