"""body-model and what no SDK does: encoded bodies, uploads in small pieces, faults behind released headers, spoofed
headers, trailers. The listener for uploads lets a request go as soon as its model is known."""

import gzip
import http.client
import itertools
import json
import queue
import re
import socket
import time
import unittest
import zlib

import dialects
import everywhere
import gateway
import h2.config
import h2.connection
import h2.events

CHAT = "/v1/chat/completions"
FACTS = ("model-name", "base-model-name", "stream", "tags", "fallbacks", "prompt-tokens", "context")
SPOOFED = {everywhere.FACTS + fact: "claude-sonnet-5" for fact in FACTS}
# Room for what another process or thread does next; tests that pass do not wait for it.
SOON = 10


def chat(model, content="hello", **more):
    return json.dumps(dict(more, model=model, messages=[{"role": "user", "content": content}])).encode()


class Encoded(everywhere.Case):
    """The decoded body goes on, without the coding."""

    def test_gzip_and_deflate(self):
        body = chat("fast", "word " * 100000, tags=["beta"])
        for coding, encoded in (("gzip", gzip.compress(body)), ("deflate", zlib.compress(body))):
            self.assertLess(len(encoded), len(body) // 10)
            for sent in (encoded, [encoded[:700], encoded[700:]]):
                with self.subTest(coding, chunked=isinstance(sent, list)):
                    status, _, _ = self.raw("POST", CHAT, sent, {"content-encoding": coding})
                    self.assertEqual(status, 200)
                    seen = self.seen("long-context")
                    self.assertEqual(json.loads(seen.body), json.loads(chat("llama-3.1-8b", "word " * 100000)))
                    self.assertNotIn("content-encoding", seen.headers)
                    self.assertEqual((seen.facts["model-name"], seen.facts["tags"]), ("llama-3.1-8b", "beta"))

    def test_what_cannot_be_decoded(self):
        whole = gzip.compress(chat("fast"))
        for coding, body, expected in (("br", b"\x0b\x02\x80{}\x03", (415, "unsupported_content_encoding")),
                                       ("zstd", whole, (415, "unsupported_content_encoding")),
                                       ("gzip, gzip", gzip.compress(whole), (415, "unsupported_content_encoding")),
                                       ("gzip", whole[:-9], (400, "invalid_content_encoding")),
                                       ("gzip", chat("fast"), (400, "invalid_content_encoding")),
                                       # As some servers take it: without the zlib format.
                                       ("deflate", zlib.compress(whole)[2:-4], (400, "invalid_content_encoding")),
                                       ("gzip", gzip.compress(b" " * 9000000), (413, "request_too_large"))):
            with self.subTest(coding, expected=expected):
                status, headers, answer = self.raw("POST", CHAT, body, {"content-encoding": coding})
                self.assertEqual((status, json.loads(answer)["error"]["code"]), expected)
                self.assertEqual(headers["content-type"], "application/json")
        self.assert_nothing_arrived()


class Upload:
    """A request in chunks, sent by hand; no two have the same path."""

    numbers = itertools.count()

    def __init__(self, port, path=CHAT, headers=""):
        self.path = "%s?number=%d" % (path, next(self.numbers))
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=20)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        head = "POST %s HTTP/1.1\r\nhost: a\r\nauthorization: Bearer %s\r\n%stransfer-encoding: chunked\r\n\r\n"
        self.socket.sendall((head % (self.path, gateway.ALICE, headers)).encode())

    def send(self, piece):
        self.socket.sendall(b"%x\r\n%s\r\n" % (len(piece), piece))

    def end(self):
        self.socket.sendall(b"0\r\n\r\n")

    def answer(self):
        response = http.client.HTTPResponse(self.socket)
        response.begin()
        return response.status, json.loads(response.read())


class Released(everywhere.Case):
    def upload(self, port="UPLOADS_PORT", path=CHAT, headers=""):
        upload = Upload(self.gateway.ports[port], path, headers)
        self.addCleanup(upload.socket.close)
        return upload

    def begun(self, name, upload, timeout=SOON):
        """Waits until the headers of an upload are at this upstream."""
        while self.upstreams[name].begun.get(timeout=timeout) != upload.path:
            pass

    def broken(self, upload):
        """Waits until the upload has ended at the self-hosted upstream without being complete; what came of it."""
        while True:
            path, body = self.upstreams["self-hosted"].broken.get(timeout=SOON)
            if path == upload.path:
                self.assertEqual(self.upstreams["self-hosted"].paths, [])
                return body

    def test_headers_go_as_soon_as_the_model_is_known(self):
        upload, upstream = self.upload(), self.upstreams["self-hosted"]
        *before, last = [b'{"model":"fast"'[at:at + 1] for at in range(15)]
        for byte in before:
            upload.send(byte)
            time.sleep(0.01)
        self.assertNotIn(upload.path, list(upstream.begun.queue), "the name may go on")
        upload.send(last)
        self.begun("self-hosted", upload)  # with the body under way: the rest is sent now
        for piece in (b',"messages":[', b'{"role":"user","content":"hello"}', b"]", b"}"):
            self.assertEqual(upstream.paths, [])
            upload.send(piece)
        upload.end()
        self.assertEqual(upload.answer()[1]["choices"][0]["message"]["content"], dialects.TEXT)
        seen = self.seen("self-hosted")
        self.assertEqual(seen.body, b'{"model":"llama-3.1-8b","messages":[{"role":"user","content":"hello"}]}')
        self.assertEqual(seen.facts, {"model-name": "llama-3.1-8b"})

    def test_where_more_is_told_headers_wait_for_the_end(self):
        upload = self.upload("GATEWAY_PORT")
        upload.send(b'{"model":"fast","stream":false,"messages":[]')
        with self.assertRaises(queue.Empty):
            self.begun("self-hosted", upload, 0.3)
        upload.send(b',"tags":["late"]}')
        upload.end()
        self.assertEqual(upload.answer()[0], 200)
        self.assertEqual(self.seen("self-hosted").facts["tags"], "late")

    def test_a_form_goes_with_its_model_and_the_file_follows(self):
        upload = self.upload(path="/v1/audio/transcriptions",
                             headers="content-type: multipart/form-data; boundary=b\r\n")
        body = (b'--b\r\ncontent-disposition: form-data; name="model"\r\n\r\ntranscribe\r\n--b\r\n'
                b'content-disposition: form-data; name="file"; filename="a.wav"\r\n\r\n')
        upload.send(body)
        self.begun("cloud", upload)
        for _ in range(5):
            upload.send(b"\0" * 1000000)
        upload.send(b"\r\n--b--\r\n")
        upload.end()
        self.assertEqual(upload.answer(), (200, {"text": dialects.TEXT}))
        expected = body.replace(b"transcribe", b"whisper-1") + b"\0" * 5000000 + b"\r\n--b--\r\n"
        self.assertTrue(self.seen("cloud").body == expected, "not the same bytes")

    def test_a_model_in_the_path_needs_no_byte_of_the_body(self):
        upload = self.upload(path="/v1beta/models/gemini-2.5-flash:streamGenerateContent")
        self.begun("cloud", upload)
        for piece in (b'{"contents":[', b"{}]", b"}"):
            upload.send(piece)
        upload.end()
        response = http.client.HTTPResponse(upload.socket)
        response.begin()
        self.assertIn(dialects.TEXT.encode(), response.read())
        seen = self.seen("cloud")
        self.assertEqual((seen.path, seen.body), (upload.path, b'{"contents":[{}]}'))
        self.assertEqual(seen.facts, {"model-name": "gemini-2.5-flash"})

    def test_a_fault_behind_released_headers_aborts_the_upstreams_request(self):
        for rest, code in ((b',"model":"qwen"}', "duplicate_model"), (b',"MODEL":null}', "duplicate_model"),
                           (b',"messages":[}', "invalid_json"), (b"} x", "invalid_json")):
            with self.subTest(rest):
                upload = self.upload()
                upload.send(b'{"model":"llama-3.1-8b"')
                self.begun("self-hosted", upload)
                upload.send(rest)
                upload.end()
                status, answer = upload.answer()
                self.assertEqual((status, answer["error"]["code"]), (400, code))
                got = self.broken(upload)
                self.assertTrue((b'{"model":"llama-3.1-8b"' + rest).startswith(got), got)

    def test_too_much_behind_released_headers(self):
        upload = self.upload()
        upload.send(b'{"model":"llama-3.1-8b","messages":"')
        self.begun("self-hosted", upload)
        try:
            for _ in range(10):
                upload.send(b"x" * 1000000)
        except OSError:
            pass  # it has answered and closed
        self.assertEqual(upload.answer()[1]["error"]["code"], "request_too_large")
        self.assertLess(len(self.broken(upload)), 9000000)

    def test_a_client_that_leaves_takes_the_upstreams_request_with_it(self):
        upload = self.upload()
        upload.send(b'{"model":"llama-3.1-8b"')
        self.begun("self-hosted", upload)
        upload.socket.close()
        self.assertEqual(self.broken(upload), b'{"model":"llama-3.1-8b"')

    def test_a_declared_length_follows_the_models_name(self):
        body = chat("fast", "word " * 300000)
        status, _, _ = self.raw("POST", CHAT, body, port="UPLOADS_PORT")
        self.assertEqual(status, 200)
        seen = self.seen("self-hosted")
        self.assertEqual((seen.headers["content-length"], seen.body),
                         (str(len(body) + 8), body.replace(b'"fast"', b'"llama-3.1-8b"')))


class Spoofed(everywhere.Case):
    """Headers that only the gateway may write do not come from a client, on no path."""

    def test_beside_a_model_that_counts(self):
        everything = {"model-name", "base-model-name", "stream", "prompt-tokens", "context"}
        for port, expected in (("GATEWAY_PORT", everything), ("UPLOADS_PORT", {"model-name"})):
            status, _, _ = self.raw("POST", CHAT, chat("llama-3.1-8b"), SPOOFED, port)
            self.assertEqual(status, 200)
            seen = self.seen("self-hosted")
            self.assertEqual(set(seen.facts), expected)
            self.assertNotIn("claude-sonnet-5", seen.facts.values())

    def test_where_no_model_is_read(self):
        self.assertEqual(self.raw("GET", "/healthz", None, SPOOFED, key=None)[0], 200)
        self.assertEqual(self.seen("self-hosted").facts, {})
        self.assertEqual(self.raw("GET", "/v1/models", None, SPOOFED, "UPLOADS_PORT")[0], 200)
        self.assertEqual(self.seen("cloud").facts, {})

    def test_they_choose_no_route(self):
        for method, body in (("GET", None), ("POST", b"{}")):
            status, _, answer = self.raw(method, "/v1/anything", body, SPOOFED)
            self.assertEqual((status, json.loads(answer)["error"]["code"]), (404, "not_found"))
        # Answered by the gateway.
        status, _, answer = self.raw("GET", "/v1/models", None, SPOOFED, key=gateway.BOB)
        self.assertEqual((status, [model["id"] for model in json.loads(answer)["data"]]),
                         (200, ["llama-3.1-8b", "food-review", "fast"]))
        self.assert_nothing_arrived()


class Http2(everywhere.Case):
    def request(self, pieces, headers=(), trailers=(), port="GATEWAY_PORT"):
        """Status and body of the answer."""
        connection = h2.connection.H2Connection(h2.config.H2Configuration(header_encoding="utf-8"))
        with socket.create_connection(("127.0.0.1", self.gateway.ports[port]), timeout=20) as client:
            connection.initiate_connection()
            connection.send_headers(1, [(":method", "POST"), (":path", CHAT), (":scheme", "http"), (":authority", "a"),
                                        ("authorization", "Bearer " + gateway.ALICE), *headers])
            for piece in pieces:
                connection.send_data(1, piece)
                client.sendall(connection.data_to_send())
            if trailers:
                connection.send_headers(1, trailers, end_stream=True)
            else:
                connection.end_stream(1)
            client.sendall(connection.data_to_send())
            status, body = None, b""
            while True:
                received = client.recv(65536)
                self.assertTrue(received, "the connection was closed")
                for event in connection.receive_data(received):
                    if isinstance(event, h2.events.ResponseReceived):
                        status = int(dict(event.headers)[":status"])
                    elif isinstance(event, h2.events.DataReceived):
                        body += event.data
                    elif isinstance(event, h2.events.StreamEnded):
                        return status, json.loads(body)
                    self.assertNotIsInstance(event, h2.events.StreamReset)
                client.sendall(connection.data_to_send())

    def test_a_body_with_trailers_and_without(self):
        body = chat("fast", "hello " * 1000)
        for trailers in ((), (("x-checksum", "1"), ("x-gateway-model-name", "claude-sonnet-5"))):
            for cut in (1, 10, 5000, len(body)):
                for port in ("GATEWAY_PORT", "UPLOADS_PORT"):
                    with self.subTest(trailers=len(trailers), cut=cut, port=port):
                        status, answer = self.request([body[:cut], body[cut:]], trailers=trailers, port=port)
                        self.assertEqual((status, answer["choices"][0]["message"]["content"]), (200, dialects.TEXT))
                        seen = self.seen("self-hosted")
                        self.assertEqual(seen.body, body.replace(b'"fast"', b'"llama-3.1-8b"'))
                        self.assertEqual(seen.facts["model-name"], "llama-3.1-8b")

    def test_trailers_end_a_body_that_is_not_complete(self):
        for port in ("GATEWAY_PORT", "UPLOADS_PORT"):
            for body, code in ((b'{"model":"fast"', "invalid_json"), (b'{"messages":[]}', "missing_model")):
                status, answer = self.request([body], trailers=(("x-checksum", "1"),), port=port)
                self.assertEqual((status, answer["error"]["code"]), (400, code))
        self.assert_nothing_arrived()


class Operation(everywhere.Case):
    def refused(self, code):
        name = re.compile(r"tollgate_body_model_refused_%s\b" % code)
        return sum(float(line.rsplit(" ", 1)[1]) for line in self.gateway.stats()
                   if name.search(line) and not line.startswith("#"))

    def test_refusals_are_counted_by_their_reason(self):
        before = self.refused("model_not_found")
        for _ in range(3):
            self.assertEqual(self.raw("POST", CHAT, chat("no-such-model"))[0], 404)
        self.assertEqual(self.refused("model_not_found") - before, 3)

    def test_nothing_of_a_request_is_in_the_log(self):
        self.raw("POST", CHAT, chat("fast", "a-secret-prompt"))
        self.raw("POST", CHAT, b'{"model":"fast","a-secret-prompt":}')
        log = self.gateway.read("envoy.log")
        for secret in ("a-secret-prompt", gateway.ALICE, "panicked"):
            self.assertNotIn(secret, log)


if __name__ == "__main__":
    unittest.main()
