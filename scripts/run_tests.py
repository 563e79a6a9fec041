#!/usr/bin/env python3
"""Runs the test suites one after the other and sums up.

    run_tests.py [scripts] [unit] [scenarios] [scenarios-envoy] [scenarios-envoy-oldest] [rules-envoy] [e2e]

All without arguments. ENVOY=/path is the only Envoy then; without it scenarios run on the oldest, too.

Every suite runs, also after one that failed. The exit status is 0 if nothing failed; a suite that
ran no test at all has failed. A test that was skipped since something is not installed says
`missing:` in its reason, and counts as failed where CI=true.
"""

import collections
import glob
import os
import re
import shlex
import subprocess
import sys
import time

import fetch
import stack

ROOT = fetch.ROOT
Counts = collections.namedtuple("Counts", "passed failed skipped")
CARGO = os.environ.get("CARGO", "cargo")


def cargo_counts(line):
    """Of `test result: ok. 3 passed; 0 failed; 1 ignored; …`, one per test binary."""
    found = re.match(r"test result: \w+\. (\d+) passed; (\d+) failed; (\d+) ignored", line)
    return Counts(*map(int, found.groups())) if found else None


def scenario_counts(line):
    """Of the last line of `tollgate test`."""
    found = re.fullmatch(r"(\d+) passed, (\d+) failed, (\d+) skipped\s*", line)
    return Counts(*map(int, found.groups())) if found else None


def agreement_counts(line):
    """Of the last line of `tollgate compare`."""
    found = re.fullmatch(r"wasmtime and Envoy \S+: (\d+) agree, (\d+) differ, (\d+) skipped\s*", line)
    return Counts(*map(int, found.groups())) if found else None


def unittest_counts(line):
    """Of `Ran 9 tests in 1.2s`, which counts all as passed, and `FAILED (failures=1, skipped=1)`, which corrects it."""
    found = re.match(r"Ran (\d+) tests? in", line)
    if found:
        return Counts(int(found.group(1)), 0, 0)
    found = re.match(r"(?:OK|FAILED) \((.*)\)", line)
    if not found:
        return None
    numbers = dict(part.split("=") for part in found.group(1).split(", "))
    failed = sum(int(numbers.get(word, 0)) for word in ("failures", "errors", "unexpected successes"))
    skipped = int(numbers.get("skipped", 0))
    return Counts(-failed - skipped, failed, skipped)


def suites():
    folders = sorted(glob.glob(os.path.join(ROOT, "filters", "*", "scenarios")))
    folders += [os.path.join(ROOT, "host-tests", name) for name in ("scenarios", "foreign")]
    scenarios = [os.path.relpath(folder, ROOT) for folder in folders]
    # As a part of the whole workspace's build: alone, Cargo would choose other features for what the tool is made of,
    # and compile it all again.
    target = os.path.join(ROOT, os.environ.get("CARGO_TARGET_DIR", "target"))
    tool = shlex.quote(os.path.join(target, "debug", "tollgate"))
    build = "%s test --workspace --no-run --quiet" % shlex.quote(CARGO)
    tollgate = ["sh", "-c", '%s && exec %s "$@"' % (build, tool), "sh"]
    test, compare = tollgate + ["test"] + scenarios, tollgate + ["compare"] + scenarios
    known = ["--known", os.path.join("host-tests", "known-differences.yaml")]
    return {
        "scripts": ("tests of the scripts",
                    [sys.executable, "-m", "unittest", "discover", "-s", "scripts"], unittest_counts),
        "unit": ("tests of the Rust workspace", [CARGO, "test", "--workspace", "--no-fail-fast"], cargo_counts),
        "scenarios": ("scenarios on the offline host", test, scenario_counts),
        "scenarios-envoy": ("scenarios on a real Envoy", test + ["--host", "envoy"], scenario_counts),
        # With what is known to differ there; expectations have been judged on the newest.
        "scenarios-envoy-oldest": ("scenarios on the oldest Envoy", compare + known, agreement_counts,
                                   fetch.oldest_envoy_path()),
        # The thread of a test has its name, if there is more than one.
        "rules-envoy": ("rules of the offline host, on a real Envoy too",
                        ["env", "TOLLGATE_RULES_ON_ENVOY=1", CARGO, "test", "--workspace", "--lib", "--no-fail-fast",
                         "wasm::tests", "--", "--test-threads=2"], cargo_counts),
        "e2e": ("official SDKs through a real Envoy",
                [fetch.VENV_PYTHON, "-m", "unittest", "discover", "-s", "e2e", "--verbose"],
                unittest_counts),
    }


def run(title, command, counts_of, envoy=None):
    """Runs one suite on `envoy`, else the usual one, with its output shown; its counts."""
    print("\n== %s\n" % title, flush=True)
    env = dict(os.environ, PYTHONUNBUFFERED="1")
    envoy = envoy or fetch.envoy_path()
    if os.path.exists(envoy):
        env["ENVOY"] = os.path.abspath(envoy)
    process = subprocess.Popen(command, cwd=ROOT, env=env, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                               universal_newlines=True, errors="replace")
    total, missing = Counts(0, 0, 0), 0
    try:
        for line in process.stdout:
            sys.stdout.write(line)
            sys.stdout.flush()
            missing += bool(re.search(r"skip", line, re.IGNORECASE) and "missing:" in line)
            total = add(total, counts_of(line) or Counts(0, 0, 0))
    finally:
        process.stdout.close()
        if sys.exc_info()[0]:
            process.terminate()
        process.wait()
    if missing and os.environ.get("CI") == "true":
        print("error: %d skipped since something is not installed, which CI does not accept" % missing)
        total = Counts(total.passed, total.failed + missing, total.skipped - missing)
    if process.returncode != 0 and not total.failed:
        print("error: the suite ended with status %d" % process.returncode)
        total = total._replace(failed=1)
    total = total._replace(passed=max(total.passed, 0))  # a test class that does not start ran no test
    if not any(total):
        print("error: the suite ran no test")
        total = total._replace(failed=1)
    return total


def add(one, other):
    return Counts(*(a + b for a, b in zip(one, other)))


def main():
    known = suites()
    names = sys.argv[1:] or list(known)
    for name in names:
        if name not in known:
            sys.exit("error: found %s, expected one of: %s" % (name, ", ".join(known)))
    if not fetch.oldest_envoy_path():
        names = [name for name in names if name != "scenarios-envoy-oldest"]
    results = []
    for name in names:
        started = time.monotonic()
        counts = run(*known[name])
        results.append((known[name][0], counts, time.monotonic() - started))
    print("\n== summary\n")
    for title, counts, seconds in results:
        print("%-42s %5d passed %5d failed %5d skipped %7.0f s" % ((title,) + counts + (seconds,)))
    total = Counts(0, 0, 0)
    for _, counts, _ in results:
        total = add(total, counts)
    print("\n%d passed, %d failed, %d skipped" % total)
    return 1 if total.failed else 0


if __name__ == "__main__":
    stack.stop_on_signals()
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        sys.exit(130)
