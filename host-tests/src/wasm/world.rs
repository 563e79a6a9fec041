//! What all workers share: the clock, randomness, metrics, shared data, the log.
//!
//! Everything here is deterministic: time moves only when a scenario says so (or when only time can
//! end a wait), random bytes come from a fixed seed.

use std::collections::BTreeMap;

use super::abi::Status;
use super::allowance::Allowance;
use super::callouts::{Callouts, Due};
use super::profile::{self, Switches};
use super::recorder;
use super::scheduler::Scheduler;
use super::shared::{Queues, SharedData};

/// Nanoseconds since 1970; of 2026-01-01T00:00:00Z, when a scenario names no clock.
pub(crate) const DEFAULT_CLOCK: u64 = 1_767_225_600_000_000_000;

/// Metrics of one run at most: a filter that makes names from input is a defect worth an error.
const MOST_METRICS: usize = 100_000;

/// Bytes of their names at most.
const MOST_METRIC_BYTES: usize = 64 << 20;

/// Lines of one run at most, their bytes, and the bytes of one.
const MOST_LINES: usize = 100_000;
const MOST_LOG_BYTES: usize = 64 << 20;
const MOST_LINE_BYTES: usize = 1 << 20;

/// A line that a filter, or the host about a filter, logged.
#[derive(Clone, Debug)]
pub(crate) struct Line {
    /// 0 trace to 5 critical.
    pub(crate) level: u32,
    pub(crate) filter: String,
    pub(crate) message: String,
    /// The exchange it belongs to; `None` outside of any (start, ticks).
    pub(crate) exchange: Option<usize>,
}

/// State of the process.
pub(crate) struct World {
    /// Nanoseconds since 1970.
    pub(crate) now: u64,
    pub(crate) lines: Vec<Line>,
    /// Lines and bytes in this run.
    logged: (usize, usize),
    log_full: bool,
    /// What is to come.
    pub(crate) agenda: Scheduler<Due>,
    pub(crate) callouts: Callouts,
    pub(crate) shared: SharedData,
    pub(crate) queues: Queues,
    pub(crate) vms: VmCounts,
    pub(crate) allowance: Allowance,
    vm_numbers: u64,
    /// What filters do is recorded here, if somebody asked.
    pub(crate) recorder: recorder::Shared,
    /// The host that is mirrored.
    pub(crate) profile: &'static Switches,
    metrics: Metrics,
    random: u64,
}

impl World {
    pub(crate) fn new(now: u64) -> Self {
        Self {
            now,
            lines: Vec::new(),
            logged: (0, 0),
            log_full: false,
            agenda: Scheduler::default(),
            callouts: Callouts::default(),
            shared: SharedData::default(),
            queues: Queues::default(),
            vms: VmCounts::default(),
            allowance: Allowance::default(),
            vm_numbers: 0,
            recorder: None,
            profile: &profile::ENVOY,
            metrics: Metrics::default(),
            random: 0x746f_6c6c_6761_7465,
        }
    }

    /// The number of the next VM.
    pub(crate) fn number_vm(&mut self) -> u64 {
        self.vm_numbers += 1;
        self.vm_numbers
    }

    /// Writes a line, unless there are too many; one that is too long loses its end.
    pub(crate) fn log(&mut self, level: u32, filter: &str, exchange: Option<usize>, text: &str) {
        let size = text.len().min(MOST_LINE_BYTES);
        if self.logged.0 >= MOST_LINES || self.logged.1 + size > MOST_LOG_BYTES {
            if !std::mem::replace(&mut self.log_full, true) {
                let text = "the log is full: lines from here on are left out";
                let (filter, message) = (filter.to_owned(), text.to_owned());
                self.lines.push(Line { level: 4, filter, message, exchange });
            }
            return;
        }
        self.logged = (self.logged.0 + 1, self.logged.1 + size);
        let cut = (0..=size).rev().find(|at| text.is_char_boundary(*at)).unwrap_or(0);
        let mut message = text.get(..cut).unwrap_or_default().to_owned();
        if cut < text.len() {
            message += &format!("… and {} bytes more", text.len() - cut);
        }
        self.lines.push(Line { level, filter: filter.to_owned(), message, exchange });
    }

    /// Makes room for the log of another run.
    pub(crate) fn empty_log(&mut self) {
        (self.logged, self.log_full) = ((0, 0), false);
    }

    pub(crate) fn metrics(&mut self) -> &mut Metrics {
        &mut self.metrics
    }

    /// The next random bytes (splitmix64).
    pub(crate) fn fill_random(&mut self, bytes: &mut [u8]) {
        for chunk in bytes.chunks_mut(8) {
            self.random = self.random.wrapping_add(0x9e37_79b9_7f4a_7c15);
            let mut z = self.random;
            z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
            z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
            z ^= z >> 31;
            for (to, from) in chunk.iter_mut().zip(z.to_le_bytes()) {
                *to = from;
            }
        }
    }
}

/// What VMs run on, as Envoy's stats call it.
const RUNTIME: &str = "envoy.wasm.runtime.v8";

/// What Envoy counts about VMs.
#[derive(Default)]
pub(crate) struct VmCounts {
    /// VMs made: one per key to copy from, one per plugin for its trial, one per key and thread, and
    /// every one that replaces a failed one.
    pub(crate) created: u64,
    /// VMs that are there.
    pub(crate) active: usize,
    /// By plugin name: how its attempts to replace a failed VM went.
    reloads: BTreeMap<String, [u64; 3]>,
}

/// How an attempt to replace a failed VM went.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Reload {
    Success,
    Failure,
    /// It was too early for one.
    Backoff,
}

impl VmCounts {
    pub(crate) fn reload(&mut self, plugin: &str, how: Reload) {
        let counts = self.reloads.entry(plugin.to_owned()).or_default();
        if let Some(count) = counts.get_mut(how as usize) {
            *count += 1;
        }
    }

    /// The count that Envoy calls `name`, if it is one of them and above 0.
    pub(crate) fn stat(&self, name: &str) -> Option<i64> {
        let (plugin, stat) = name.strip_prefix("wasm.")?.rsplit_once('.')?;
        let how = match stat {
            "created" if plugin == RUNTIME => return i64::try_from(self.created).ok(),
            "active" if plugin == RUNTIME => return i64::try_from(self.active).ok(),
            "vm_reload_success" => Reload::Success,
            "vm_reload_failure" => Reload::Failure,
            "vm_reload_backoff" => Reload::Backoff,
            _ => return None,
        };
        let count = self.reloads.get(plugin)?.get(how as usize).filter(|count| **count > 0)?;
        i64::try_from(*count).ok()
    }
}

/// A metric's type, by its number in the ABI.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum MetricKind {
    Counter = 0,
    Gauge = 1,
    Histogram = 2,
}

/// Metrics by name, and the ids that stand for them: each definition makes a new id.
#[derive(Default)]
pub(crate) struct Metrics {
    ids: BTreeMap<u32, (MetricKind, String)>,
    values: BTreeMap<String, (MetricKind, u64)>,
    defined: [u32; 3],
    bytes: usize,
}

impl Metrics {
    /// Ids count up by 4, from 4 (counters), 5 (gauges), 6 (histograms).
    pub(crate) fn define(&mut self, kind: u32, name: &str) -> Result<u32, Status> {
        let kind = match kind {
            0 => MetricKind::Counter,
            1 => MetricKind::Gauge,
            2 => MetricKind::Histogram,
            _ => return Err(Status::BadArgument),
        };
        let bytes = self.bytes + 2 * name.len();
        if self.ids.len() >= MOST_METRICS || bytes > MOST_METRIC_BYTES {
            return Err(Status::InternalFailure);
        }
        self.bytes = bytes;
        let Some(defined) = self.defined.get_mut(kind as usize) else {
            return Err(Status::InternalFailure);
        };
        *defined += 1;
        let id = *defined * 4 + kind as u32;
        self.ids.insert(id, (kind, name.to_owned()));
        self.values.entry(name.to_owned()).or_insert((kind, 0));
        Ok(id)
    }

    /// Counters only grow; a histogram cannot be incremented (E26).
    pub(crate) fn increment(&mut self, id: u32, by: i64) -> Result<(), Status> {
        let (kind, value) = self.value(id)?;
        match kind {
            MetricKind::Counter if by > 0 => *value = value.wrapping_add(by.unsigned_abs()),
            MetricKind::Gauge => *value = value.wrapping_add_signed(by),
            MetricKind::Counter | MetricKind::Histogram => return Err(Status::BadArgument),
        }
        Ok(())
    }

    /// Sets a gauge, adds to a counter, counts a histogram's sample (E26).
    pub(crate) fn record(&mut self, id: u32, new: u64) -> Result<(), Status> {
        let (kind, value) = self.value(id)?;
        match kind {
            MetricKind::Counter => *value = value.wrapping_add(new),
            MetricKind::Gauge => *value = new,
            MetricKind::Histogram => *value = value.wrapping_add(1),
        }
        Ok(())
    }

    pub(crate) fn get(&mut self, id: u32) -> Result<u64, Status> {
        match self.value(id)? {
            (MetricKind::Histogram, _) => Err(Status::BadArgument),
            (_, value) => Ok(*value),
        }
    }

    /// Counters and gauges by name; of histograms the number of samples.
    pub(crate) fn snapshot(&self) -> BTreeMap<String, i64> {
        self.values.iter().map(|(name, (_, value))| (name.clone(), value.cast_signed())).collect()
    }

    fn value(&mut self, id: u32) -> Result<(MetricKind, &mut u64), Status> {
        let (kind, name) = self.ids.get(&id).ok_or(Status::NotFound)?;
        let (_, value) = self.values.get_mut(name).ok_or(Status::NotFound)?;
        Ok((*kind, value))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn e26_counters_only_grow_and_records_add_to_them() {
        let mut metrics = Metrics::default();
        let counter = metrics.define(0, "c").unwrap();
        assert_eq!(counter, 4);
        assert_eq!(metrics.increment(counter, 0), Err(Status::BadArgument));
        assert_eq!(metrics.increment(counter, -1), Err(Status::BadArgument));
        metrics.increment(counter, 2).unwrap();
        metrics.record(counter, 3).unwrap();
        assert_eq!(metrics.get(counter), Ok(5));
        let histogram = metrics.define(2, "h").unwrap();
        assert_eq!(histogram, 6);
        assert_eq!(metrics.get(histogram), Err(Status::BadArgument));
    }

    #[test]
    fn e26_every_definition_makes_a_new_id_for_the_same_metric() {
        let mut metrics = Metrics::default();
        let (a, b) = (metrics.define(0, "c").unwrap(), metrics.define(0, "c").unwrap());
        assert_eq!((a, b), (4, 8));
        metrics.increment(a, 1).unwrap();
        metrics.increment(b, 1).unwrap();
        assert_eq!(metrics.snapshot().get("c"), Some(&2));
    }

    #[test]
    fn the_log_is_bounded_in_lines_and_bytes() {
        let mut world = World::new(0);
        let long = "ä".repeat(MOST_LINE_BYTES);
        world.log(2, "a", None, &long);
        assert!(world.lines[0].message.ends_with("… and 1048576 bytes more"));
        for _ in 0..100 {
            world.log(2, "a", None, &long);
        }
        assert_eq!(world.lines.len(), 65);
        assert_eq!(world.lines[64].message, "the log is full: lines from here on are left out");
        world.empty_log();
        for _ in 0..2 * MOST_LINES {
            world.log(2, "a", None, "x");
        }
        assert_eq!(world.lines.len(), 65 + MOST_LINES + 1);
    }

    #[test]
    fn metrics_are_bounded_in_number_and_in_the_bytes_of_their_names() {
        let mut metrics = Metrics::default();
        let large = "x".repeat(MOST_METRIC_BYTES / 2);
        metrics.define(0, &large).unwrap();
        assert_eq!(metrics.define(0, "y"), Err(Status::InternalFailure));
        let mut metrics = Metrics::default();
        for _ in 0..MOST_METRICS {
            metrics.define(0, "same").unwrap();
        }
        assert_eq!(metrics.define(0, "same"), Err(Status::InternalFailure));
    }

    #[test]
    fn randomness_is_the_same_in_every_run() {
        let (mut a, mut b) = ([0; 20], [0; 20]);
        World::new(0).fill_random(&mut a);
        World::new(1).fill_random(&mut b);
        assert_eq!(a, b);
        assert_ne!(a, [0; 20]);
    }
}
