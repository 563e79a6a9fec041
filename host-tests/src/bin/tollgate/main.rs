//! The `tollgate` command: runs scenarios and checks plugin configurations.
//!
//! Exit status: 0 all well, 1 a scenario failed, the hosts differ or a configuration was refused, 2
//! wrong usage or nothing that could be run.

mod compare;
mod config;
mod costs;
mod scenarios;

use std::io::{self, Write};
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, Parser, Subcommand};
use host_tests::scenario::HostName;

/// Tests LLM gateway filters: whole scenarios, on a built-in proxy-wasm host or on a real Envoy, and
/// plugin configurations, offline.
#[derive(Parser)]
#[command(
    name = "tollgate",
    version,
    after_help = "Exit status: 0 all well; 1 a scenario failed, the hosts differ, costs rose, or a configuration was refused; 2 \
                  wrong usage, or a file that cannot be read.\n\
                  Environment: ENVOY is the Envoy to use; TOLLGATE_WASM_DIR is a folder of compiled \
                  filters (key_check.wasm, …) to use instead of building them."
)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Run scenarios and judge them
    ///
    /// Prints a line per scenario, with each difference as path, expected and found, and at the end
    /// `N passed, N failed, N skipped`. A skip says why: what a real Envoy cannot honour (virtual
    /// time, injected properties) is skipped there.
    Test {
        /// Files, or folders to search for `scenario.yaml` and `*.scenario.yaml`
        #[arg(required = true)]
        paths: Vec<PathBuf>,
        #[command(flatten)]
        on: On,
    },
    /// Run one scenario and print what came of it as JSON; judge nothing
    Run {
        /// The scenario file
        file: PathBuf,
        /// One JSON object on one line; without it the same object is spread out for reading
        #[arg(long)]
        json: bool,
        /// What each filter's callbacks cost instead: a table, or one JSON object with --json
        #[arg(long)]
        costs: bool,
        #[command(flatten)]
        on: On,
    },
    /// Compare what scenarios cost with what is recorded in FOLDER/costs.json
    ///
    /// Costs are counted, not timed, so they are the same on every machine. Each may fall, and rise
    /// by 2 %; more is shown in a table, and so is everything that changes with --record. Fuel is
    /// compared only with the toolchain that it was recorded with.
    Costs {
        /// Folders of scenarios
        #[arg(required = true, value_name = "FOLDER")]
        folders: Vec<PathBuf>,
        /// Record what they cost now
        #[arg(long)]
        record: bool,
    },
    /// Run scenarios on both hosts and print where they differ; judge nothing
    ///
    /// Whole reports are compared, so what a scenario leaves open is, too. A scenario that a real
    /// Envoy cannot run is a skip.
    Compare {
        /// Files, or folders to search for `scenario.yaml` and `*.scenario.yaml`
        #[arg(required = true)]
        paths: Vec<PathBuf>,
        /// Differences that are known, with their reasons: a list of rows, see the README
        #[arg(long, value_name = "FILE")]
        known: Option<PathBuf>,
    },
    /// Check a filter's plugin configuration and print every problem
    ///
    /// The filter's own code reads it. Environment variables of the gateway (`{env: NAME}`) cannot
    /// be known here: each counts as set.
    Check {
        /// Whose configuration it is: key-check, body-model, token-count or provider-rewrite. Needed
        /// unless the file is a manifest, where each plugin has a name
        #[arg(long, value_name = "NAME")]
        filter: Option<String>,
        /// YAML or JSON, or a manifest with plugins (WasmPlugin, TrafficExtension, EnvoyFilter,
        /// EnvoyExtensionPolicy, Envoy's own); `-` is standard input
        #[arg(required = true, value_name = "FILE")]
        files: Vec<PathBuf>,
    },
    /// Print the JSON Schema of a filter's plugin configuration
    Schema {
        #[command(flatten)]
        of: Of,
    },
}

#[derive(Args)]
struct On {
    /// Where to run
    #[arg(long, value_enum, default_value_t = HostName::Wasmtime)]
    host: HostName,
}

#[derive(Args)]
struct Of {
    /// key-check, body-model, token-count or provider-rewrite
    #[arg(long, value_name = "NAME")]
    filter: String,
}

/// How a command ended, apart from errors.
enum Outcome {
    Fine,
    Refused,
    Unusable,
}

fn main() -> ExitCode {
    let cli = Cli::parse();
    let mut out = io::stdout().lock();
    let result = match cli.command {
        Command::Test { paths, on } => scenarios::test(&mut out, &paths, on.host),
        Command::Run { file, json, costs: true, on } => costs::run(&mut out, &file, on.host, json),
        Command::Run { file, json, costs: false, on } => {
            scenarios::run(&mut out, &file, on.host, json)
        }
        Command::Costs { folders, record: false } => costs::compare(&mut out, &folders),
        Command::Costs { folders, record: true } => costs::record(&mut out, &folders),
        Command::Compare { paths, known } => compare::compare(&mut out, &paths, known.as_deref()),
        Command::Check { filter, files } => config::check(&mut out, filter.as_deref(), &files),
        Command::Schema { of } => config::schema(&mut out, &of.filter),
    };
    let result = result.and_then(|outcome| out.flush().map(|()| outcome).map_err(Into::into));
    match result {
        Ok(Outcome::Fine) => ExitCode::SUCCESS,
        Ok(Outcome::Refused) => ExitCode::from(1),
        Ok(Outcome::Unusable) => ExitCode::from(2),
        // `tollgate … | head`: nobody is there to be told.
        Err(error) if is_broken_pipe(&error) => ExitCode::SUCCESS,
        Err(error) => {
            // Nothing better can be done if this fails too.
            let _ = writeln!(io::stderr(), "error: {error:#}");
            ExitCode::from(2)
        }
    }
}

fn is_broken_pipe(error: &anyhow::Error) -> bool {
    error.downcast_ref::<io::Error>().is_some_and(|e| e.kind() == io::ErrorKind::BrokenPipe)
}
