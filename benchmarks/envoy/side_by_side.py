"""What the benchmarks here share: Envoys with filters, load from `wrk`, and the CPU time that an Envoy took.

One Envoy has a listener per variant; a second one is the upstream. Variants take turns, round after round, so that
whatever else the machine does falls on all of them alike. What counts is the first Envoy's user and system time over
the requests it served: that is stable where throughput is not. Needs `wrk` (Debian: apt-get install wrk) and Linux.
"""

import json
import os
import shutil
import subprocess
import sys

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path.insert(0, os.path.join(ROOT, "scripts"))
import fetch  # noqa: E402
import stack  # noqa: E402

WASM = os.environ.get("TOLLGATE_WASM_DIR", os.path.join(ROOT, "target", "wasm32-wasip1", "release"))
TYPE = "type.googleapis.com/envoy.extensions."
# Above every body of the benchmarks, so that all of them can be held.
BUFFER_BYTES = 4194304


def wasm(name, config=None, **more):
    """The filter of this name, with the header-hold; `more` is of its plugin configuration."""
    value = {"@type": "type.googleapis.com/google.protobuf.StringValue", "value": json.dumps(config or {})}
    return typed(name, "filters.http.wasm.v3.Wasm", config={
        "name": name,
        "failure_policy": "FAIL_RELOAD",
        "allow_on_headers_stop_iteration": True,
        "vm_config": {"runtime": "envoy.wasm.runtime.v8", "code": {"local": {"filename": wasm_file(name)}}},
        "configuration": value,
        **more,
    })


def wasm_file(name):
    return os.path.join(WASM, name.replace("-", "_") + ".wasm")


def typed(name, kind, **config):
    """An extension of Envoy by the end of its type."""
    return {"name": name, "typed_config": {"@type": TYPE + kind, **config}}


def listener(name, port, filters, route):
    manager = {
        "@type": TYPE + "filters.network.http_connection_manager.v3.HttpConnectionManager",
        "stat_prefix": name,
        "http_filters": filters + [typed("envoy.filters.http.router", "filters.http.router.v3.Router")],
        "route_config": {"virtual_hosts": [{"name": "all", "domains": ["*"], "routes": [route]}]},
    }
    return {"name": name, "address": address(port), "per_connection_buffer_limit_bytes": BUFFER_BYTES,
            "filter_chains": [{"filters": [{"name": "http", "typed_config": manager}]}]}


def upstream_listener(name, port, route):
    """It reads a request to its end before it answers: an early answer would cost a connection for every request."""
    return listener(name, port, [typed("buffer", "filters.http.buffer.v3.Buffer", max_request_bytes=BUFFER_BYTES)], route)


def answer(value, **match):
    """A route that answers with JSON."""
    return {"match": {"prefix": "/", **match},
            "direct_response": {"status": 200, "body": {"inline_string": json.dumps(value)}},
            "response_headers_to_add": [{"header": {"key": "content-type", "value": "application/json"},
                                         "append_action": "OVERWRITE_IF_EXISTS_OR_ADD"}]}


def address(port):
    return {"socket_address": {"address": "127.0.0.1", "port_value": port}}


def cluster(name, port, filters=()):
    """One endpoint, which provider-rewrite knows as `self-hosted`; `filters` are upstream filters."""
    options = {"@type": TYPE + "upstreams.http.v3.HttpProtocolOptions",
               "explicit_http_config": {"http_protocol_options": {}}}
    if filters:
        codec = typed("envoy.filters.http.upstream_codec", "filters.http.upstream_codec.v3.UpstreamCodec")
        options["http_filters"] = list(filters) + [codec]
    endpoint = {"endpoint": {"address": address(port)},
                "metadata": {"filter_metadata": {"tollgate": {"provider": "self-hosted"}}}}
    return {"name": name, "per_connection_buffer_limit_bytes": BUFFER_BYTES,
            "load_assignment": {"cluster_name": name, "endpoints": [{"lb_endpoints": [endpoint]}]},
            "typed_extension_protocol_options": {"envoy.extensions.upstreams.http.v3.HttpProtocolOptions": options}}


def start(folder, name, resources, admin):
    """An Envoy with one worker; its log is in `folder`."""
    config = os.path.join(folder, name + ".json")
    with open(config, "w") as file:
        json.dump({"admin": {"address": address(admin)}, "static_resources": resources}, file)
    with open(os.path.join(folder, name + ".log"), "wb") as log:
        process = subprocess.Popen(
            [fetch.envoy_path(), "--config-path", config, "--concurrency", "1", "--disable-hot-restart",
             "--log-level", "error"], stderr=log, preexec_fn=stack.die_with_parent)
    stack.wait_until_ready("Envoy", process, "http://127.0.0.1:%d/ready" % admin, log.name)
    return process


def stop(servers):
    for server in servers:
        server.terminate()
        server.wait(10)


def cpu_seconds(pid):
    with open("/proc/%d/stat" % pid) as file:
        fields = file.read().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def load(folder, port, body, headers, seconds, connections=8):
    """Requests that `wrk` made with the body; fails if one of them got an error or no answer."""
    script, body_file = os.path.join(folder, "post.lua"), os.path.join(folder, "body")
    with open(body_file, "wb") as file:
        file.write(body)
    with open(script, "w") as file:
        file.write("wrk.method = 'POST'\nwrk.body = io.open('%s', 'rb'):read('*a')\n" % body_file)
        for name, value in headers.items():
            file.write("wrk.headers['%s'] = '%s'\n" % (name, value))
        file.write("function done(s) io.write('requests ' .. s.requests .. ' bad ' .. s.errors.status"
                   " + s.errors.connect + s.errors.read + s.errors.write + s.errors.timeout .. '\\n') end\n")
    made = subprocess.run(["wrk", "-t1", "-c%d" % connections, "-d%ds" % seconds, "--timeout", "30s", "-s", script,
                           "http://127.0.0.1:%d/v1/chat/completions" % port],
                          check=True, capture_output=True, text=True).stdout
    words = next(line for line in made.splitlines() if line.startswith("requests ")).split()
    if words[3] != "0" or words[1] == "0":
        sys.exit("%s of %s requests failed on port %d" % (words[3], words[1], port))
    return int(words[1])


def cpu_per_request(gateway, *load_arguments):
    """Microseconds of CPU time that the process `gateway` took for each request of a load."""
    before = cpu_seconds(gateway.pid)
    requests = load(*load_arguments)
    return (cpu_seconds(gateway.pid) - before) / requests * 1e6


def require_wrk():
    if not shutil.which("wrk"):
        sys.exit("wrk is missing: apt-get install wrk")
