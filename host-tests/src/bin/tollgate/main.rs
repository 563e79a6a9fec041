//! The `tollgate` command: runs scenarios and checks plugin configurations.
//!
//! Exit status: 0 all well, 1 a scenario failed, the hosts differ or a configuration was refused, 2
//! wrong usage or nothing that could be run.

mod compare;
mod config;
mod costs;
mod init;
mod junit;
mod run;
mod terminal;
mod test;

use std::io::{self, Write};
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, Parser, Subcommand};
use host_tests::scenario::{HostName, Profile};

use terminal::Colour;

/// Tests LLM gateway filters: whole scenarios, on a built-in proxy-wasm host or on a real Envoy, and
/// plugin configurations, offline.
#[derive(Parser)]
#[command(
    name = "tollgate",
    version,
    after_help = EXIT_STATUS
)]
struct Cli {
    /// When to colour; NO_COLOR is honoured
    #[arg(long, value_enum, value_name = "WHEN", default_value_t = Colour::Auto, global = true)]
    color: Colour,
    #[command(subcommand)]
    command: Command,
}

const EXIT_STATUS: &str = "\
Exit status:
  0  all is well; skips included
  1  a scenario failed, the hosts differ, costs rose, or a configuration was refused
  2  wrong usage, a file that cannot be read or is no scenario, or nothing to run

Environment:
  ENVOY              the Envoy to use with `--host envoy`
  TOLLGATE_WASM_DIR  a folder of compiled filters (key_check.wasm, …) to use instead of compiling them;
                     one that is older than its sources is refused, unless TOLLGATE_ALLOW_STALE=1
  NO_COLOR           no colours, unless with `--color always`

Start with `tollgate init my-tests`, then `tollgate test my-tests`.";

const TEST_EXAMPLES: &str = "\
Examples:
  tollgate test my-tests                          every scenario in a folder
  tollgate test my-tests -k 'forbidden model'     those whose path or description says so
  tollgate test my-tests --junit results.xml      with a report for the CI
  tollgate test my-tests --host envoy             the same files on a real Envoy
  tollgate test my-tests --profile envoy-old      as Envoy was before 1.35";

const INIT_EXAMPLES: &str = "\
Examples:
  tollgate init my-tests
  tollgate init my-tests --wasm plugin.wasm --config wasmplugin.yaml
  tollgate init my-tests --filter key-check --config keys.yaml";

const RUN_EXAMPLES: &str = "\
Examples:
  tollgate run my-tests/scenario.yaml             what upstreams and the client got
  tollgate run my-tests/scenario.yaml --trace     what the filters did, call by call
  tollgate run my-tests/scenario.yaml --costs     what that costs, per callback";

#[derive(Subcommand)]
enum Command {
    /// Run scenarios and judge them
    ///
    /// Prints a line per scenario. A failure shows each difference as path, expected and found, and
    /// below it what the filters did about it, without any value of a header or body. A skip says
    /// why: what a real Envoy cannot honour (virtual time, injected properties) is skipped there. The
    /// last line is `N passed, N failed, N skipped`.
    ///
    /// On wasmtime a scenario is also run with its bodies cut otherwise, which must change nothing,
    /// and repeated, which must not take more and more memory; `unchecked` in the file says why not.
    #[command(after_help = TEST_EXAMPLES)]
    Test(test::Test),
    /// Run one scenario and print what came of it as JSON; judge nothing
    #[command(after_help = RUN_EXAMPLES)]
    Run(run::Run),
    /// Write a first scenario to start from
    ///
    /// Without options it is a commented example with one of Tollgate's filters. With --wasm or
    /// --filter it is one for that, whose expectations are what came of a first run. Nothing is
    /// written over.
    #[command(after_help = INIT_EXAMPLES)]
    Init(init::Init),
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
    /// Which host the wasmtime host mirrors where hosts differ, over what the file says
    #[arg(long, value_enum)]
    profile: Option<Profile>,
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
        Command::Test(test) => test::test(&mut out, cli.color, &test),
        Command::Run(run) => run::run(&mut out, &run),
        Command::Init(init) => init::init(&mut out, &init),
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
