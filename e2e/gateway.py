"""A running quickstart for a test module, and the official client that talks to it."""

import atexit
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "scripts"))
# The client honours a proxy of the environment, which would not find this machine's loopback.
os.environ["NO_PROXY"] = os.environ["no_proxy"] = "127.0.0.1"

import openai  # noqa: E402
import stack  # noqa: E402

stack.stop_on_signals()

ALICE = "sk-demo-alice"  # may use every model
BOB = "sk-demo-bob"  # may use the self-hosted ones
SELF_HOSTED, CLAUDE, ASSISTANT = "llama-3.1-8b", "claude-sonnet-4-5", "assistant"
# The providers' credentials; each may be seen by its own provider and nowhere else.
SECRETS = {
    "SELF_HOSTED_API_KEY": "canary-self-hosted-7f3a",
    "ANTHROPIC_API_KEY": "canary-anthropic-91cc",
    "OPENAI_API_KEY": "canary-openai-e05b",
}


def start(name, simulated=tuple(stack.PROVIDERS), ports=None, **more):
    """The quickstart, or what `more` says, on free ports; its logs go to .tools/run/e2e-<name>."""
    running = stack.Stack("e2e-" + name, ports or stack.free_ports(), SECRETS, simulated, **more)
    # Where a signal ends the tests, unittest does not clean up.
    atexit.register(lambda: running.__exit__())
    return running


def client(running, key=ALICE):
    """The official client as an application has it, without its retries, so that an error is seen at once."""
    return openai.OpenAI(base_url=running.gateway + "/v1", api_key=key, max_retries=0, timeout=20)
