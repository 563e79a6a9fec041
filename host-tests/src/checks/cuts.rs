//! However bodies are cut, the outcome is the same: what the client gets, what upstreams and callouts
//! get, properties and metrics. A network cuts as it likes, so a filter for which this does not hold
//! has a defect that shows on bad days only.
//!
//! Not checked where the client goes away after some bytes of the response: what it had got by then
//! does depend on the cuts.

use serde_json::Value;

use super::opt_out;
use crate::judge::Failure;
use crate::plan::Plan;
use crate::report::{Observed, Report};
use crate::scenario::Chunks;
use crate::wasm;

/// A body longer than this is cut into single bytes at its front and its end only.
const MOST_SINGLE_BYTES: usize = 16 * 1024;

/// What a message shows of a text on either side of the first difference, in bytes.
const SHOWN: usize = 60;

/// Differences of one cut that are told.
const MOST_TOLD: usize = 5;

/// Where the outcome is another than `report`, which was made of `plan` as it is written.
pub(super) fn check(plan: &Plan, report: &Report) -> Vec<Failure> {
    let leaves = |exchange: &crate::plan::Exchange| exchange.request.abort_after_bytes.is_some();
    if plan.exchanges.iter().any(leaves) {
        return Vec::new();
    }
    let expected = outcomes(report);
    let mut failures = Vec::new();
    for (how, chunks) in [
        ("whole bodies", Chunks::Whole),
        ("bodies in single bytes", Chunks::EveryByte),
        ("bodies cut at random (seed:1)", Chunks::Seed(1)),
        ("bodies cut at random (seed:2)", Chunks::Seed(2)),
        ("bodies cut at random (seed:3)", Chunks::Seed(3)),
    ] {
        let cut = recut(plan, &chunks);
        // Most scenarios have whole bodies: that run has been made.
        if bodies(&cut) == bodies(plan) {
            continue;
        }
        let told = match wasm::run(&cut) {
            Ok(found) => differences(&expected, &outcomes(&found)),
            Err(error) => {
                let (whole, error) = ("the outcome as written".to_owned(), format!("{error:#}"));
                vec![(String::new(), "outcome".to_owned(), whole, error)]
            }
        };
        failures.extend(told.into_iter().take(MOST_TOLD).map(
            |(exchange, path, expected, found)| Failure {
                exchange,
                path: format!("{path}, with {how}"),
                expected,
                found: found + &opt_out("cuts"),
            },
        ));
        // One cut shows it; the others would repeat it.
        if !failures.is_empty() {
            break;
        }
    }
    failures
}

/// `plan` with every body, of requests and of upstreams, cut anew. Headers stay as they are, so only
/// the cuts differ.
pub(super) fn recut(plan: &Plan, chunks: &Chunks) -> Plan {
    let mut plan = plan.clone();
    for pieces in plan.bodies_mut() {
        let body = pieces.concat();
        let long = *chunks == Chunks::EveryByte && body.len() > MOST_SINGLE_BYTES;
        let cut = match long {
            true => Ok(ends_singly(&body)),
            false => crate::load::cut(&body, chunks),
        };
        // Only offsets can be wrong, and these are none.
        if let Ok(cut) = cut {
            *pieces = cut;
        }
    }
    plan
}

/// Single bytes at the front and the end, and what is between in one piece.
fn ends_singly(body: &[u8]) -> Vec<Vec<u8>> {
    let end = MOST_SINGLE_BYTES / 2;
    let (front, rest) = body.split_at_checked(end).unwrap_or((body, &[]));
    let (middle, back) =
        rest.split_at_checked(rest.len().saturating_sub(end)).unwrap_or((rest, &[]));
    let singly = |bytes: &[u8]| bytes.iter().map(|byte| vec![*byte]).collect::<Vec<_>>();
    [singly(front), vec![middle.to_vec()], singly(back)].concat()
}

pub(super) fn bodies(plan: &Plan) -> Vec<&[Vec<u8>]> {
    fn of_exchange(exchange: &crate::plan::Exchange) -> Vec<&[Vec<u8>]> {
        let upstream = exchange.upstream.iter().map(|upstream| upstream.body.as_deref());
        std::iter::once(exchange.request.body.as_deref()).chain(upstream).flatten().collect()
    }
    plan.exchanges.iter().flat_map(of_exchange).collect()
}

/// What must not depend on cuts, by exchange. Logs may: a filter may tell what it sees.
fn outcomes(report: &Report) -> Vec<(String, Value)> {
    let outcome = |seen: &Observed| {
        let Observed { name, upstream, callouts, response, properties, metrics, .. } = seen;
        let value = serde_json::json!({
            "upstream": upstream, "callouts": callouts, "response": response,
            "properties": properties, "metrics": metrics,
        });
        (name.clone(), value)
    };
    report.exchanges.iter().map(outcome).collect()
}

type Told = (String, String, String, String);

fn differences(expected: &[(String, Value)], found: &[(String, Value)]) -> Vec<Told> {
    let mut told = Vec::new();
    for ((name, expected), (_, found)) in expected.iter().zip(found) {
        walk("", expected, found, &mut |path, expected, found| {
            let (expected, found) = excerpts(expected, found);
            told.push((name.clone(), path.to_owned(), expected, found));
        });
    }
    told
}

/// Calls `note` with the smallest parts that differ.
fn walk(path: &str, expected: &Value, found: &Value, note: &mut impl FnMut(&str, &Value, &Value)) {
    if expected == found {
        return;
    }
    match (expected, found) {
        (Value::Object(a), Value::Object(b)) => {
            let keys = a.keys().chain(b.keys().filter(|key| !a.contains_key(*key)));
            for key in keys {
                let at = if path.is_empty() { key.clone() } else { format!("{path}.{key}") };
                let of = |map: &serde_json::Map<String, Value>| map.get(key).cloned();
                walk(&at, &of(a).unwrap_or_default(), &of(b).unwrap_or_default(), note);
            }
        }
        (Value::Array(a), Value::Array(b)) if a.len() == b.len() => {
            for (i, (a, b)) in a.iter().zip(b).enumerate() {
                walk(&format!("{path}[{i}]"), a, b, note);
            }
        }
        _ => note(path, expected, found),
    }
}

/// Both as text, of long ones only what is around the first difference.
fn excerpts(expected: &Value, found: &Value) -> (String, String) {
    let (a, b) = (expected.to_string(), found.to_string());
    let same = a.bytes().zip(b.bytes()).take_while(|(a, b)| a == b).count();
    let excerpt = |text: &str| {
        let from = same.saturating_sub(SHOWN);
        let to = same.saturating_add(SHOWN).min(text.len());
        let shown = String::from_utf8_lossy(text.as_bytes().get(from..to).unwrap_or_default());
        let front = if from > 0 { "…" } else { "" };
        let back = if to < text.len() { "…" } else { "" };
        format!("{front}{shown}{back}")
    };
    (excerpt(&a), excerpt(&b))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cuts_change_no_byte_and_no_header() {
        let folder = std::env::temp_dir().join(format!("tollgate-recut-{}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        let file = folder.join("scenario.yaml");
        let long = "x".repeat(MOST_SINGLE_BYTES + 100);
        let yaml = format!(
            "description: d\nchain: []\nexchanges:\n  - request: {{path: /, body: abc}}\n    \
             upstream: [{{body: ''}}, {{body: {long}}}]\n"
        );
        std::fs::write(&file, yaml).unwrap();
        let plan = Plan::load(&file).unwrap();
        std::fs::remove_dir_all(folder).unwrap();
        let cut = recut(&plan, &Chunks::EveryByte);
        let exchange = &cut.exchanges[0];
        assert_eq!(exchange.request.body, Some(vec![b"a".to_vec(), b"b".to_vec(), b"c".to_vec()]));
        assert_eq!(exchange.request.headers, plan.exchanges[0].request.headers);
        assert_eq!(exchange.upstream[0].body, Some(vec![]));
        let pieces = exchange.upstream[1].body.as_ref().unwrap();
        assert_eq!(pieces.concat(), long.as_bytes());
        assert_eq!(pieces.len(), MOST_SINGLE_BYTES + 1);
        assert!(pieces.iter().all(|piece| !piece.is_empty()));
        assert_eq!(bodies(&recut(&plan, &Chunks::Whole)), bodies(&plan));
    }

    #[test]
    fn a_difference_in_a_long_text_is_shown_with_what_is_around_it() {
        let (a, b) =
            ("a".repeat(500) + "X" + &"b".repeat(500), "a".repeat(500) + "Y" + &"b".repeat(500));
        let (a, b) = excerpts(&a.into(), &b.into());
        assert!(a.contains("aaX") && b.contains("aaY") && a.len() < 150, "{a}");
    }
}
