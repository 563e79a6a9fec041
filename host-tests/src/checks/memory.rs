//! Repeated on the same VMs, a scenario takes no more memory after some repetitions.
//!
//! Pages would show a leak of a few bytes per stream only after thousands of streams. So the guests'
//! whole memories are watched, between repetitions, in lines of 64 bytes: what a filter frees it uses
//! again, so a filter that keeps nothing changes the same lines over and over, while what leaks has
//! to be put where nothing was before. That needs no knowledge of the filter's language or
//! allocator.
//!
//! The plateau is reached when as many repetitions as there were before bring no line that was never
//! changed before: the filters of this repository do in the first eight, a cache that fills takes
//! longer, a leak never does.

use anyhow::Result;

use super::cuts::{bodies, recut};
use super::opt_out;
use crate::judge::Failure;
use crate::plan::Plan;
use crate::scenario::Chunks;
use crate::wasm::{Gateway, Runtime, Thread};

/// Repetitions before anything is watched for: pools fill, tables grow.
const WARM_UP: usize = 16;

/// Repetitions in all, at most.
const MOST_REPETITIONS: usize = 512;

/// A scenario whose bodies come in more pieces is repeated with whole bodies: it is streams that may leave
/// something behind, and a million pieces a thousand times take an hour.
const MOST_PIECES: usize = 10_000;

/// Of larger memories only the pages are watched.
const MOST_WATCHED: usize = 64 << 20;

/// What changes are counted in.
const LINE: usize = 64;

/// What is compared at once, being mostly equal.
const BLOCK: usize = 4096;

/// The memory of one VM, from repetition to repetition.
struct Watch {
    place: (Thread, usize),
    filters: Vec<String>,
    last: Vec<u8>,
    /// By line: whether it has ever changed.
    changed: Vec<bool>,
    pages: usize,
    /// Bytes in lines that changed for the first time, since the warm-up.
    grown: usize,
    /// The last repetition that brought any, or more pages.
    grew_at: usize,
    seen_at: usize,
}

/// Why the memory of a VM does not reach a plateau; at most one failure per VM.
///
/// # Errors
///
/// When the scenario cannot be started.
pub(super) fn check(plan: &Plan) -> Result<Vec<Failure>> {
    if plan.chain.is_empty() {
        return Ok(Vec::new());
    }
    let plan = &repeatable(plan);
    let mut gateway = Gateway::start(Runtime::shared()?, plan)?;
    let mut watches: Vec<Watch> = Vec::new();
    for repetition in 1..=MOST_REPETITIONS {
        if let Err(error) = gateway.run(plan) {
            return Ok(vec![broken(repetition, &error)]);
        }
        gateway.memories(|place, filters, memory| {
            let at = watches.iter().position(|watch| watch.place == place).unwrap_or_else(|| {
                watches.push(Watch::new(place, filters));
                watches.len() - 1
            });
            if let Some(watch) = watches.get_mut(at) {
                watch.note(repetition, memory);
            }
        });
        // A VM that failed is gone for good.
        watches.retain(|watch| watch.seen_at == repetition);
        let settled = |watch: &Watch| repetition >= 2 * watch.grew_at.max(WARM_UP);
        if watches.iter().all(settled) {
            return Ok(Vec::new());
        }
    }
    // The latest growth was in the second half of all.
    let growing = watches.iter().filter(|watch| watch.grew_at * 2 > MOST_REPETITIONS);
    Ok(growing.map(Watch::failure).collect())
}

/// `plan` in as many pieces as can be repeated.
fn repeatable(plan: &Plan) -> Plan {
    let pieces: usize = bodies(plan).iter().map(|body| body.len()).sum();
    if pieces > MOST_PIECES { recut(plan, &Chunks::Whole) } else { plan.clone() }
}

impl Watch {
    fn new(place: (Thread, usize), filters: &[String]) -> Self {
        Self {
            place,
            filters: filters.to_vec(),
            last: Vec::new(),
            changed: Vec::new(),
            pages: 0,
            grown: 0,
            grew_at: 0,
            seen_at: 0,
        }
    }

    fn note(&mut self, repetition: usize, memory: &[u8]) {
        let first = self.seen_at == 0;
        self.seen_at = repetition;
        let pages = memory.len() >> 16;
        let more_pages = pages > std::mem::replace(&mut self.pages, pages);
        if memory.len() > MOST_WATCHED {
            self.last = Vec::new();
            if more_pages {
                self.grew_at = repetition;
            }
            return;
        }
        let new = self.new_lines(memory);
        if (new > 0 || more_pages) && !first {
            self.grew_at = repetition;
        }
        if repetition > WARM_UP {
            self.grown += new * LINE;
        }
    }

    /// How many lines have changed that never had before.
    fn new_lines(&mut self, memory: &[u8]) -> usize {
        if self.last.is_empty() {
            self.last = memory.to_vec();
            self.changed = vec![false; memory.len().div_ceil(LINE)];
            return 0;
        }
        self.last.resize(memory.len(), 0);
        self.changed.resize(memory.len().div_ceil(LINE), false);
        let blocks = memory.chunks(BLOCK).zip(self.last.chunks_mut(BLOCK));
        let mut new = 0;
        for ((now, last), changed) in blocks.zip(self.changed.chunks_mut(BLOCK / LINE)) {
            if now == last {
                continue;
            }
            let lines = now.chunks(LINE).zip(last.chunks(LINE));
            for ((now, last), changed) in lines.zip(changed) {
                if now != last && !std::mem::replace(changed, true) {
                    new += 1;
                }
            }
            last.copy_from_slice(now);
        }
        new
    }

    fn failure(&self) -> Failure {
        let Self { filters, pages, grown, .. } = self;
        let filters = filters.join(", ");
        let each = grown / (MOST_REPETITIONS - WARM_UP);
        let bytes = match self.last.is_empty() {
            true => "it grew by whole pages".to_owned(),
            false => format!("{grown} bytes more, about {each} each time"),
        };
        Failure {
            exchange: String::new(),
            path: format!("memory of {filters}, with the scenario repeated on the same VM"),
            expected: "a plateau: streams that are over leave nothing behind".to_owned(),
            found: format!(
                "growth to the end of {MOST_REPETITIONS} repetitions: {bytes}, {pages} pages now{}",
                opt_out("memory")
            ),
        }
    }
}

fn broken(repetition: usize, error: &anyhow::Error) -> Failure {
    Failure {
        exchange: String::new(),
        path: "memory, with the scenario repeated on the same VMs".to_owned(),
        expected: "repetitions that end".to_owned(),
        found: format!("in repetition {repetition}: {error:#}{}", opt_out("memory")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bodies_in_very_many_pieces_are_repeated_whole() {
        let folder = std::env::temp_dir().join(format!("tollgate-pieces-{}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        let file = folder.join("scenario.yaml");
        let pieces = |length: usize| {
            let body = "x".repeat(length);
            let yaml = format!(
                "description: d\nchain: []\nexchanges:\n  - request: {{path: /, body: {body}, \
                 chunks: every-byte}}\n"
            );
            std::fs::write(&file, yaml).unwrap();
            let plan = Plan::load(&file).unwrap();
            bodies(&repeatable(&plan)).iter().map(|body| body.len()).sum::<usize>()
        };
        assert_eq!(pieces(MOST_PIECES), MOST_PIECES);
        assert_eq!(pieces(MOST_PIECES + 1), 1);
        std::fs::remove_dir_all(folder).unwrap();
    }
}
