//! What passes the gate and what does not.

use super::*;

fn cost(fuel: u64, headers: u64) -> Cost {
    let host_calls = [("proxy_get_header_map_pairs".into(), headers)].into();
    Cost { callbacks: 1, fuel, bytes_to_guest: 100, peak_pages: 17, host_calls, ..Cost::default() }
}

fn baseline(callback: &str, cost: Cost) -> Baseline {
    let costs: Costs = [("a".to_owned(), [(callback.to_owned(), cost)].into())].into();
    Baseline::new([("scenario".to_owned(), costs)].into())
}

fn compare(before: Cost, now: Cost) -> Comparison {
    baseline("proxy_on_log", before).compare(&baseline("proxy_on_log", now))
}

#[test]
fn fuel_may_fall_and_rise_by_two_per_cent() {
    for (now, passes) in [(500, true), (1000, true), (1020, true), (1021, false)] {
        let found = compare(cost(1000, 1), cost(now, 1));
        assert_eq!(found.passes(), passes, "{now}");
        assert_eq!(found.moved.len() + found.risen.len(), usize::from(now != 1000));
    }
}

#[test]
fn one_host_call_more_is_too_many() {
    let found = compare(cost(1000, 3), cost(1000, 4));
    let [change] = found.risen.as_slice() else { panic!("{found:?}") };
    assert_eq!((change.callback.as_str(), change.before, change.now), ("on_log", 3, 4));
    assert_eq!(change.what, "calls of get_header_map_pairs");
    assert_eq!(change.permille(), Some(333));
}

#[test]
fn what_a_new_callback_costs_has_risen_from_nothing() {
    let found =
        baseline("proxy_on_log", cost(1, 1)).compare(&baseline("proxy_on_tick", cost(9, 1)));
    let of_tick = found.risen.iter().filter(|change| change.callback == "on_tick");
    assert_eq!(of_tick.count(), 4);
    assert!(found.risen.iter().all(|change| change.permille().is_none()));
}

#[test]
fn another_toolchain_compares_all_but_fuel() {
    let mut before = baseline("proxy_on_log", cost(1000, 3));
    before.toolchain.rustc = "1.0.0".to_owned();
    let found = before.compare(&baseline("proxy_on_log", cost(9000, 3)));
    assert!(found.passes() && found.moved.is_empty());
    assert!(found.no_fuel.as_ref().unwrap().contains("rustc 1.0.0"), "{found:?}");
    assert!(!before.compare(&baseline("proxy_on_log", cost(1000, 4))).passes());
}

#[test]
fn a_scenario_without_a_record_does_not_pass_and_one_that_is_gone_does() {
    let (none, some) = (Baseline::new(BTreeMap::new()), baseline("proxy_on_log", cost(1, 1)));
    assert_eq!(none.compare(&some).unrecorded, ["scenario"]);
    assert!(!none.compare(&some).passes());
    assert_eq!(some.compare(&none).gone, ["scenario"]);
    assert!(some.compare(&none).passes());
}

#[test]
fn the_file_is_read_as_it_was_written_with_a_line_per_callback() {
    let baseline = baseline("proxy_on_log", cost(1000, 3));
    let json = baseline.to_json().unwrap();
    assert_eq!(serde_json::from_str::<Baseline>(&json).unwrap(), baseline);
    assert_eq!(json.lines().filter(|line| line.contains("fuel")).count(), 1);
    let empty = Baseline::new(BTreeMap::new());
    assert_eq!(serde_json::from_str::<Baseline>(&empty.to_json().unwrap()).unwrap(), empty);
}
