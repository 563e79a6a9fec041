//! What the fuzz targets in `fuzz/` check of the host, and property tests with fewer cases. Each
//! function panics on a finding, and only then.
//!
//! A guest may send anything to the host; two guests made for that take what they do from the input.
//! So the host's readers of guest data are reached the way that guests reach them, whatever they are
//! inside: header maps, property paths, protobuf messages, arguments of foreign functions.
#![expect(clippy::panic, reason = "that is how a finding is told")]

mod guests;

use std::path::Path;
use std::sync::OnceLock;

use crate::load;
use crate::plan::Plan;
use crate::scenario::HostName;
use crate::source::Source;
use crate::wasm::{Budget, Gateway, Runtime};

/// More is no input but a waste of time; the guests keep it below other things.
const MOST_INPUT: usize = 16 * 1024;

/// Enough for what the guests do.
const FUEL: u64 = 100_000_000;

/// A guest calls host functions, with arguments, in callbacks, and with answers that the input says.
/// The host neither panics nor hangs, and does the same again.
pub fn host_calls(data: &[u8]) {
    static PLAN: OnceLock<Plan> = OnceLock::new();
    run(PLAN.get_or_init(|| plan("calls", &guests::any_calls())), data);
}

/// A guest hands the input, but for a byte or two that say how, to one of the host functions that
/// read what is inside an argument.
pub fn host_arguments(data: &[u8]) {
    static PLAN: OnceLock<Plan> = OnceLock::new();
    run(PLAN.get_or_init(|| plan("arguments", &guests::one_argument())), data);
}

/// A serialized header map is read whole and as it was, or not at all.
pub fn wire_headers(data: &[u8]) {
    let pairs = crate::wasm::wire_round_trip(data);
    assert!(pairs.is_none_or(|again| again == data), "read as another map");
}

/// No scenario file makes the loader panic; what is refused has reasons in the file.
pub fn scenario_file(data: &[u8]) {
    let file = Path::new("no-such-folder/scenario.yaml");
    let read = Source::new(file, data.to_vec()).map_err(|mistake| vec![mistake]);
    match read.and_then(|text| load::read(&text)) {
        Ok(plan) => {
            for host in [HostName::Wasmtime, HostName::Envoy] {
                let _ = plan.skip_reason(host);
            }
            assert!(!plan.exchanges.is_empty());
        }
        Err(mistakes) => {
            assert!(!mistakes.is_empty(), "refused without a reason");
            assert!(mistakes.iter().all(|mistake| !mistake.to_string().is_empty()));
        }
    }
}

fn run(plan: &Plan, data: &[u8]) {
    let mut plan = plan.clone();
    if let Some(filter) = plan.chain.first_mut() {
        filter.config = data.get(..MOST_INPUT).unwrap_or(data).to_vec();
    }
    let once = || match Gateway::start(runtime(), &plan).and_then(|mut gateway| gateway.run(&plan))
    {
        Ok(report) => serde_json::to_string(&report).unwrap_or_default(),
        Err(error) => format!("{error:#}"),
    };
    assert_eq!(once(), once());
}

fn runtime() -> &'static Runtime {
    static RUNTIME: OnceLock<Runtime> = OnceLock::new();
    RUNTIME.get_or_init(|| match Runtime::new(Budget::Fuel(FUEL), None) {
        Ok(runtime) => runtime,
        Err(error) => panic!("{error:#}"),
    })
}

/// One exchange with everything in it, through a guest.
fn plan(name: &str, wat: &str) -> Plan {
    let folder = std::env::temp_dir().join(format!("tollgate-fuzz-{}-{name}", std::process::id()));
    let yaml = "description: anything
chain: [{wasm: ./guest.wasm}]
callouts:
  c: [{status: 200, body: fine, trailers: {x-t: a}}, {grpc: {messages: [hello]}}, {reset: true}]
exchanges:
  - request: {method: POST, path: /a?b=c, headers: {x-a: [one, two]}, body: hello world, chunks: [3, 7],
              trailers: {x-t: a}}
    upstream:
      - {headers: {x-b: one}, body: an answer, chunks: [2], trailers: {x-t: b}}
";
    let wasm = wat::parse_str(wat).unwrap_or_default();
    let made = std::fs::create_dir_all(&folder)
        .and_then(|()| std::fs::write(folder.join("guest.wasm"), wasm))
        .and_then(|()| std::fs::write(folder.join("scenario.yaml"), yaml));
    let plan = Plan::load(&folder.join("scenario.yaml"));
    match (made, plan) {
        (Ok(()), Ok(plan)) => plan,
        (made, plan) => panic!("{made:?} {plan:?}"),
    }
}

#[cfg(test)]
mod tests;
