"""Failover by the host: who sees which secret, and what a client sees when a provider breaks.

The model `assistant` has Anthropic as its first provider and OpenAI as its second.
"""

import contextlib
import json
import unittest

import gateway
import openai
import recorder
import stack

MESSAGES = [{"role": "user", "content": "hello"}]
COMPLETION = json.dumps({
    "id": "chatcmpl-second", "object": "chat.completion", "created": 1, "model": "gpt-4o-mini-2024-07-18",
    "choices": [{"index": 0, "message": {"role": "assistant", "content": "from the second"}, "finish_reason": "stop"}],
    "usage": {"prompt_tokens": 7, "completion_tokens": 3, "total_tokens": 10},
}).encode()


def chunk(delta, finish=None):
    return {"id": "chatcmpl-second", "object": "chat.completion.chunk", "created": 1, "model": "gpt-4o-mini-2024-07-18",
            "choices": [{"index": 0, "delta": delta, "finish_reason": finish}]}


def events(*payloads):
    return b"".join(b"data: %s\n\n" % (each if isinstance(each, bytes) else json.dumps(each).encode())
                    for each in payloads)


def anthropic_events(*payloads):
    return b"".join(b"event: %s\ndata: %s\n\n" % (each["type"].encode(), json.dumps(each).encode())
                    for each in payloads)


def overloaded(handler):
    recorder.send(handler, 503, b'{"type":"error","error":{"type":"overloaded_error","message":"Overloaded"}}')


def second_answers(handler):
    recorder.send(handler, 200, COMPLETION)


def second_streams(handler):
    body = events(chunk({"role": "assistant", "content": ""}), chunk({"content": "from the "}),
                  chunk({"content": "second"}), chunk({}, "stop"), b"[DONE]")
    recorder.send(handler, 200, body, "text/event-stream")


class Fallback(unittest.TestCase):
    """One gateway for all; each test scripts the providers that it needs, and no other is there."""

    @classmethod
    def setUpClass(cls):
        cls.ports = stack.free_ports()
        cls.running = gateway.start("fallback", simulated=(), ports=cls.ports)
        cls.running.__enter__()
        cls.addClassCleanup(cls.running.__exit__)

    def setUp(self):
        self.client = gateway.client(self.running)
        self.addCleanup(self.client.close)
        self.scripted = contextlib.ExitStack()
        self.addCleanup(self.scripted.close)

    def provider(self, name, answer):
        port = self.ports[stack.PROVIDERS[name][0]]
        return self.scripted.enter_context(recorder.Recorder(port, answer))

    def ask(self, model=gateway.ASSISTANT, **more):
        return self.client.chat.completions.create(model=model, messages=MESSAGES, **more)

    def assert_only_own_secrets(self, first, second):
        """Each saw its own credential, neither the other's nor the client's key, nothing of the gateway's."""
        own, other = gateway.SECRETS["ANTHROPIC_API_KEY"], gateway.SECRETS["OPENAI_API_KEY"]
        self.assertIn("x-api-key: " + own, first.everything().lower())
        self.assertIn("authorization: bearer " + other, second.everything().lower())
        for seen, foreign in ((first.everything(), other), (second.everything(), own)):
            self.assertNotIn(foreign, seen)
            self.assertNotIn(gateway.ALICE, seen)
            self.assertNotIn(gateway.SECRETS["SELF_HOSTED_API_KEY"], seen)
            self.assertNotIn("x-gateway-", seen.lower())
            self.assertNotIn("tollgate", seen.lower())

    def assert_nothing_in_the_logs(self):
        logs = self.running.read("envoy.log") + self.running.read("access.log")
        self.assertIn('"status":200', self.running.read("access.log"))
        for secret in [gateway.ALICE] + list(gateway.SECRETS.values()):
            self.assertNotIn(secret, logs)

    def test_the_second_provider_answers_when_the_first_is_overloaded(self):
        first, second = self.provider("anthropic", overloaded), self.provider("openai", second_answers)
        answer = self.ask(max_tokens=50)
        self.assertEqual(answer.choices[0].message.content, "from the second")
        self.assertEqual(answer.model, gateway.ASSISTANT)
        self.assertEqual(answer.usage.total_tokens, 10)
        self.assertEqual((first.paths, second.paths), (["/v1/messages"], ["/v1/chat/completions"]))
        sent_first, sent_second = json.loads(first.requests[0][1]), json.loads(second.requests[0][1])
        self.assertNotIn(gateway.ASSISTANT, (sent_first["model"], sent_second["model"]))
        self.assertNotEqual(sent_first["model"], sent_second["model"])
        self.assertEqual(sent_second["messages"], MESSAGES)
        self.assert_only_own_secrets(first, second)
        self.assert_nothing_in_the_logs()

    def test_a_stream_falls_back_too(self):
        first, second = self.provider("anthropic", overloaded), self.provider("openai", second_streams)
        chunks = list(self.ask(stream=True))
        self.assertEqual("".join(each.choices[0].delta.content or "" for each in chunks), "from the second")
        self.assertEqual({each.model for each in chunks}, {gateway.ASSISTANT})
        self.assert_only_own_secrets(first, second)
        self.assert_nothing_in_the_logs()

    def test_a_first_provider_that_is_down_is_passed_over(self):
        second = self.provider("openai", second_answers)
        self.assertEqual(self.ask().choices[0].message.content, "from the second")
        self.assertEqual(len(second.requests), 1)

    def test_both_overloaded_is_one_error_in_the_clients_dialect(self):
        def limited(handler):
            recorder.send(handler, 503, b'{"error":{"message":"Try later","type":"server_error","code":null}}')

        first, second = self.provider("anthropic", overloaded), self.provider("openai", limited)
        with self.assertRaises(openai.InternalServerError) as caught:
            self.ask()
        self.assertEqual((caught.exception.status_code, caught.exception.type), (503, "server_error"))
        self.assertEqual((len(first.requests), len(second.requests)), (1, 1))

    def test_all_providers_down_is_a_json_error(self):
        with self.assertRaises(openai.InternalServerError) as caught:
            self.ask(gateway.SELF_HOSTED)
        self.assertEqual(caught.exception.status_code, 503)
        self.assertEqual(caught.exception.code, "provider_unavailable")

    def test_a_stream_that_breaks_is_an_error_and_not_an_end(self):
        beginning = events(chunk({"role": "assistant", "content": ""}), chunk({"content": "from the"}))
        self.provider("self-hosted", lambda handler: recorder.cut(handler, 200, beginning))
        self.assert_breaks(gateway.SELF_HOSTED, "from the")

    def test_a_translated_stream_that_breaks_is_an_error_and_not_an_end(self):
        beginning = anthropic_events(
            {"type": "message_start", "message": {"id": "msg_1", "type": "message", "role": "assistant", "content": [],
             "model": "claude", "stop_reason": None, "usage": {"input_tokens": 5, "output_tokens": 1}}},
            {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}},
            {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": "from the"}})
        self.provider("anthropic", lambda handler: recorder.cut(handler, 200, beginning))
        self.assert_breaks(gateway.CLAUDE, "from the")

    def assert_breaks(self, model, expected):
        text = ""
        # What the client raises depends on its HTTP library; that it raises is what matters.
        with self.assertRaises(Exception) as caught:
            for each in self.ask(model, stream=True):
                text += each.choices[0].delta.content or ""
        self.assertNotIsInstance(caught.exception, (AssertionError, AttributeError, IndexError))
        self.assertEqual(text, expected)
        self.scripted.close()
        self.provider("openai", second_answers)
        self.assertEqual(self.ask().choices[0].message.content, "from the second", "the gateway still works")


if __name__ == "__main__":
    unittest.main()
