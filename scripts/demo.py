#!/usr/bin/env python3
"""The story of the quickstart, told by a running gateway: `make demo` after the filters are built.

Starts simulated providers and Envoy, sends one request per row of a table, and keeps running until
Ctrl-C. With ONCE=1 it ends by itself; the exit status is then 1 if a row is not as it should be.
"""

import http.client
import json
import os
import sys
import time

import fetch
import prerequisites
import stack

ALICE = "sk-demo-alice"  # may use every model
BOB = "sk-demo-bob"  # may use the self-hosted ones
# What the simulated providers want to see; fakes, also where the environment has real ones.
SECRETS = {
    "SELF_HOSTED_API_KEY": "demo-self-hosted-credential",
    "ANTHROPIC_API_KEY": "demo-anthropic-credential",
    "OPENAI_API_KEY": "demo-openai-credential",
}
SELF_HOSTED, CLAUDE, ASSISTANT = "llama-3.1-8b", "claude-sonnet-4-5", "assistant"


class Failed(Exception):
    """A row is not as it should be; the text says what was found."""


def main():
    once = os.environ.get("ONCE") == "1"
    stack.stop_on_signals()
    try:
        with stack.Stack("demo", stack.ports_from_environment(), SECRETS) as running:
            failures = tell(running)
            print()
            if failures:
                print("%d of the rows above failed; logs are in %s" % (failures, relative(running.logs)))
            if not once:
                invite(running)
                wait()
            return 1 if failures else 0
    except stack.StartError as error:
        print("error: %s" % error, file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("\nstopped")
        return 0 if not once else 130


def tell(running):
    """Plays each row; the number of those that failed."""
    print("\nEnvoy %s with four filters, one OpenAI endpoint, three simulated providers\n" % envoy_version())
    print("     %-52s %-7s %s" % ("request", "status", "what came back"))
    failures = 0
    for title, row in STORY:
        try:
            status, lines = row(running)
            mark = "ok"
        except (Failed, OSError, http.client.HTTPException) as error:
            status, lines, mark = "", ["%s" % (error or type(error).__name__)], "FAIL"
            failures += 1
        print("%-4s %-52s %-7s %s" % (mark, title, status, lines[0]), flush=True)
        for line in lines[1:]:
            print("%66s%s" % ("", line), flush=True)
    return failures


def self_hosted(running):
    return answered(running, SELF_HOSTED, "hello", "Hello from the model on your own hardware.",
                    "self-hosted", "/v1/chat/completions")


def claude(running):
    return answered(running, CLAUDE, "hello", "Hello from Claude, through an OpenAI endpoint.",
                    "anthropic", "/v1/messages")


def fallback(running):
    return answered(running, ASSISTANT, "hello while Anthropic is overloaded", "Hello from the second provider.",
                    "openai", "/v1/chat/completions")


def answered(running, model, text, expected, provider, path):
    """An answer in OpenAI's dialect under the client's name of the model, and how the provider was asked."""
    status, body = ask(running, model, text, ALICE)
    answer = parse(status, body)
    found = pick(answer, "choices", 0, "message", "content")
    if status != 200 or found != expected or answer.get("model") != model:
        raise Failed("status %d, %s" % (status, excerpt(body)))
    sent_path, sent = running.last_request(provider)
    if sent_path != path:
        raise Failed("%s got %s, expected %s" % (provider, sent_path, path))
    usage = answer.get("usage") or {}
    return status, ['"%s"' % found,
                    "model %s, %s prompt + %s completion tokens"
                    % (model, usage.get("prompt_tokens"), usage.get("completion_tokens")),
                    "%s got %s for its model %s" % (provider, sent_path, sent.get("model"))]


def claude_stream(running):
    """The same as a stream: each line is a piece of text with the time it came."""
    started = time.monotonic()
    connection, response = send(running, CLAUDE, "hello", ALICE, stream=True, stream_options={"include_usage": True})
    with_times, text, usage, done = [], "", None, False
    try:
        if response.status != 200:
            raise Failed("status %d, %s" % (response.status, excerpt(response.read())))
        for line in response:
            if line.startswith(b"data: [DONE]"):
                done = True
            elif line.startswith(b"data: "):
                chunk = parse(200, line[6:])
                usage = chunk.get("usage") or usage
                piece = pick(chunk, "choices", 0, "delta", "content")
                if piece:
                    text += piece
                    with_times.append((time.monotonic() - started, piece))
    finally:
        connection.close()
    if text != "Hello from Claude, through an OpenAI endpoint." or not usage or not done:
        raise Failed("the stream said %r, usage %r, its end %s" % (text, usage, "came" if done else "did not come"))
    if len(with_times) < 2 or with_times[-1][0] - with_times[0][0] < 0.1:
        raise Failed("the stream came in one go, not live")
    lines = ["%5.2f s  %s" % (when, json.dumps(piece)) for when, piece in with_times]
    return 200, lines + ["usage: %s prompt + %s completion tokens"
                         % (usage.get("prompt_tokens"), usage.get("completion_tokens"))]


def refused(status, code, model, key):
    def row(running):
        found, body = ask(running, model, "hello", key)
        error = parse(found, body).get("error") or {}
        if found != status or error.get("code") != code:
            raise Failed("expected %d %s, found %d, %s" % (status, code, found, excerpt(body)))
        return found, [code, error.get("message", "")]

    return row


def metrics(running):
    lines = [line for line in running.stats() if "tollgate_tokens" in line and not line.startswith("#")]
    if not lines:
        raise Failed("Envoy's stats have no token counters")
    return "", sorted(lines)


STORY = [
    ("a model on your own hardware", self_hosted),
    ("a Claude model, through the same endpoint", claude),
    ("the same as a live stream", claude_stream),
    ("Anthropic is overloaded: the next provider answers", fallback),
    ("no key", refused(401, "invalid_api_key", SELF_HOSTED, None)),
    ("a model that the key may not use", refused(403, "model_not_allowed", CLAUDE, BOB)),
    ("a model that nobody has", refused(404, "model_not_found", "no-such-model", ALICE)),
    ("what it cost, from Envoy's stats", metrics),
]


def ask(running, model, text, key, **more):
    connection, response = send(running, model, text, key, **more)
    try:
        return response.status, response.read()
    finally:
        connection.close()


def send(running, model, text, key, **more):
    connection = http.client.HTTPConnection("127.0.0.1", running.ports["GATEWAY_PORT"], timeout=20)
    headers = {"content-type": "application/json"}
    if key:
        headers["authorization"] = "Bearer " + key
    body = dict(more, model=model, messages=[{"role": "user", "content": text}])
    connection.request("POST", "/v1/chat/completions", json.dumps(body), headers)
    return connection, connection.getresponse()


def parse(status, body):
    try:
        value = json.loads(body)
    except ValueError:
        value = None
    if not isinstance(value, dict):
        raise Failed("status %d, not a JSON object: %s" % (status, excerpt(body)))
    return value


def pick(value, *path):
    for step in path:
        try:
            value = value[step]
        except (IndexError, KeyError, TypeError):
            return None
    return value


def excerpt(body):
    text = body.decode(errors="replace").strip()
    return text if len(text) < 200 else text[:200] + "…"


def envoy_version():
    return prerequisites.dotted(prerequisites.envoy(fetch.envoy_path()))


def invite(running):
    print("The gateway listens at %s (Envoy's admin page: %s). Try it:\n" % (running.gateway, running.admin))
    print("  curl %s/v1/chat/completions -H 'authorization: Bearer %s' \\\n"
          "    -H 'content-type: application/json' \\\n"
          "    -d '{\"model\": \"%s\", \"messages\": [{\"role\": \"user\", \"content\": \"hello\"}]}'\n"
          % (running.gateway, ALICE, CLAUDE))
    print("Models: %s. Logs: %s. Ctrl-C ends everything."
          % (", ".join((SELF_HOSTED, CLAUDE, ASSISTANT)), relative(running.logs)), flush=True)


def wait():
    while True:
        time.sleep(3600)


def relative(path):
    return os.path.relpath(path, fetch.ROOT)


if __name__ == "__main__":
    sys.exit(main())
