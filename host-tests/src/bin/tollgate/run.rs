//! `tollgate run`.

use std::io::Write;
use std::path::{Path, PathBuf};

use anyhow::{Result, bail};
use clap::Args;
use host_tests::plan::Plan;
use host_tests::scenario::HostName;
use host_tests::trace::{Callback, Outcome as Ended, Trace};
use host_tests::{excerpt, modules, unavailable, wasm};
use serde_json::{Value, json};

use crate::{On, Outcome, costs};

/// Arguments of `tollgate run`.
#[derive(Args)]
pub(crate) struct Run {
    /// The scenario file
    file: PathBuf,
    /// One JSON object on one line; without it the same object is spread out for reading
    #[arg(long)]
    json: bool,
    /// What each filter's callbacks cost instead: a table, or one JSON object with --json
    #[arg(long, conflicts_with = "trace")]
    costs: bool,
    /// Every callback of the filters with its host calls instead: names and sizes, never values; one
    /// JSON object with --json (wasmtime only)
    #[arg(long)]
    trace: bool,
    #[command(flatten)]
    on: On,
}

pub(crate) fn run(out: &mut impl Write, arguments: &Run) -> Result<Outcome> {
    let Run { file, json, costs, trace, on } = arguments;
    if *costs {
        return costs::run(out, file, on.host, *json);
    }
    let plan = load(file, on)?;
    if *trace {
        if on.host != HostName::Wasmtime {
            bail!("--trace: only the wasmtime host sees callbacks, not {}", on.host);
        }
        return traced(out, &plan, *json);
    }
    let report = host_tests::run(&plan, on.host)?;
    if *json {
        serde_json::to_writer(&mut *out, &report)?;
    } else {
        serde_json::to_writer_pretty(&mut *out, &report)?;
    }
    writeln!(out)?;
    Ok(Outcome::Fine)
}

fn load(file: &Path, on: &On) -> Result<Plan> {
    let mut plan = Plan::load(file)?;
    if let Some(profile) = on.profile {
        plan.profile = profile;
    }
    if let Some(reason) = plan.skip_reason(on.host).or_else(|| unavailable(on.host)) {
        bail!("{} cannot run on {}: {reason}", file.display(), on.host);
    }
    Ok(plan)
}

/// Prints what filters did; also of a run that ends in an error, which is told behind it.
fn traced(out: &mut impl Write, plan: &Plan, json: bool) -> Result<Outcome> {
    modules::build([plan])?;
    let (report, trace) = wasm::record(plan);
    let names: Vec<String> = plan.exchanges.iter().map(|e| e.name.clone()).collect();
    if json {
        writeln!(out, "{}", as_json(&trace, &names))?;
    } else {
        for line in excerpt::whole(&trace, &names) {
            writeln!(out, "{line}")?;
        }
    }
    report.map(|_| Outcome::Fine)
}

fn as_json(trace: &Trace, names: &[String]) -> Value {
    let callback = |callback: &Callback| {
        let calls = callback.host_calls.iter().map(
            |call| json!({"name": call.name, "arguments": call.arguments, "status": call.status}),
        );
        let (returned, trapped) = match &callback.outcome {
            Ended::Returned(number) => (*number, None),
            Ended::Trapped(why) => (None, Some(why)),
        };
        json!({
            "exchange": callback.exchange.and_then(|i| names.get(i)),
            "filter": callback.filter,
            "name": callback.name,
            "context": callback.context,
            "arguments": callback.arguments,
            "returned": returned,
            "trapped": trapped,
            "hostCalls": calls.collect::<Vec<_>>(),
        })
    };
    let callbacks: Vec<Value> = trace.callbacks.iter().map(callback).collect();
    json!({"callbacks": callbacks, "dropped": trace.dropped})
}
