"""CPU per request of one Envoy worker: with no filter, and with all four.

    make build tools && python3 benchmarks/envoy/cpu.py [--rounds N] [--seconds N]

A chat request of about 1 KB, answered with a fixed chat completion. How it is measured: side_by_side.py.
"""

import argparse
import json
import statistics
import tempfile

from side_by_side import (answer, cluster, cpu_per_request, listener, load, require_wrk, stack, start, stop,
                          upstream_listener, wasm)

KEY = "sk-benchmark"
KEY_SHA256 = "8763e3837f14d1fb4fff375dbc942be8181e3b3cdfd93eca28612a747af7c0bb"
FILTERS = {
    "key-check": {"keys": [{"id": "benchmark", "sha256": KEY_SHA256, "user": "benchmark"}]},
    "body-model": {"models": [{"name": "llama-3.1-8b"}], "requireCaller": True},
    "token-count": {},
}
REWRITE = {"providers": [{"name": "self-hosted", "dialect": "openai", "credential": {"value": "sk-upstream"}}]}
ANSWER = {
    "id": "chatcmpl-1", "object": "chat.completion", "created": 1, "model": "llama-3.1-8b",
    "choices": [{"index": 0, "finish_reason": "stop", "message": {"role": "assistant", "content": "Hello. " * 40}}],
    "usage": {"prompt_tokens": 200, "completion_tokens": 80, "total_tokens": 280},
}
BODY = json.dumps({
    "model": "llama-3.1-8b", "temperature": 0.2,
    "messages": [{"role": "system", "content": "Be brief. " * 20},
                 {"role": "user", "content": "Tell me about gateways. " * 28}],
}).encode()
HEADERS = {"content-type": "application/json", "authorization": "Bearer " + KEY}


def main():
    arguments = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    arguments.add_argument("--rounds", type=int, default=5)
    arguments.add_argument("--seconds", type=int, default=3, help="of load per variant and round")
    arguments = arguments.parse_args()
    require_wrk()
    upstream, none, four, admin, upstream_admin = stack.free_ports(range(5)).values()
    servers = []
    with tempfile.TemporaryDirectory() as folder:
        try:
            servers.append(start(folder, "upstream", {
                "listeners": [upstream_listener("upstream", upstream, answer(ANSWER))],
            }, upstream_admin))
            gateway = start(folder, "gateway", {
                "listeners": [
                    listener("none", none, [], {"match": {"prefix": "/"}, "route": {"cluster": "plain"}}),
                    listener("four", four, [wasm(name, config) for name, config in FILTERS.items()],
                             {"match": {"prefix": "/"}, "route": {"cluster": "rewritten"}}),
                ],
                "clusters": [cluster("plain", upstream),
                             cluster("rewritten", upstream, [wasm("provider-rewrite", REWRITE)])],
            }, admin)
            servers.append(gateway)
            costs = {"no filter": (none, []), "all four": (four, [])}
            for port, _ in costs.values():
                load(folder, port, BODY, HEADERS, 1)  # warm: V8 compiles, connections open
            for _ in range(arguments.rounds):
                for port, samples in costs.values():
                    samples.append(cpu_per_request(gateway, folder, port, BODY, HEADERS, arguments.seconds))
            base = statistics.median(costs["no filter"][1])
            for name, (_, samples) in costs.items():
                cost = statistics.median(samples)
                print("%-10s %6.1f µs of CPU per request, %.2f times no filter (rounds: %s)"
                      % (name, cost, cost / base, " ".join("%.0f" % sample for sample in samples)))
        finally:
            stop(servers)


if __name__ == "__main__":
    main()
