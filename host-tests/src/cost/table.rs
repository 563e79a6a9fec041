//! Costs and their changes as text in columns.

use std::collections::BTreeMap;
use std::path::Path;

use super::Costs;
use super::baseline::{Baseline, Change, Comparison, FILE, TOLERANCE_PERCENT};

/// Rows of changes that are shown; the largest come first.
const MOST_ROWS: usize = 40;

/// What each callback of each filter cost, and its host calls by name.
pub fn costs(costs: &Costs) -> String {
    let mut rows = vec![row([
        "filter",
        "callback",
        "calls",
        "fuel",
        "host calls",
        "to guest",
        "from guest",
        "allocations",
        "pages",
    ])];
    let mut by_kind: BTreeMap<(&str, &str), u64> = BTreeMap::new();
    for (filter, callbacks) in costs {
        for (callback, cost) in callbacks {
            rows.push(vec![
                filter.clone(),
                callback.trim_start_matches("proxy_").to_owned(),
                grouped(cost.callbacks),
                grouped(cost.fuel),
                grouped(cost.all_host_calls()),
                grouped(cost.bytes_to_guest),
                grouped(cost.bytes_from_guest),
                grouped(cost.allocations),
                grouped(cost.peak_pages),
            ]);
            for (name, count) in &cost.host_calls {
                *by_kind.entry((filter, name)).or_default() += count;
            }
        }
    }
    let mut text = columns(&rows, 2);
    if !by_kind.is_empty() {
        let mut rows = vec![row(["filter", "host function", "calls"])];
        for ((filter, name), count) in by_kind {
            let name = name.trim_start_matches("proxy_").to_owned();
            rows.push(vec![filter.to_owned(), name, grouped(count)]);
        }
        text.push('\n');
        text += &columns(&rows, 2);
    }
    text
}

/// What changed, from what to what; the largest change first.
pub fn changes(changes: &[Change]) -> String {
    let mut sorted: Vec<&Change> = changes.iter().collect();
    // From nothing is more than anything.
    sorted.sort_by_key(|c| std::cmp::Reverse(c.permille().map_or(u64::MAX, i64::unsigned_abs)));
    let mut rows = vec![row(["scenario", "filter", "callback", "what", "before", "now", "%"])];
    for change in sorted.iter().take(MOST_ROWS) {
        rows.push(vec![
            change.scenario.clone(),
            change.filter.clone(),
            change.callback.clone(),
            change.what.clone(),
            grouped(change.before),
            grouped(change.now),
            change.permille().map_or_else(|| "new".to_owned(), percent),
        ]);
    }
    let mut text = columns(&rows, 4);
    if sorted.len() > MOST_ROWS {
        text += &format!("… and {} smaller changes\n", sorted.len() - MOST_ROWS);
    }
    text
}

/// What a comparison of the scenarios in `folder` found, with what to do about it.
pub fn comparison(folder: &Path, now: &Baseline, found: &Comparison) -> String {
    let (folder, count) = (folder.display(), now.scenarios.len());
    let mut text = String::new();
    if let Some(why) = &found.no_fuel {
        text += &format!("skip  {folder}: fuel is not compared: {why}\n");
    }
    if !found.risen.is_empty() {
        text += &format!("FAIL  {folder}: costs rose by more than {TOLERANCE_PERCENT} %:\n\n");
        text += &changes(&found.risen);
        text.push('\n');
    }
    if !found.unrecorded.is_empty() {
        let names = found.unrecorded.join(", ");
        text += &format!("FAIL  {folder}: without a record: {names}\n");
    }
    if found.passes() {
        let fell = found.moved.iter().filter(|change| change.now < change.before).count();
        text += &match (found.moved.len(), fell) {
            (0, _) => format!("pass  {folder}: {count} scenarios cost what is recorded\n"),
            (moved, fell) => format!(
                "pass  {folder}: of {count} scenarios, {moved} numbers moved within the tolerance, \
                 {fell} of them down; `tollgate costs --record {folder}` records that\n"
            ),
        };
    } else {
        text += &format!(
            "if that is meant to be, `tollgate costs --record {folder}` records it in {FILE}\n"
        );
    }
    if !found.gone.is_empty() {
        text += &format!("note  {folder}: recorded, but no more: {}\n", found.gone.join(", "));
    }
    text
}

/// What it changes to record `now` in `folder` instead of `before`.
pub fn recorded(folder: &Path, before: Option<&Baseline>, now: &Baseline) -> String {
    let (folder, count) = (folder.display(), now.scenarios.len());
    let Some(before) = before else {
        return format!("{folder}: {count} scenarios recorded for the first time\n");
    };
    // Fuel of another toolchain, too: that it changes is what the reader wants to see.
    let before = Baseline { toolchain: now.toolchain.clone(), ..before.clone() };
    let found = before.compare(now);
    let mut all = found.risen;
    all.extend(found.moved);
    if all.is_empty() && found.unrecorded.is_empty() && found.gone.is_empty() {
        return format!("{folder}: {count} scenarios recorded, nothing changed\n");
    }
    let mut text = format!("{folder}: {count} scenarios recorded\n");
    if !all.is_empty() {
        text += &format!("\n{}\n", changes(&all));
    }
    for (what, names) in [("new", &found.unrecorded), ("gone", &found.gone)] {
        if !names.is_empty() {
            text += &format!("{what}: {}\n", names.join(", "));
        }
    }
    text
}

fn row<const N: usize>(cells: [&str; N]) -> Vec<String> {
    cells.map(str::to_owned).to_vec()
}

/// Lines of cells as wide as the widest in their column: the first `texts` columns are flush left,
/// numbers flush right.
fn columns(rows: &[Vec<String>], texts: usize) -> String {
    let mut widths: Vec<usize> = Vec::new();
    for row in rows {
        widths.resize(widths.len().max(row.len()), 0);
        for (width, cell) in widths.iter_mut().zip(row) {
            *width = (*width).max(cell.chars().count());
        }
    }
    let mut text = String::new();
    for row in rows {
        let cells =
            row.iter().zip(&widths).enumerate().map(|(i, (cell, &width))| match i < texts {
                true => format!("{cell:<width$}"),
                false => format!("{cell:>width$}"),
            });
        let line = cells.collect::<Vec<_>>().join("  ");
        text += line.trim_end();
        text.push('\n');
    }
    text
}

/// `12345` as `12 345`.
fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut out = String::new();
    for (i, digit) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            out.push(' ');
        }
        out.push(digit);
    }
    out
}

/// Tenths of a per cent, with a sign.
fn percent(permille: i64) -> String {
    let sign = if permille < 0 { '-' } else { '+' };
    let size = permille.unsigned_abs();
    format!("{sign}{}.{}", size / 10, size % 10)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_largest_change_comes_first_and_numbers_line_up() {
        let change = |what: &str, before, now| Change {
            scenario: "s".into(),
            filter: "a".into(),
            callback: "on_log".into(),
            what: what.into(),
            before,
            now,
        };
        let list = [
            change("fuel", 1_234_567, 1_300_000),
            change("allocations", 0, 2),
            change("bytes to guest", 100, 50),
        ];
        assert_eq!(
            changes(&list),
            "scenario  filter  callback  what               before        now      %\n\
             s         a       on_log    allocations             0          2    new\n\
             s         a       on_log    bytes to guest        100         50  -50.0\n\
             s         a       on_log    fuel            1 234 567  1 300 000   +5.3\n"
        );
    }

    #[test]
    fn costs_are_told_by_callback_and_by_host_function() {
        let cost = crate::trace::Cost {
            callbacks: 2,
            fuel: 1234,
            host_calls: [("proxy_log".into(), 3)].into(),
            ..crate::trace::Cost::default()
        };
        let all: Costs = [("a".into(), [("proxy_on_log".into(), cost)].into())].into();
        let text = costs(&all);
        assert!(text.contains("a       on_log        2  1 234           3"), "{text}");
        assert!(text.contains("a       log                3"), "{text}");
    }
}
