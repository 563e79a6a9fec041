"""CPU per request of one Envoy worker that finds the model in a request body, by body-model and by others.

    make bench-envoy        # or, once all is built: python3 benchmarks/envoy/body_model.py [--rounds N] [--seconds N]

Variants, each on a listener of its own:

- no filter: what is added to it is what a filter costs;
- reads-body: a wasm filter that holds the request, reads the body and does nothing with it;
- same-host-calls: a wasm filter that makes body-model's host calls and parses nothing. That the calls are the same, with
  arguments of the same length, is checked on the offline host first (`tollgate run --trace`);
- body-model; the same publishing no more than the model, so that a request goes as soon as that is known; and the chain
  for hosts without the header-hold (envoy-configs/hold-host);
- json_to_metadata: Envoy's own filter; the route's `request_headers_to_add` makes a header of the metadata;
- lua: Envoy's Lua filter, which takes the first thing in the body that looks like a model (body-model does not guess).

The upstream answers 200 only if it got the model as a header (where a variant sets it) and all of the body. How it is
measured: side_by_side.py. Ends with status 1 if a budget of body-model is missed: added CPU at most 1.3 times that of
same-host-calls, and from 100 KB up at most a fifth of json_to_metadata's total.
"""

import argparse
import contextlib
import itertools
import json
import os
import statistics
import subprocess
import sys
import tempfile
import urllib.error
import urllib.request

import bodies
from side_by_side import (BUFFER_BYTES, ROOT, WASM, answer, cluster, cpu_per_request, listener, load, require_wrk, stack,
                          start, stop, typed, upstream_listener, wasm, wasm_file)

MODEL_HEADER = "x-gateway-model-name"
CONFIG = {"models": [{"name": bodies.MODEL}]}
# Without the stream flag, which may come last, headers go as soon as the model is known.
EARLY = dict(CONFIG, publish={"stream": None})
HEADERS = {"content-type": "application/json"}
BODIES = {
    "1 KB": (bodies.text, 1000),
    "100 KB": (bodies.text, 100000),
    "100 KB, not only ASCII": (bodies.international, 100000),
    "1 MB": (bodies.text, 1000000),
    "1 MB, model last": (bodies.text_model_last, 1000000),
    "1 MB, model behind an image": (bodies.image_model_last, 1000000),
}
LUA = """
function envoy_on_request(handle)
  local body = handle:body()
  if body == nil then return end
  local model = string.match(body:getBytes(0, body:length()), '"model"%s*:%s*"([^"]*)"')
  if model == nil then return end
  handle:headers():replace("x-gateway-model-name", model)
  handle:clearRouteCache()
end
"""
MOST_ADDED, OVER = 1.3, "same-host-calls"
MOST_OF_NATIVE, NATIVE, NATIVE_FROM = 0.2, "json_to_metadata", 100000


def by_header(cluster_name="checked"):
    return {"match": {"prefix": "/", "headers": [{"name": MODEL_HEADER, "string_match": {"exact": bodies.MODEL}}]},
            "route": {"cluster": cluster_name}}


def by_metadata():
    model = {"filter": "envoy.lb", "path": [{"key": "model"}], "value": {"string_match": {"exact": bodies.MODEL}}}
    return {"match": {"prefix": "/", "dynamic_metadata": [model]}, "route": {"cluster": "checked"},
            "request_headers_to_add": [{"header": {"key": MODEL_HEADER, "value": "%DYNAMIC_METADATA(envoy.lb:model)%"},
                                        "append_action": "OVERWRITE_IF_EXISTS_OR_ADD"}]}


def unchecked():
    return {"match": {"prefix": "/"}, "route": {"cluster": "unchecked"}}


def json_to_metadata():
    found = {"metadata_namespace": "envoy.lb", "key": "model"}
    return typed("json_to_metadata", "filters.http.json_to_metadata.v3.JsonToMetadata",
                 request_rules={"rules": [{"selectors": [{"key": "model"}], "on_present": found}]})


def lua():
    return typed("lua", "filters.http.lua.v3.Lua", default_source_code={"inline_string": LUA})


def hold_host():
    """The chain for hosts without the header-hold (envoy-configs/hold-host)."""
    filter_state = "%FILTER_STATE(wasm.tollgate.{}:PLAIN)%"
    mutations = [{"append": {"header": {"key": header, "value": filter_state.format(key)}}}
                 for header, key in ((MODEL_HEADER, "model"), ("x-gateway-stream", "stream"))]
    return [wasm("body-model", dict(CONFIG, hold="host"), allow_on_headers_stop_iteration=False),
            typed("buffer", "filters.http.buffer.v3.Buffer", max_request_bytes=BUFFER_BYTES),
            typed("header_mutation", "filters.http.header_mutation.v3.HeaderMutation",
                  mutations={"request_mutations": mutations})]


# The filters of each variant, and its route.
VARIANTS = {
    "no filter": ([], unchecked()),
    "reads-body": ([wasm("reads-body")], unchecked()),
    "same-host-calls": ([wasm("same-host-calls")], by_header()),
    "body-model": ([wasm("body-model", CONFIG)], by_header()),
    "body-model, released early": ([wasm("body-model", EARLY)], by_header()),
    "body-model, hold: host": (hold_host(), by_header()),
    "json_to_metadata": ([json_to_metadata()], by_metadata()),
    "lua": ([lua()], by_header()),
}
READS_THE_MODEL = set(VARIANTS) - {"no filter", "reads-body", "same-host-calls"}


def host_calls(folder, name, config, body):
    """Every callback of a VM's second request with its host calls, as the offline host saw them. The first one has
    body-model look whether the host holds headers."""
    body_file, scenario = os.path.join(folder, "traced-body"), os.path.join(folder, "traced.json")
    with open(body_file, "wb") as file:
        file.write(body)
    with open(scenario, "w") as file:  # JSON is YAML
        json.dump({
            "description": "two requests",
            "chain": [{"wasm": wasm_file(name), "config": json.dumps(config), "allowOnHeadersStopIteration": True}],
            "limits": {"bufferBytes": BUFFER_BYTES},
            "exchanges": 2 * [{"request": {"method": "POST", "path": "/v1/chat/completions", "headers": HEADERS,
                                           "bodyFile": body_file, "chunks": [len(body) // 3]},
                               "upstream": [{"json": {}}]}],
        }, file)
    made = subprocess.run([os.path.join(ROOT, "target", "debug", "tollgate"), "run", scenario, "--trace", "--json"],
                          check=True, capture_output=True, text=True, cwd=folder)
    return [(each["name"], each["arguments"], each["returned"], each["hostCalls"])
            for each in json.loads(made.stdout)["callbacks"] if each["exchange"] == "2"]


def check_host_calls(folder):
    """Ends the program if same-host-calls does not do what body-model does."""
    for make, size in BODIES.values():
        body = make(size)
        of_body_model, of_yardstick = host_calls(folder, "body-model", CONFIG, body), host_calls(folder, OVER, {}, body)
        for one, other in itertools.zip_longest(of_body_model, of_yardstick):
            if one != other:
                sys.exit("benchmarks/filters/%s is no longer like body-model:\n%s\n%s" % (OVER, one, other))


def status(port, body):
    request = urllib.request.Request("http://127.0.0.1:%d/v1/chat/completions" % port, body, HEADERS)
    try:
        with stack.DIRECT.open(request, timeout=30) as response:
            return response.status
    except urllib.error.HTTPError as error:
        return error.code


def check_answers(ports, body):
    """Ends the program if a request is not answered, or one for another model is."""
    other = body.replace(bodies.MODEL.encode(), b"other")
    for name, port in ports.items():
        if status(port, body) != 200:
            sys.exit("%s: the upstream did not get the request as it should" % name)
        if name in READS_THE_MODEL and status(port, other) == 200:
            sys.exit("%s: the upstream got the wrong model" % name)


def measure(folder, gateway, ports, body, arguments):
    """The samples of each variant. Every round begins with another one."""
    connections = 8 if len(body) < NATIVE_FROM else 4
    samples = {name: [] for name in ports}
    for port in ports.values():
        load(folder, port, body, HEADERS, 1, connections)  # warm: V8 compiles, connections open
    names = list(ports)
    for turn in range(arguments.rounds):
        for at in range(len(names)):
            name = names[(turn + at) % len(names)]
            samples[name].append(cpu_per_request(gateway, folder, ports[name], body, HEADERS, arguments.seconds,
                                                 connections))
    return samples


def judge(title, body, samples):
    """Prints the table of one body, yields the budgets missed. What else runs on the machine only ever adds to a cost, so
    the least of the rounds is nearest to the truth, and what is judged; how far the median is says how loud it was."""
    costs = {name: min(each) for name, each in samples.items()}
    none = costs["no filter"]
    yardstick = costs[OVER] - none
    print("\n%s (%d bytes)\n\n| variant | µs per request | median | added | added / %s | total / %s |\n|---|---|---|---|---|---|"
          % (title, len(body), OVER, NATIVE))
    for name, cost in costs.items():
        print("| %s | %.1f | %.1f | %.1f | %.2f | %.3f |"
              % (name, cost, statistics.median(samples[name]), cost - none, (cost - none) / yardstick, cost / costs[NATIVE]))
    sys.stdout.flush()
    added, of_native = (costs["body-model"] - none) / yardstick, costs["body-model"] / costs[NATIVE]
    if added > MOST_ADDED:
        yield "%s: adds %.2f times what %s adds, budget %.1f" % (title, added, OVER, MOST_ADDED)
    if len(body) > NATIVE_FROM * 0.9 and of_native > MOST_OF_NATIVE:
        yield "%s: takes %.3f of what %s takes, budget %.1f" % (title, of_native, NATIVE, MOST_OF_NATIVE)


@contextlib.contextmanager
def running(folder):
    """The gateway's process, and the port of each variant."""
    names = ("checked", "unchecked", "admin", "upstream's admin")
    ports = stack.free_ports(names + tuple(VARIANTS))
    checked, unchecked_port, admin, upstream_admin = [ports.pop(name) for name in names]
    has_model = [{"name": MODEL_HEADER, "string_match": {"exact": bodies.MODEL}}]
    servers = []
    try:
        servers.append(start(folder, "upstream", {"listeners": [
            upstream_listener("checked", checked, answer({}, headers=has_model)),
            upstream_listener("unchecked", unchecked_port, answer({})),
        ]}, upstream_admin))
        gateway = start(folder, "gateway", {
            "listeners": [listener(name, ports[name], filters, route) for name, (filters, route) in VARIANTS.items()],
            "clusters": [cluster("checked", checked), cluster("unchecked", unchecked_port)],
        }, admin)
        servers.append(gateway)
        yield gateway, ports
    finally:
        stop(servers)


def main():
    arguments = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    arguments.add_argument("--rounds", type=int, default=7)
    arguments.add_argument("--seconds", type=int, default=1, help="of load per variant and round")
    arguments.add_argument("--only", action="append", choices=BODIES, help="this body, not all (repeatable)")
    arguments = arguments.parse_args()
    require_wrk()
    missed = []
    with tempfile.TemporaryDirectory() as folder:
        check_host_calls(folder)
        with running(folder) as (gateway, ports):
            for title in arguments.only or BODIES:
                make, size = BODIES[title]
                body = make(size)
                check_answers(ports, body)
                missed += judge(title, body, measure(folder, gateway, ports, body, arguments))
    print("\nbody-model keeps its budgets" if not missed else "\nbudgets missed:\n" + "\n".join(missed))
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
