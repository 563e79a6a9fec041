//! `tollgate compare`.

use std::io::Write;
use std::path::{Path, PathBuf};

use anyhow::{Result, bail};
use host_tests::compare::{self, Known, Subject};
use host_tests::plan::Plan;
use host_tests::scenario::HostName;
use host_tests::{batch, envoy, find, modules, unavailable};

use crate::Outcome;

/// What came of one scenario.
enum Verdict {
    Skipped(String),
    /// What differs and is not known; nothing is agreement.
    Compared(Vec<String>),
}

/// Runs each scenario on both hosts, and tells where they differ but for the rows of `known`.
pub(crate) fn compare(
    out: &mut impl Write,
    paths: &[PathBuf],
    known: Option<&Path>,
) -> Result<Outcome> {
    if let Some(reason) = unavailable(HostName::Envoy) {
        bail!("{reason}");
    }
    let version = envoy::version()?;
    let known = known.map(Known::load).transpose()?.unwrap_or_default();
    let mut plans = Vec::new();
    for file in find::scenarios(paths)? {
        plans.push(Plan::load(&file)?);
    }
    let skip = |plan: &Plan| {
        let of_plan = [HostName::Wasmtime, HostName::Envoy].map(|host| plan.skip_reason(host));
        let subject = Subject::Scenario(&plan.path);
        let of_plan = of_plan.into_iter().flatten().next();
        of_plan.or_else(|| known.skip_reason(subject, &version).map(str::to_owned))
    };
    modules::build(plans.iter().filter(|plan| skip(plan).is_none()))?;
    let run = |plan: &Plan| match skip(plan) {
        Some(reason) => Verdict::Skipped(reason),
        None => Verdict::Compared(match compare::both(plan) {
            Ok(found) => known.unexpected(Subject::Scenario(&plan.path), &version, &found),
            Err(error) => vec![format!("{error:#}")],
        }),
    };
    let (mut agree, mut differ, mut skipped) = (0_usize, 0_usize, 0_usize);
    batch::each(&plans, run, |plan, verdict| {
        let file = plan.path.display();
        match verdict {
            Verdict::Skipped(reason) => {
                skipped += 1;
                writeln!(out, "skip   {file}: {reason}")
            }
            Verdict::Compared(found) if found.is_empty() => {
                agree += 1;
                writeln!(out, "agree  {file}")
            }
            Verdict::Compared(found) => {
                differ += 1;
                writeln!(out, "DIFFER {file}")?;
                let lines = found.iter().map(|text| text.replace('\n', "\n         "));
                lines.into_iter().try_for_each(|text| writeln!(out, "       {text}"))
            }
        }
    })?;
    writeln!(
        out,
        "wasmtime and Envoy {version}: {agree} agree, {differ} differ, {skipped} skipped"
    )?;
    Ok(if differ == 0 { Outcome::Fine } else { Outcome::Refused })
}
