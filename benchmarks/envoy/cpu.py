"""CPU per request of one Envoy worker: with no filter, and with all four.

    make build tools && python3 benchmarks/envoy/cpu.py [--rounds N] [--seconds N]

One Envoy has a listener per variant; a second Envoy is the upstream and answers a fixed chat
completion. `wrk` sends a chat request of about 1 KB to one listener after the other, round after
round, so that whatever else the machine does falls on all variants alike. What counts is the first
Envoy's user and system time over the requests it served: that is stable where throughput is not.
Needs `wrk` (Debian: apt-get install wrk) and Linux.
"""

import argparse
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path.insert(0, os.path.join(ROOT, "scripts"))
import fetch  # noqa: E402
import stack  # noqa: E402

WASM = os.environ.get("TOLLGATE_WASM_DIR", os.path.join(ROOT, "target", "wasm32-wasip1", "release"))
KEY = "sk-benchmark"
KEY_SHA256 = "8763e3837f14d1fb4fff375dbc942be8181e3b3cdfd93eca28612a747af7c0bb"
FILTERS = {
    "key-check": {"keys": [{"id": "benchmark", "sha256": KEY_SHA256, "user": "benchmark"}]},
    "body-model": {"models": [{"name": "llama-3.1-8b"}], "requireCaller": True},
    "token-count": {},
}
REWRITE = {"providers": [{"name": "self-hosted", "dialect": "openai", "credential": {"value": "sk-upstream"}}]}
TYPE = "type.googleapis.com/envoy.extensions."
ANSWER = {
    "id": "chatcmpl-1", "object": "chat.completion", "created": 1, "model": "llama-3.1-8b",
    "choices": [{"index": 0, "finish_reason": "stop", "message": {"role": "assistant", "content": "Hello. " * 40}}],
    "usage": {"prompt_tokens": 200, "completion_tokens": 80, "total_tokens": 280},
}


def wasm(name, config):
    return {"name": name, "typed_config": {
        "@type": TYPE + "filters.http.wasm.v3.Wasm",
        "config": {
            "name": name,
            "failure_policy": "FAIL_RELOAD",
            "allow_on_headers_stop_iteration": True,
            "vm_config": {"runtime": "envoy.wasm.runtime.v8",
                          "code": {"local": {"filename": os.path.join(WASM, name.replace("-", "_") + ".wasm")}}},
            "configuration": {"@type": "type.googleapis.com/google.protobuf.StringValue",
                              "value": json.dumps(config)},
        }}}


def native(name, kind):
    return {"name": name, "typed_config": {"@type": TYPE + kind}}


def listener(name, port, filters, route):
    manager = {
        "@type": TYPE + "filters.network.http_connection_manager.v3.HttpConnectionManager",
        "stat_prefix": name,
        "http_filters": filters + [native("envoy.filters.http.router", "filters.http.router.v3.Router")],
        "route_config": {"virtual_hosts": [{"name": "all", "domains": ["*"], "routes": [route]}]},
    }
    return {"name": name, "address": address(port), "per_connection_buffer_limit_bytes": 4194304,
            "filter_chains": [{"filters": [{"name": "http", "typed_config": manager}]}]}


def address(port):
    return {"socket_address": {"address": "127.0.0.1", "port_value": port}}


def cluster(name, port, filters):
    options = {"@type": TYPE + "upstreams.http.v3.HttpProtocolOptions",
               "explicit_http_config": {"http_protocol_options": {}}}
    if filters:
        codec = native("envoy.filters.http.upstream_codec", "filters.http.upstream_codec.v3.UpstreamCodec")
        options["http_filters"] = filters + [codec]
    endpoint = {"endpoint": {"address": address(port)},
                "metadata": {"filter_metadata": {"tollgate": {"provider": "self-hosted"}}}}
    return {"name": name, "load_assignment": {"cluster_name": name, "endpoints": [{"lb_endpoints": [endpoint]}]},
            "typed_extension_protocol_options": {"envoy.extensions.upstreams.http.v3.HttpProtocolOptions": options}}


def start(folder, name, bootstrap, ready):
    config = os.path.join(folder, name + ".json")
    with open(config, "w") as file:
        json.dump(bootstrap, file)
    with open(os.path.join(folder, name + ".log"), "wb") as log:
        process = subprocess.Popen(
            [fetch.envoy_path(), "--config-path", config, "--concurrency", "1", "--disable-hot-restart",
             "--log-level", "error"], stderr=log, preexec_fn=stack.die_with_parent)
    stack.wait_until_ready("Envoy", process, ready, log.name)
    return process


def cpu_seconds(pid):
    with open("/proc/%d/stat" % pid) as file:
        fields = file.read().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def load(folder, port, seconds):
    """Requests that `wrk` made; fails if one of them was not answered with 200."""
    script = os.path.join(folder, "post.lua")
    body = {"model": "llama-3.1-8b", "temperature": 0.2,
            "messages": [{"role": "system", "content": "Be brief. " * 20},
                         {"role": "user", "content": "Tell me about gateways. " * 28}]}
    with open(script, "w") as file:
        file.write("wrk.method = 'POST'\nwrk.body = [==[%s]==]\n" % json.dumps(body))
        file.write("wrk.headers['content-type'] = 'application/json'\n")
        file.write("wrk.headers['authorization'] = 'Bearer %s'\n" % KEY)
        file.write("function done(s) io.write('requests ' .. s.requests .. ' bad ' .. s.errors.status"
                   " + s.errors.read + s.errors.timeout .. '\\n') end\n")
    made = subprocess.run(["wrk", "-t1", "-c8", "-d%ds" % seconds, "-s", script,
                           "http://127.0.0.1:%d/v1/chat/completions" % port],
                          check=True, capture_output=True, text=True).stdout
    words = next(line for line in made.splitlines() if line.startswith("requests ")).split()
    if words[3] != "0":
        sys.exit("%s of %s requests failed on port %d" % (words[3], words[1], port))
    return int(words[1])


def main():
    arguments = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    arguments.add_argument("--rounds", type=int, default=5)
    arguments.add_argument("--seconds", type=int, default=3, help="of load per variant and round")
    arguments = arguments.parse_args()
    if not shutil.which("wrk"):
        sys.exit("wrk is missing: apt-get install wrk")
    upstream, none, four, admin, upstream_admin = stack.free_ports().values()
    answer = {"match": {"prefix": "/"}, "direct_response": {"status": 200, "body": {"inline_string": json.dumps(ANSWER)}},
              "response_headers_to_add": [{"header": {"key": "content-type", "value": "application/json"},
                                           "append_action": "OVERWRITE_IF_EXISTS_OR_ADD"}]}
    with tempfile.TemporaryDirectory() as folder:
        servers = [
            start(folder, "upstream", {
                "admin": {"address": address(upstream_admin)},
                "static_resources": {"listeners": [listener("upstream", upstream, [], answer)]},
            }, "http://127.0.0.1:%d/ready" % upstream_admin),
            start(folder, "gateway", {
                "admin": {"address": address(admin)},
                "static_resources": {
                    "listeners": [
                        listener("none", none, [], {"match": {"prefix": "/"}, "route": {"cluster": "plain"}}),
                        listener("four", four, [wasm(name, config) for name, config in FILTERS.items()],
                                 {"match": {"prefix": "/"}, "route": {"cluster": "rewritten"}}),
                    ],
                    "clusters": [cluster("plain", upstream, []),
                                 cluster("rewritten", upstream, [wasm("provider-rewrite", REWRITE)])],
                },
            }, "http://127.0.0.1:%d/ready" % admin),
        ]
        try:
            gateway = servers[1].pid
            costs = {"no filter": (none, []), "all four": (four, [])}
            for port, _ in costs.values():
                load(folder, port, 1)  # warm: V8 compiles, connections open
            for _ in range(arguments.rounds):
                for port, samples in costs.values():
                    before = cpu_seconds(gateway)
                    requests = load(folder, port, arguments.seconds)
                    samples.append((cpu_seconds(gateway) - before) / requests * 1e6)
            base = statistics.median(costs["no filter"][1])
            for name, (_, samples) in costs.items():
                cost = statistics.median(samples)
                print("%-10s %6.1f µs of CPU per request, %.2f times no filter (rounds: %s)"
                      % (name, cost, cost / base, " ".join("%.0f" % sample for sample in samples)))
        finally:
            for server in servers:
                server.terminate()
                server.wait(10)


if __name__ == "__main__":
    main()
