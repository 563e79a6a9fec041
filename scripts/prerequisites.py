#!/usr/bin/env python3
"""Checks what must be on the machine before anything is built or fetched.

    prerequisites.py [rust] [python] [node]

Each missing one is one line that names it and says how to install it, and exit status 2. The wasm
target is added through rustup if it is not there. Runs on any Python 3, so that an old one can be named.
"""

import os
import re
import shutil
import subprocess
import sys

WASM_TARGET = "wasm32-wasip1"
OLDEST_PYTHON = (3, 9)
OLDEST_NODE = (20, 15)
OLDEST_ENVOY = (1, 35)


def rust():
    """cargo, and the standard library for the filters' target."""
    if not shutil.which("cargo"):
        missing("cargo", "install Rust with rustup, see https://rustup.rs")
    oldest = oldest_rust()
    found = version(output("rustc", "--version"))
    if found < oldest:
        missing("Rust %s or newer" % dotted(oldest), "found %s; run `rustup update stable`" % dotted(found))
    sysroot = output("rustc", "--print", "sysroot").strip()
    if os.path.isdir(os.path.join(sysroot, "lib", "rustlib", WASM_TARGET)):
        return
    if not shutil.which("rustup"):
        missing("Rust's target " + WASM_TARGET,
                "install Rust with rustup (https://rustup.rs), or your distribution's package of that target")
    print("adding Rust's target " + WASM_TARGET, flush=True)
    if subprocess.call(["rustup", "target", "add", WASM_TARGET]) != 0:
        sys.exit("error: `rustup target add %s` failed" % WASM_TARGET)


def python():
    """A Python that can make virtual environments."""
    if sys.version_info < OLDEST_PYTHON:
        missing("Python %s or newer" % dotted(OLDEST_PYTHON),
                "found %s; install it and put it first on PATH as python3" % dotted(sys.version_info[:2]))
    try:
        import ensurepip  # noqa: F401 (Debian ships it apart, and venv needs it)
        import venv  # noqa: F401
    except ImportError:
        missing("Python's venv module", "Debian and Ubuntu: apt-get install python3-venv")


def node():
    """Node with npm, for the simulated providers."""
    install = "install Node %d or newer: https://nodejs.org, or `brew install node`" % OLDEST_NODE[0]
    if not shutil.which("node"):
        missing("node", install)
    found = version(output("node", "--version"))
    if found < OLDEST_NODE:
        missing("Node %s or newer" % dotted(OLDEST_NODE), "found %s; %s" % (dotted(found), install))
    if not shutil.which("npm"):
        missing("npm", "it comes with Node from https://nodejs.org; Debian and Ubuntu: apt-get install npm")


def envoy(path):
    """The version of the Envoy at `path`."""
    if not shutil.which(path):
        missing("Envoy", "found nothing to run at %s; ENVOY=/path names one, without it one is fetched" % path)
    found = version(output(path, "--version").replace("\n", " ").split("version:")[-1].split("/", 1)[-1])
    if found < OLDEST_ENVOY:
        missing("Envoy %s or newer" % dotted(OLDEST_ENVOY), "found %s at %s" % (dotted(found), path))
    return found


def oldest_rust():
    """What Cargo.toml says."""
    root = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
    with open(os.path.join(root, "Cargo.toml")) as file:
        return version(re.search(r'^rust-version = "(.*)"', file.read(), re.MULTILINE).group(1))


def missing(what, how):
    print("missing: %s (%s)" % (what, how), file=sys.stderr)
    sys.exit(2)


def output(*command):
    try:
        return subprocess.check_output(command, universal_newlines=True)
    except (OSError, subprocess.CalledProcessError) as error:
        sys.exit("error: `%s` failed: %s" % (" ".join(command), error))


def version(text):
    found = re.search(r"(\d+)\.(\d+)", text)
    return (int(found.group(1)), int(found.group(2))) if found else (0, 0)


def dotted(numbers):
    return ".".join(str(number) for number in numbers)


def main(names):
    checks = {"rust": rust, "python": python, "node": node}
    status = 0
    for name in names or checks:
        try:
            checks[name]()
        except SystemExit as end:  # go on: one look names everything that is missing
            status = end.code
    sys.exit(status)


if __name__ == "__main__":
    main(sys.argv[1:])
