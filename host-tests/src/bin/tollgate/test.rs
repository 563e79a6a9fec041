//! `tollgate test`.

use std::fmt::Write as _;
use std::io::{self, IsTerminal as _, Write};
use std::path::PathBuf;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};
use clap::Args;
use host_tests::check::refusals;
use host_tests::judge::{Failure, judge};
use host_tests::load::Invalid;
use host_tests::plan::Plan;
use host_tests::scenario::HostName;
use host_tests::source::Mistake;
use host_tests::{batch, checks, excerpt, find, modules, unavailable, wasm};

use crate::junit;
use crate::terminal::{Colour, Paint, Progress};
use crate::{On, Outcome};

/// Arguments of `tollgate test`.
#[derive(Args)]
pub(crate) struct Test {
    /// Files, or folders to search for `scenario.yaml` and `*.scenario.yaml`
    #[arg(required = true)]
    paths: Vec<PathBuf>,
    /// Only scenarios with this in their path or description, whatever the case; may be given more
    /// than once, and then any of them will do
    #[arg(short = 'k', long, value_name = "TEXT")]
    only: Vec<String>,
    /// Write the results as JUnit XML too, for the test reports of a CI
    #[arg(long, value_name = "FILE")]
    junit: Option<PathBuf>,
    /// Print failures and the last line only
    #[arg(short, long)]
    quiet: bool,
    #[command(flatten)]
    on: On,
}

/// A scenario file, and what came of reading it.
struct Subject {
    file: PathBuf,
    plan: Result<Plan, Invalid>,
}

/// What came of one scenario.
pub(crate) struct Case {
    pub(crate) file: PathBuf,
    pub(crate) description: Option<String>,
    pub(crate) verdict: Verdict,
    pub(crate) took: Duration,
}

pub(crate) enum Verdict {
    Passed,
    /// Why it cannot run here.
    Skipped(String),
    /// What differs, with what led to it; never empty.
    Failed(Vec<Difference>, Vec<Mistake>),
    /// Why there is nothing to judge, with what the filters did until then.
    Broken(String, Vec<String>, Vec<Mistake>),
    /// It is no scenario.
    Unreadable(Vec<Mistake>),
}

/// A failed expectation.
pub(crate) struct Difference {
    pub(crate) failure: Failure,
    /// What the filters did about it; empty where it is the same as for the one before.
    pub(crate) trace: Vec<String>,
}

/// How many scenarios ended how.
#[derive(Default)]
struct Tally {
    passed: usize,
    failed: usize,
    skipped: usize,
    unreadable: bool,
}

pub(crate) fn test(out: &mut impl Write, colour: Colour, arguments: &Test) -> Result<Outcome> {
    let paint = Paint::new(colour, io::stdout().is_terminal());
    let mut progress = Progress::new(io::stderr().is_terminal().then(io::stderr));
    let subjects = subjects(arguments)?;
    let host = arguments.on.host;
    let no_host = unavailable(host);
    let skip = |plan: &Plan| plan.skip_reason(host).or_else(|| no_host.clone());
    // All at once: one run of Cargo.
    progress.show("building the filters")?;
    let to_run = subjects.iter().filter_map(|subject| subject.plan.as_ref().ok());
    modules::build(to_run.filter(|plan| skip(plan).is_none()))?;

    let ready = AtomicUsize::new(0);
    let work = |subject: &Subject| {
        let started = Instant::now();
        let verdict = match &subject.plan {
            Err(invalid) => Verdict::Unreadable(invalid.mistakes.clone()),
            Ok(plan) => skip(plan).map_or_else(|| run(plan, host), Verdict::Skipped),
        };
        ready.fetch_add(1, Ordering::Relaxed);
        (verdict, started.elapsed())
    };
    let mut tally = Tally::default();
    let mut cases = Vec::new();
    progress.show(&format!("0 of {} scenarios", subjects.len()))?;
    batch::each(&subjects, work, |subject, (verdict, took)| -> Result<()> {
        let description = subject.plan.as_ref().ok().map(|plan| plan.scenario.description.clone());
        let case = Case { file: subject.file.clone(), description, verdict, took };
        tally.add(&case.verdict);
        progress.clear()?;
        let told = case.told(paint);
        if !arguments.quiet || case.has_failed() {
            out.write_all(told.as_bytes())?;
            out.flush()?;
        }
        let ready = ready.load(Ordering::Relaxed);
        let failed =
            if tally.failed == 0 { String::new() } else { format!(", {} failed", tally.failed) };
        progress.show(&format!("{ready} of {} scenarios{failed}", subjects.len()))?;
        cases.push(case);
        Ok(())
    })?;
    progress.clear()?;
    if let Some(file) = &arguments.junit {
        junit::write(file, &cases).with_context(|| format!("cannot write `{}`", file.display()))?;
    }
    let Tally { passed, failed, skipped, unreadable } = tally;
    writeln!(out, "{passed} passed, {failed} failed, {skipped} skipped")?;
    Ok(match (unreadable, failed) {
        (true, _) => Outcome::Unusable,
        (false, 0) => Outcome::Fine,
        (false, _) => Outcome::Refused,
    })
}

/// The scenarios that the arguments name.
fn subjects(arguments: &Test) -> Result<Vec<Subject>> {
    let mut subjects = Vec::new();
    for file in find::scenarios(&arguments.paths)? {
        let mut plan = Plan::load(&file);
        if let (Ok(plan), Some(profile)) = (&mut plan, arguments.on.profile) {
            plan.profile = profile;
        }
        subjects.push(Subject { file, plan });
    }
    if arguments.only.is_empty() {
        return Ok(subjects);
    }
    let only: Vec<String> = arguments.only.iter().map(|text| text.to_lowercase()).collect();
    let all = subjects.len();
    subjects.retain(|Subject { file, plan }| {
        let path = file.to_string_lossy().to_lowercase();
        let description = plan.as_ref().map(|plan| plan.scenario.description.to_lowercase());
        let within = |text: &String| {
            path.contains(text) || description.as_ref().is_ok_and(|d| d.contains(text))
        };
        only.iter().any(within)
    });
    if subjects.is_empty() {
        let texts: Vec<String> = arguments.only.iter().map(|text| format!("`{text}`")).collect();
        bail!("none of {all} scenarios has {} in its path or description", texts.join(" or "));
    }
    Ok(subjects)
}

/// Judges what the scenario expects; if that holds, what the runner checks of every scenario.
fn run(plan: &Plan, host: HostName) -> Verdict {
    let broken = |error: anyhow::Error, trace: Vec<String>| {
        Verdict::Broken(format!("{error:#}"), trace, refusals(plan))
    };
    let report = match host_tests::run(plan, host) {
        Ok(report) => report,
        Err(error) => {
            let trace = traced(plan, host).map(|trace| excerpt::of_error(&trace));
            return broken(error, trace.unwrap_or_default());
        }
    };
    let failures = judge(plan, &report);
    if !failures.is_empty() {
        return Verdict::Failed(explained(plan, host, failures), refusals(plan));
    }
    if host != HostName::Wasmtime {
        return Verdict::Passed;
    }
    match checks::check(plan, &report) {
        Ok(failures) if failures.is_empty() => Verdict::Passed,
        // They are of other runs than the one that could be traced.
        Ok(failures) => {
            let untraced = |failure| Difference { failure, trace: Vec::new() };
            Verdict::Failed(failures.into_iter().map(untraced).collect(), Vec::new())
        }
        Err(error) => broken(error, Vec::new()),
    }
}

/// Each of `failures` with what the filters did about it.
fn explained(plan: &Plan, host: HostName, failures: Vec<Failure>) -> Vec<Difference> {
    let trace = traced(plan, host);
    let mut before: Option<(usize, Vec<String>)> = None;
    let explain = |failure: Failure| {
        let at = plan.exchanges.iter().position(|exchange| exchange.name == failure.exchange);
        let lines = match (&trace, at) {
            (Some(trace), Some(at)) => excerpt::about(trace, at, &failure.path),
            _ => Vec::new(),
        };
        // Several mistakes of one response have one cause.
        let now = at.map(|at| (at, lines.clone()));
        let trace = if now == before { Vec::new() } else { lines };
        before = now;
        Difference { failure, trace }
    };
    failures.into_iter().map(explain).collect()
}

/// The same once more, with a record of it: only failures need one, and a run is repeatable.
fn traced(plan: &Plan, host: HostName) -> Option<host_tests::trace::Trace> {
    (host == HostName::Wasmtime).then(|| wasm::record(plan).1)
}

impl Tally {
    fn add(&mut self, verdict: &Verdict) {
        match verdict {
            Verdict::Passed => self.passed += 1,
            Verdict::Skipped(_) => self.skipped += 1,
            Verdict::Failed(..) | Verdict::Broken(..) => self.failed += 1,
            Verdict::Unreadable(_) => {
                self.failed += 1;
                self.unreadable = true;
            }
        }
    }
}

impl Case {
    fn has_failed(&self) -> bool {
        !matches!(self.verdict, Verdict::Passed | Verdict::Skipped(_))
    }

    /// What a reader is told of it: a line, and below it what is wrong.
    fn told(&self, paint: Paint) -> String {
        let file = self.file.display();
        let heading = match &self.verdict {
            Verdict::Passed => return format!("{}  {file}\n", paint.good("pass")),
            Verdict::Skipped(reason) => {
                return format!("{}  {file}: {reason}\n", paint.dim("skip"));
            }
            _ => format!("{}  {file}\n", paint.bad("FAIL")),
        };
        let details = self.details(paint);
        let indented =
            details.lines().fold(String::new(), |text, line| text + "      " + line + "\n");
        heading + &indented
    }

    /// What is wrong; empty if nothing is.
    pub(crate) fn details(&self, paint: Paint) -> String {
        let mut text = String::new();
        let mut line = |line: String| {
            // Writing into memory.
            let _ = writeln!(text, "{line}");
        };
        let description = self.description.clone().unwrap_or_default();
        match &self.verdict {
            Verdict::Passed | Verdict::Skipped(_) => {}
            Verdict::Unreadable(mistakes) => mistakes.iter().for_each(|m| line(m.to_string())),
            Verdict::Failed(differences, refused) => {
                line(description);
                for Difference { failure, trace } in differences {
                    let path = paint.strong(&failure.path);
                    line(match failure.exchange.as_str() {
                        "" => path,
                        exchange => format!("exchange {exchange}: {path}"),
                    });
                    line(format!("  expected {}", paint.good(&continued(&failure.expected))));
                    line(format!("  found    {}", paint.bad(&continued(&failure.found))));
                    trace.iter().for_each(|step| line(paint.dim(&format!("    {step}"))));
                }
                refusals_told(refused, &mut line);
            }
            Verdict::Broken(why, trace, refused) => {
                line(continued(why));
                trace.iter().for_each(|step| line(paint.dim(&format!("    {step}"))));
                refusals_told(refused, &mut line);
            }
        }
        text
    }
}

fn refusals_told(refused: &[Mistake], line: &mut impl FnMut(String)) {
    if !refused.is_empty() {
        line("a filter refuses its configuration:".to_owned());
        refused.iter().for_each(|mistake| line(format!("  {mistake}")));
    }
}

/// Lines behind the first one, set in.
fn continued(text: &str) -> String {
    text.replace('\n', "\n    ")
}
