"""The quickstart as running processes: simulated providers and Envoy, started together, stopped together.

Shared by the demo and the tests in e2e/. Envoy runs the very file a reader sees
(envoy-configs/quickstart/envoy.yaml, or another folder's); ports that are not the file's own are put in its place.
Only the standard library, so that the demo needs nothing but Python.
"""

import contextlib
import ctypes
import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request

import fetch

ROOT = fetch.ROOT
CONFIGS = os.path.join(ROOT, "envoy-configs")
QUICKSTART = os.path.join(CONFIGS, "quickstart")
# The ports as envoy.yaml has them, each with the variable that sets another one.
PORTS = {
    "GATEWAY_PORT": 10000,
    "ADMIN_PORT": 9901,
    "SELF_HOSTED_PORT": 11001,
    "ANTHROPIC_PORT": 11002,
    "OPENAI_PORT": 11003,
}
# Of other configurations than the quickstart.
MORE_PORTS = {"UPLOADS_PORT": 10001, "BEDROCK_PORT": 11004}
# The provider's fixtures file, its port, and the variable with the credential it wants.
PROVIDERS = {
    "self-hosted": ("SELF_HOSTED_PORT", "SELF_HOSTED_API_KEY"),
    "anthropic": ("ANTHROPIC_PORT", "ANTHROPIC_API_KEY"),
    "openai": ("OPENAI_PORT", "OPENAI_API_KEY"),
}
START_SECONDS = 60
STOP_SECONDS = 5
# No proxy of the environment: everything is on this machine.
DIRECT = urllib.request.build_opener(urllib.request.ProxyHandler({}))


class StartError(Exception):
    """Something did not start; the text says what and where its log is."""


class Stack:
    """Use as a context manager: nothing it started is left when the block is over.

    `name` is the folder of logs under .tools/run/. `ports` are those of PORTS, all of them, and those of
    MORE_PORTS that the configuration has.
    `secrets` are the providers' credentials by variable. `simulated` names the providers to start;
    the caller runs something of its own on the others' ports. `config` is a folder of envoy-configs/,
    `envoy` an Envoy to run instead of the usual one.
    """

    def __init__(self, name, ports, secrets, simulated=tuple(PROVIDERS), config="quickstart", envoy=None):
        self.logs = os.path.join(ROOT, ".tools", "run", name)
        self.ports = ports
        self.secrets = secrets
        self.simulated = simulated
        self.original = os.path.join(CONFIGS, config, "envoy.yaml")
        self.envoy = envoy or fetch.envoy_path()
        self.processes = contextlib.ExitStack()
        self.gateway = "http://127.0.0.1:%d" % ports["GATEWAY_PORT"]
        self.admin = "http://127.0.0.1:%d" % ports["ADMIN_PORT"]

    def __enter__(self):
        os.makedirs(self.logs, exist_ok=True)
        with self.processes:  # stops what has started if a later one does not
            for name in self.simulated:
                self.start_provider(name)
            self.start_envoy()
            self.processes = self.processes.pop_all()
        return self

    def __exit__(self, *_):
        self.processes.close()

    def start_provider(self, name):
        port_name, secret_name = PROVIDERS[name]
        port = self.ports[port_name]
        command = [fetch.AIMOCK, "--port", str(port), "--log-level", "warn", "--validate-on-load",
                   "--fixtures", os.path.join(QUICKSTART, "providers", name + ".json")]
        # It answers 401 to any credential but its own.
        env = dict(os.environ, AIMOCK_API_KEYS=self.secrets[secret_name])
        log = os.path.join(self.logs, name + ".log")
        process = self.start(command, env, log, log)
        wait_until_ready("the simulated provider " + name, process, "http://127.0.0.1:%d/health" % port, log)

    def start_envoy(self):
        log, access_log = self.path("envoy.log"), self.path("access.log")
        command = [self.envoy, "--config-path", self.config(), "--log-level", "warning",
                   "--concurrency", "2", "--disable-hot-restart"]
        process = self.start(command, dict(os.environ, **self.secrets), access_log, log)
        wait_until_ready("Envoy", process, self.admin + "/ready", log)

    def start(self, command, env, stdout, stderr):
        with open(stdout, "wb") as out, open(stderr, "ab" if stderr == stdout else "wb") as err:
            # A session of its own: a Ctrl-C reaches this program first, which then stops its children.
            process = subprocess.Popen(command, cwd=ROOT, env=env, stdin=subprocess.DEVNULL, stdout=out, stderr=err,
                                       start_new_session=True, preexec_fn=die_with_parent)
        self.processes.callback(stop, process)
        return process

    def config(self):
        """The file for Envoy: the checked-in one, or a copy with other ports."""
        if self.ports == PORTS:
            return self.original
        original = dict(PORTS, **MORE_PORTS)
        wanted = {original[name]: port for name, port in self.ports.items()}
        with open(self.original) as file:
            text = re.sub(r"port_value: (\d+)", lambda found: "port_value: %d" % wanted[int(found.group(1))],
                          file.read())
        copy = self.path("envoy.yaml")
        with open(copy, "w") as file:
            file.write(text)
        return copy

    def path(self, name):
        return os.path.join(self.logs, name)

    def read(self, name):
        """The content of a log."""
        with open(self.path(name), errors="replace") as file:
            return file.read()

    def last_request(self, provider):
        """The path and the body of what a simulated provider got last."""
        port_name, secret_name = PROVIDERS[provider]
        request = urllib.request.Request("http://127.0.0.1:%d/__aimock/journal" % self.ports[port_name],
                                         headers={"authorization": "Bearer " + self.secrets[secret_name]})
        with DIRECT.open(request, timeout=10) as response:
            last = json.load(response)[-1]
        return last["path"], last["body"]

    def stats(self):
        """Envoy's stats in the Prometheus form, one line each."""
        with DIRECT.open(self.admin + "/stats/prometheus", timeout=10) as response:
            return response.read().decode().splitlines()


def ports_from_environment():
    """PORTS with what the environment sets; a port in use is a StartError that names the variable."""
    ports = {name: int(os.environ.get(name) or default) for name, default in PORTS.items()}
    for name, port in ports.items():
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", port))
            except OSError as error:
                raise StartError("port %d of 127.0.0.1 cannot be used (%s): set another one with %s=..."
                                 % (port, error.strerror, name)) from None
    return ports


def free_ports(names=tuple(PORTS)):
    """A port that nobody uses now for each of the names, those of PORTS unless others are given."""
    with contextlib.ExitStack() as open_sockets:
        sockets = {name: open_sockets.enter_context(socket.socket()) for name in names}
        for each in sockets.values():
            each.bind(("127.0.0.1", 0))
        return {name: each.getsockname()[1] for name, each in sockets.items()}


def stop_on_signals():
    """Lets signals end the program as Ctrl-C does, through its context managers; also where a shell ignores them."""
    def interrupt(*_):
        raise KeyboardInterrupt

    for each in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(each, interrupt)


def wait_until_ready(what, process, url, log):
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline:
        if process.poll() is not None:
            raise StartError("%s ended at its start (status %d). Its log, %s:\n%s"
                             % (what, process.returncode, os.path.relpath(log, ROOT), tail(log)))
        try:
            with DIRECT.open(url, timeout=1) as response:
                if response.status == 200:
                    return
        except (OSError, urllib.error.URLError):
            pass
        time.sleep(0.05)
    raise StartError("%s is not ready after %d s. Its log, %s:\n%s"
                     % (what, START_SECONDS, os.path.relpath(log, ROOT), tail(log)))


def stop(process):
    if process.poll() is None:
        process.terminate()
        try:
            process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def tail(path, lines=15):
    with open(path, errors="replace") as file:
        return "".join("  " + line for line in file.readlines()[-lines:])


# Loaded here, since a child between fork and exec must not load anything.
LIBC = ctypes.CDLL(None) if sys.platform.startswith("linux") else None
PR_SET_PDEATHSIG = 1


def die_with_parent():
    """On Linux, a child gets a SIGTERM even if this program is killed."""
    if LIBC:
        LIBC.prctl(PR_SET_PDEATHSIG, signal.SIGTERM)
