"""envoy-configs/hold-host: models from bodies where the host has no header-hold, on the newest Envoy and the oldest.

The backends record what reached them; what a refused request must not do is reach one.
"""

import http.client
import json
import os
import socket
import unittest

import gateway
import recorder
import stack

FACTS = ("model-name", "base-model-name", "stream", "tags", "fallbacks", "prompt-tokens", "context")
LLAMA, QWEN = "SELF_HOSTED_PORT", "ANTHROPIC_PORT"
CHAT = "/v1/chat/completions"
ANSWER = b'{"object":"chat.completion"}'


def chat(model, content="hello", **more):
    """A chat with the model as its last member."""
    body = dict(more, messages=[{"role": "user", "content": content}], model=model)
    return json.dumps(body, separators=(",", ":")).encode()


class OnNewestEnvoy(unittest.TestCase):
    envoy = None

    @classmethod
    def setUpClass(cls):
        cls.ports = stack.free_ports()
        cls.running = gateway.start(cls.__name__.lower(), (), cls.ports, config="hold-host", envoy=cls.envoy)
        cls.running.__enter__()
        cls.addClassCleanup(cls.running.__exit__)

    def setUp(self):
        self.llama, self.qwen = (self.enterContext(recorder.Recorder(self.ports[port], lambda handler: recorder.send(
            handler, 200, ANSWER))) for port in (LLAMA, QWEN))
        self.connection = http.client.HTTPConnection("127.0.0.1", self.ports["GATEWAY_PORT"], timeout=20)
        self.addCleanup(self.connection.close)

    def enterContext(self, manager):  # of unittest from Python 3.11 on
        self.addCleanup(manager.__exit__, None, None, None)
        return manager.__enter__()

    def ask(self, body, headers=(), path=CHAT, key=gateway.ALICE, method="POST"):
        """Status and body of the answer; a body that is a list of pieces is sent in chunks."""
        fields = {"content-type": "application/json"}
        if key:
            fields["authorization"] = "Bearer " + key
        fields.update(headers)
        self.connection.request(method, path, body, fields, encode_chunked=isinstance(body, list))
        response = self.connection.getresponse()
        return response.status, response.read()

    def seen(self, backend):
        """The facts and the body of the one request that `backend` got, and no other backend."""
        self.assertEqual([len(each.requests) for each in (self.llama, self.qwen)],
                         [int(each is backend) for each in (self.llama, self.qwen)])
        pairs, body = backend.requests.pop()
        headers = {}
        for name, value in pairs:
            self.assertNotIn(name.lower(), headers, "written twice")
            headers[name.lower()] = value
        self.assertEqual(headers["content-length"], str(len(body)))
        self.assertNotIn("transfer-encoding", headers)
        prefix = "x-gateway-"
        return {name[len(prefix):]: value for name, value in headers.items() if name.startswith(prefix)}, body

    def assert_refused(self, answer, status, code):
        self.assertEqual(answer[0], status, answer[1])
        self.assertEqual(json.loads(answer[1])["error"]["code"], code)
        self.assertEqual(self.llama.requests + self.qwen.requests, [], "it reached a backend")

    def test_the_route_is_that_of_the_model(self):
        for model, backend in (("llama-3.1-8b", self.llama), ("qwen-2.5-7b", self.qwen), ("llama-3.1-8b", self.llama)):
            body = chat(model)
            self.assertEqual(self.ask(body), (200, ANSWER))  # on one connection: nothing is left of the one before
            facts, got = self.seen(backend)
            self.assertEqual((facts["model-name"], facts["base-model-name"], facts["stream"]), (model, model, "false"))
            self.assertEqual(got, body)

    def test_every_fact_reaches_the_routes(self):
        body = chat("food-review", tags=["beta", "eu"], fallbacks=["qwen-2.5-7b"], stream=True)
        self.assertEqual(self.ask(body)[0], 200)
        facts, got = self.seen(self.llama)
        self.assertGreater(int(facts.pop("prompt-tokens")), 0)
        self.assertEqual(facts, {"model-name": "food-review", "base-model-name": "llama-3.1-8b", "stream": "true",
                                 "tags": "beta,eu", "fallbacks": "qwen-2.5-7b", "context": "small"})
        rest = json.loads(got)
        self.assertEqual(rest, {"messages": [{"role": "user", "content": "hello"}], "model": "food-review",
                                "stream": True}, "tags and fallbacks are for the gateway")

    def test_an_alias_is_replaced_and_nothing_else_of_the_body(self):
        for sent in (b'{"model" : "fast", "temperature": 1.0e0, "x": [1,2 ], "messages":[]}',
                     b'{"x":1e400,"messages":[ ],"model":"fast"}'):
            for body in (sent, [sent[:20], sent[20:]]):
                self.assertEqual(self.ask(body)[0], 200)
                facts, got = self.seen(self.llama)
                self.assertEqual(facts["model-name"], "llama-3.1-8b")
                self.assertEqual(got, sent.replace(b"fast", b"llama-3.1-8b"))

    def test_large_bodies_in_any_pieces(self):
        body = chat("qwen-2.5-7b", "word " * 200000)
        self.assertGreater(len(body), 1000000)
        for sent in (body, [body], [body[at:at + 70001] for at in range(0, len(body), 70001)]):
            self.assertEqual(self.ask(sent)[0], 200)
            facts, got = self.seen(self.qwen)
            self.assertEqual((facts["model-name"], facts["context"]), ("qwen-2.5-7b", "large"))
            self.assertEqual(got, body)
        alias = chat("fast", "word " * 200000)
        self.assertEqual(self.ask([alias])[0], 200)
        self.assertEqual(self.seen(self.llama)[1], alias.replace(b'"fast"', b'"llama-3.1-8b"'))

    def test_a_body_that_trailers_end(self):
        body = chat("fast")
        head = "POST %s HTTP/1.1\r\nhost: a\r\nauthorization: Bearer %s\r\ntransfer-encoding: chunked\r\n\r\n%x\r\n"
        with socket.create_connection(("127.0.0.1", self.ports["GATEWAY_PORT"]), timeout=20) as client:
            client.sendall((head % (CHAT, gateway.ALICE, len(body))).encode() + body + b"\r\n0\r\nx-checksum: 1\r\n\r\n")
            self.assertEqual(client.recv(65536).split(b"\r\n")[0], b"HTTP/1.1 200 OK")
        facts, got = self.seen(self.llama)
        self.assertEqual((facts["model-name"], got), ("llama-3.1-8b", body.replace(b"fast", b"llama-3.1-8b")))

    def test_a_clients_copies_of_the_headers_count_for_nothing(self):
        spoofed = {"x-gateway-" + fact: "qwen-2.5-7b" for fact in FACTS}
        self.assertEqual(self.ask(chat("llama-3.1-8b"), spoofed)[0], 200)
        facts, _ = self.seen(self.llama)
        facts.pop("prompt-tokens")
        self.assertEqual(facts, {"model-name": "llama-3.1-8b", "base-model-name": "llama-3.1-8b", "stream": "false",
                                 "context": "small"})
        # Where no model is read, they do not choose a route either.
        self.assert_refused(self.ask(None, spoofed, "/v1/anything", method="GET"), 404, "not_found")
        self.assert_refused(self.ask(b"{}", spoofed, "/v1/anything"), 404, "not_found")

    def test_refusals_are_errors_of_the_api_and_reach_no_backend(self):
        for body, key, status, code in (
                (chat("llama-3.1-8b"), None, 401, "invalid_api_key"),
                (chat("qwen-2.5-7b"), gateway.BOB, 403, "model_not_allowed"),
                (chat("gpt-4o"), gateway.ALICE, 404, "model_not_found"),
                (b'{"messages":[]}', gateway.ALICE, 400, "missing_model"),
                (b'{"model":"llama-3.1-8b","messages":[}', gateway.ALICE, 400, "invalid_json"),
                (b'{"model":"llama-3.1-8b","Model":"qwen-2.5-7b"}', gateway.ALICE, 400, "duplicate_model")):
            for sent in (body, [body[:9], body[9:]]):
                with self.subTest(code, chunked=isinstance(sent, list)):
                    self.connection.close()
                    self.assert_refused(self.ask(sent, key=key), status, code)
        self.assertEqual(self.ask(chat("llama-3.1-8b"), key=gateway.BOB)[0], 200)

    def test_a_body_over_the_limit_is_a_413_of_the_filter_and_of_the_host_behind_it(self):
        # By its length, before it was sent; by what came, in chunks.
        self.assert_refused(self.send_beginning("content-length: %d" % (1 << 21), b""), 413, "request_too_large")
        chunk = b"%x\r\n%s\r\n" % (1 << 20, b" " * (1 << 20))
        self.assert_refused(self.send_beginning("transfer-encoding: chunked", chunk + chunk), 413, "request_too_large")
        # Elsewhere only the buffer filter has a limit.
        self.assert_refused(self.send_beginning("transfer-encoding: chunked", chunk * 3, "/elsewhere"),
                            413, "request_too_large")

    def send_beginning(self, length, body, path=CHAT):
        """The answer to a request that is not sent to its end."""
        head = "POST %s HTTP/1.1\r\nhost: a\r\nauthorization: Bearer %s\r\n%s\r\n\r\n" % (path, gateway.ALICE, length)
        with socket.create_connection(("127.0.0.1", self.ports["GATEWAY_PORT"]), timeout=20) as client:
            try:
                client.sendall(head.encode() + body)
            except OSError:
                pass  # the gateway has answered and closed
            response = http.client.HTTPResponse(client)
            response.begin()
            return response.status, response.read()

    def test_a_client_that_leaves_in_the_middle_leaves_nothing_behind(self):
        for _ in range(3):
            with socket.create_connection(("127.0.0.1", self.ports["GATEWAY_PORT"]), timeout=20) as client:
                client.sendall(b"POST %s HTTP/1.1\r\nhost: a\r\nauthorization: Bearer %s\r\ncontent-length: 90\r\n\r\n{"
                               % (CHAT.encode(), gateway.ALICE.encode()))
        self.assertEqual(self.ask(chat("llama-3.1-8b"))[0], 200)
        self.seen(self.llama)


class OnOldestEnvoy(OnNewestEnvoy):
    envoy = os.path.join(stack.fetch.TOOLS, "envoy-oldest", "envoy")

    @classmethod
    def setUpClass(cls):
        if os.path.abspath(stack.fetch.envoy_path()) != os.path.join(stack.fetch.TOOLS, "envoy", "envoy"):
            raise unittest.SkipTest("ENVOY says which one counts")
        if not os.path.exists(cls.envoy):
            raise unittest.SkipTest("missing: the oldest Envoy (make tools)")
        super().setUpClass()


if __name__ == "__main__":
    unittest.main()
