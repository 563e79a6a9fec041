//! `tollgate run --costs` and `tollgate costs`.

use std::io::Write;
use std::path::{Path, PathBuf};

use anyhow::{Result, bail};
use host_tests::cost::baseline::{Baseline, FILE};
use host_tests::cost::{Toolchain, measure, measure_all, table};
use host_tests::plan::Plan;
use host_tests::scenario::HostName;

use crate::Outcome;

/// What one scenario costs.
pub(crate) fn run(
    out: &mut impl Write,
    file: &Path,
    host: HostName,
    json: bool,
) -> Result<Outcome> {
    if host != HostName::Wasmtime {
        bail!("--costs: only the wasmtime host counts them, not {host}");
    }
    let plan = Plan::load(file)?;
    if let Some(reason) = plan.skip_reason(host) {
        bail!("{} cannot run on {host}: {reason}", file.display());
    }
    let costs = measure(&plan)?;
    if json {
        let all = serde_json::json!({"toolchain": Toolchain::current(), "filters": costs});
        writeln!(out, "{all}")?;
    } else {
        write!(out, "{}", table::costs(&costs))?;
    }
    Ok(Outcome::Fine)
}

/// What the scenarios of each folder cost, against its record.
pub(crate) fn compare(out: &mut impl Write, folders: &[PathBuf]) -> Result<Outcome> {
    let mut passes = true;
    for folder in folders {
        let Some(recorded) = Baseline::read(folder)? else {
            let file = folder.join(FILE);
            bail!(
                "no `{}`: `tollgate costs --record {}` makes it",
                file.display(),
                folder.display()
            );
        };
        let now = measure_all(folder)?;
        let found = recorded.compare(&now);
        passes &= found.passes();
        write!(out, "{}", table::comparison(folder, &now, &found))?;
    }
    Ok(if passes { Outcome::Fine } else { Outcome::Refused })
}

/// Records what the scenarios of each folder cost, and shows what that changes.
pub(crate) fn record(out: &mut impl Write, folders: &[PathBuf]) -> Result<Outcome> {
    for folder in folders {
        let now = measure_all(folder)?;
        // A record that cannot be read is written anew, not compared.
        let recorded = Baseline::read(folder).ok().flatten();
        now.write(folder)?;
        write!(out, "{}", table::recorded(folder, recorded.as_ref(), &now))?;
    }
    Ok(Outcome::Fine)
}
