//! Results as JUnit XML, which the test reports of CIs read: a suite per folder, a case per scenario.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use anyhow::{Context as _, Result};
use quick_junit::{NonSuccessKind, Report, TestCase, TestCaseStatus, TestSuite};

use crate::terminal::Paint;
use crate::test::{Case, Verdict};

/// Writes `cases` to `file`, whose folder is made if need be.
pub(crate) fn write(file: &Path, cases: &[Case]) -> Result<()> {
    if let Some(folder) = file.parent() {
        fs::create_dir_all(folder)?;
    }
    fs::write(file, report(cases)?)?;
    Ok(())
}

fn report(cases: &[Case]) -> Result<String> {
    let mut suites: BTreeMap<String, Vec<&Case>> = BTreeMap::new();
    for case in cases {
        suites.entry(suite_and_name(&case.file).0).or_default().push(case);
    }
    let mut report = Report::new("tollgate");
    report.set_time(cases.iter().map(|case| case.took).sum());
    for (name, cases) in suites {
        let mut suite = TestSuite::new(name.as_str());
        suite.set_time(cases.iter().map(|case| case.took).sum());
        for case in cases {
            let mut test = TestCase::new(suite_and_name(&case.file).1, status(case));
            test.set_classname(name.as_str());
            test.set_time(case.took);
            test.extra.insert("file".into(), case.file.display().to_string().into());
            suite.add_test_case(test);
        }
        report.add_test_suite(suite);
    }
    report.to_string().context("results that XML cannot express")
}

/// `a/b/scenario.yaml` is `b` of `a`; `a/b.scenario.yaml` too.
fn suite_and_name(file: &Path) -> (String, String) {
    let folder = file.parent().unwrap_or_else(|| Path::new(""));
    let name = file.file_stem().unwrap_or_default().to_string_lossy();
    let (suite, name) = match (name.strip_suffix(".scenario"), folder.file_name()) {
        (Some(name), _) => (folder, name.to_owned()),
        (None, Some(behaviour)) if name == "scenario" => {
            (folder.parent().unwrap_or(folder), behaviour.to_string_lossy().into_owned())
        }
        (None, _) => (folder, name.into_owned()),
    };
    let suite = suite.display().to_string();
    (if suite.is_empty() { ".".to_owned() } else { suite }, name)
}

fn status(case: &Case) -> TestCaseStatus {
    let (kind, message) = match &case.verdict {
        Verdict::Passed => return TestCaseStatus::success(),
        Verdict::Skipped(reason) => {
            let mut status = TestCaseStatus::skipped();
            status.set_message(reason.as_str());
            return status;
        }
        Verdict::Failed(differences, _) => {
            let first = differences.first().map(|d| d.failure.to_string()).unwrap_or_default();
            (NonSuccessKind::Failure, first)
        }
        Verdict::Broken(why, ..) => (NonSuccessKind::Error, why.clone()),
        Verdict::Unreadable(mistakes) => {
            let first = mistakes.first().map(ToString::to_string).unwrap_or_default();
            (NonSuccessKind::Error, first)
        }
    };
    let mut status = TestCaseStatus::non_success(kind);
    status.set_message(message.lines().next().unwrap_or_default());
    status.set_description(case.details(Paint::plain()));
    status
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn suites_are_folders_and_cases_behaviours() {
        for (file, suite, name) in [
            ("a/scenarios/refuses/scenario.yaml", "a/scenarios", "refuses"),
            ("a/two.scenario.yaml", "a", "two"),
            ("refuses/scenario.yml", ".", "refuses"),
            ("scenario.yaml", ".", "scenario"),
            ("x/other.yaml", "x", "other"),
        ] {
            assert_eq!(
                suite_and_name(Path::new(file)),
                (suite.to_owned(), name.to_owned()),
                "{file}"
            );
        }
    }
}
