"""The official SDKs of Anthropic, Google and AWS through body-model: what their providers see, what errors they raise.

Each call is also sent straight to a provider, so that every byte that the gateway changed is known.
"""

import hashlib
import json
import unittest

import anthropic
import botocore.auth
import botocore.awsrequest
import botocore.config
import botocore.credentials
import botocore.exceptions
import botocore.session
import dialects
import everywhere
import gateway
from google import genai
from google.genai import errors, types

MESSAGES = [{"role": "user", "content": "hello \u00e9"}]
CLAUDE, GEMINI = "claude-sonnet-5", "gemini-2.5-flash"
BEDROCK = "anthropic.claude-3-5-sonnet-20241022-v2:0"
PROFILE = "arn:aws:bedrock:us-east-1:111122223333:application-inference-profile/a1b2c3"


class Anthropic(everywhere.Case):
    def client(self, base, key=gateway.ALICE):
        client = anthropic.Anthropic(base_url=base, api_key=key, max_retries=0, timeout=20)
        self.addCleanup(client.close)
        return client

    def refused(self, error, call, key=gateway.ALICE):
        with self.assertRaises(error) as caught:
            call(self.client(self.base, key))
        self.assert_nothing_arrived()
        return caught.exception.status_code, caught.exception.body["error"]["type"]

    def test_a_message_by_an_alias(self):
        answer, sent, got = self.through("cloud", lambda base: self.client(base).messages.create(
            model="claude-latest", max_tokens=64, messages=MESSAGES))
        self.assertEqual((answer.content[0].text, got.path), (dialects.TEXT, "/v1/messages"))
        self.assert_renamed(sent, got, b'"claude-latest"', b'"claude-sonnet-5"')
        self.assertEqual(got.headers["anthropic-version"], sent.headers["anthropic-version"])
        self.assertEqual((got.facts["model-name"], got.facts["stream"]), (CLAUDE, "false"))

    def test_a_stream(self):
        def call(base):
            with self.client(base).messages.stream(model="claude-latest", max_tokens=64, messages=MESSAGES) as stream:
                return stream.get_final_text()

        text, sent, got = self.through("cloud", call)
        self.assertEqual((text, got.facts["stream"]), (dialects.TEXT, "true"))
        self.assert_renamed(sent, got, b'"claude-latest"', b'"claude-sonnet-5"')

    def test_a_count_of_tokens(self):
        answer, sent, got = self.through("cloud", lambda base: self.client(base).messages.count_tokens(
            model=CLAUDE, messages=MESSAGES))
        self.assertEqual((answer.input_tokens, got.path, got.body), (7, "/v1/messages/count_tokens", sent.body))

    def test_the_list_has_what_the_caller_may_use_page_by_page(self):
        everything = [model.id for model in self.client(self.base).models.list(limit=3)]
        self.assertIn(CLAUDE, everything)
        self.assertEqual(everything, [model.id for model in self.client(self.base).models.list(limit=1000)])
        self.assertEqual({model.id for model in self.client(self.base, gateway.BOB).models.list(limit=2)},
                         {"llama-3.1-8b", "food-review", "fast"})
        self.assertEqual(self.client(self.base).models.retrieve("claude-latest").id, "claude-latest")
        self.assertEqual(self.client(self.base).models.retrieve(CLAUDE).created_at.year, 2026)
        self.assertEqual(self.refused(anthropic.NotFoundError, lambda client: client.models.retrieve(CLAUDE),
                                      gateway.BOB), (404, "not_found_error"))

    def test_refusals(self):
        def create(**more):
            return lambda client: client.messages.create(**dict({"model": CLAUDE, "max_tokens": 64,
                                                                 "messages": MESSAGES}, **more))

        for error, call, key, expected in (
                (anthropic.AuthenticationError, create(), "sk-mallory", (401, "authentication_error")),
                (anthropic.PermissionDeniedError, create(), gateway.BOB, (403, "permission_error")),
                (anthropic.NotFoundError, create(model="claude-2"), gateway.ALICE, (404, "not_found_error")),
                (anthropic.NotFoundError, create(model="claude-2", stream=True), gateway.ALICE,
                 (404, "not_found_error")),
                (anthropic.BadRequestError, create(extra_body={"Model": "x"}), gateway.ALICE,
                 (400, "invalid_request_error")),
                (anthropic.RequestTooLargeError, create(system="x" * 9000000), gateway.ALICE,
                 (413, "request_too_large")),
                (anthropic.APIStatusError, create(extra_headers={"content-encoding": "br"}), gateway.ALICE,
                 (415, "invalid_request_error"))):
            with self.subTest(expected):
                self.assertEqual(self.refused(error, call, key), expected)


class Gemini(everywhere.Case):
    """Its key goes as a bearer token, which key-check reads."""

    def client(self, base, key=gateway.ALICE, **more):
        options = types.HttpOptions(base_url=base, headers={"authorization": "Bearer " + key}, timeout=20000, **more)
        client = genai.Client(api_key="not-for-the-gateway", http_options=options)
        self.addCleanup(client.close)
        return client.models

    def refused(self, call, key=gateway.ALICE):
        with self.assertRaises(errors.ClientError) as caught:
            call(self.client(self.base, key))
        self.assert_nothing_arrived()
        return caught.exception.code, caught.exception.status

    def test_generation_by_an_alias(self):
        answer, sent, got = self.through("cloud", lambda base: self.client(base).generate_content(
            model="gemini-flash", contents="hello"))
        self.assertEqual(answer.text, dialects.TEXT)
        self.assertTrue(sent.path.endswith("/models/gemini-flash:generateContent"), sent.path)
        self.assertEqual((got.path, got.body), (sent.path.replace("gemini-flash", GEMINI), sent.body))
        self.assertEqual((got.facts["model-name"], got.facts["stream"], got.facts["context"]),
                         (GEMINI, "false", "small"))

    def test_a_stream(self):
        answer, sent, got = self.through("cloud", lambda base: "".join(
            chunk.text for chunk in self.client(base).generate_content_stream(model="gemini-flash", contents="hello")))
        self.assertEqual(answer, dialects.TEXT)
        self.assertEqual(got.path, sent.path.replace("gemini-flash", GEMINI))
        self.assertTrue(got.path.endswith(":streamGenerateContent?alt=sse"), got.path)
        self.assertEqual((got.facts["stream"], got.body), ("true", sent.body))

    def test_a_count_of_tokens(self):
        answer, sent, got = self.through("cloud", lambda base: self.client(base).count_tokens(
            model="gemini-flash", contents="hello"))
        self.assertEqual(answer.total_tokens, 7)
        self.assertTrue(got.path.endswith("/models/gemini-2.5-flash:countTokens"), got.path)
        self.assertEqual((got.path, got.body), (sent.path.replace("gemini-flash", GEMINI), sent.body))

    def test_embeddings(self):
        # The body of the SDK's batch names the model in each of its requests, so it takes no alias.
        answer, sent, got = self.through("cloud", lambda base: self.client(base).embed_content(
            model="gemini-embedding-001", contents=["a", "b"]))
        self.assertEqual(answer.embeddings[0].values, dialects.VECTOR)
        self.assertEqual((got.path, got.body), (sent.path, sent.body))
        self.assertEqual(got.facts["model-name"], "gemini-embedding-001")

    def test_an_alias_is_replaced_in_the_path_and_in_the_body(self):
        body = b'{"content":{"parts":[{"text":"a"}]}, "model" : "models/embed"}'
        status, _, answer = self.raw("POST", "/v1beta/models/embed:embedContent", body)
        self.assertEqual((status, json.loads(answer)["embedding"]["values"]), (200, dialects.VECTOR))
        got = self.seen("cloud")
        self.assertEqual(got.path, "/v1beta/models/gemini-embedding-001:embedContent")
        self.assertEqual(got.body, body.replace(b"models/embed", b"models/gemini-embedding-001"))
        # Only one model: that of the path.
        status, _, answer = self.raw("POST", "/v1beta/models/embed:embedContent", body.replace(b"embed", b"other"))
        self.assertEqual((status, json.loads(answer)["error"]["status"]), (400, "INVALID_ARGUMENT"))
        self.assert_nothing_arrived()

    def test_the_list_has_what_the_caller_may_use_page_by_page(self):
        # In `v1`, its paths are OpenAI's too.
        for version in ("v1beta", "v1"):
            with self.subTest(version):
                models = self.client(self.base, api_version=version)
                everything = [model.name for model in models.list(config={"page_size": 3})]
                self.assertIn("models/" + GEMINI, everything)
                self.assertEqual(everything, [model.name for model in models.list()])
                self.assertEqual(models.get(model="gemini-flash").name, "models/gemini-flash")
                models = self.client(self.base, gateway.BOB, api_version=version)
                self.assertEqual({model.name for model in models.list(config={"page_size": 1})},
                                 {"models/llama-3.1-8b", "models/food-review", "models/fast"})
        self.assertEqual(self.refused(lambda models: models.get(model=GEMINI), gateway.BOB), (404, "NOT_FOUND"))

    def test_refusals(self):
        def generate(model=GEMINI, text="hello"):
            return lambda models: models.generate_content(model=model, contents=text)

        self.assertEqual(self.refused(generate(), "sk-mallory"), (401, "UNAUTHENTICATED"))
        self.assertEqual(self.refused(generate(), gateway.BOB), (403, "PERMISSION_DENIED"))
        self.assertEqual(self.refused(generate("gemini-1.0")), (404, "NOT_FOUND"))
        self.assertEqual(self.refused(lambda models: next(models.generate_content_stream(
            model="gemini-1.0", contents="hello"))), (404, "NOT_FOUND"))
        self.assertEqual(self.refused(generate(text="x" * 9000000))[0], 413)


class Bedrock(everywhere.Case):
    """Its key goes as a bearer token, as the SDK sends API keys of Bedrock's, which it does by HTTPS only."""

    def client(self, base, key=gateway.ALICE):
        session = botocore.session.Session(include_builtin_handlers=True)
        client = session.create_client("bedrock-runtime", "us-east-1", endpoint_url=base, config=botocore.config.Config(
            signature_version=botocore.UNSIGNED, retries={"total_max_attempts": 1}, read_timeout=20))
        client.meta.events.register("before-send", lambda request, **_: request.headers.__setitem__(
            "authorization", "Bearer " + key))
        self.addCleanup(client.close)
        return client

    def through(self, name, call):
        """As elsewhere. What arrived is signed as it is, however it was changed."""
        answer, sent, got = super().through(name, call)
        algorithm, *parts = got.headers["authorization"].replace(",", " ").split()
        parts = dict(part.split("=", 1) for part in parts)
        request = botocore.awsrequest.AWSRequest("POST", "http://" + got.headers["host"] + got.path, data=got.body)
        for header in parts["SignedHeaders"].split(";"):
            request.headers[header] = got.headers[header]
        request.context["timestamp"] = got.headers["x-amz-date"]
        credentials = botocore.credentials.Credentials(*everywhere.AWS.values())
        auth = botocore.auth.SigV4Auth(credentials, "bedrock", "us-east-1")
        signature = auth.signature(auth.string_to_sign(request, auth.canonical_request(request)), request)
        self.assertEqual((algorithm, parts["Signature"]), ("AWS4-HMAC-SHA256", signature))
        self.assertEqual(hashlib.sha256(got.body).hexdigest(), got.headers["x-amz-content-sha256"])
        return answer, sent, got

    def converse(self, base, model, **more):
        messages = [{"role": "user", "content": [{"text": "hello"}]}]
        return self.client(base, **more).converse(modelId=model, messages=messages)

    def refused(self, call):
        with self.assertRaises(botocore.exceptions.ClientError) as caught:
            call()
        self.assert_nothing_arrived()
        response = caught.exception.response
        self.assertTrue(response["Error"]["Message"])
        return response["ResponseMetadata"]["HTTPStatusCode"], response["Error"]["Code"]

    def test_converse_by_an_alias(self):
        answer, sent, got = self.through("bedrock", lambda base: self.converse(base, "claude-on-bedrock"))
        self.assertEqual(answer["output"]["message"]["content"][0]["text"], dialects.TEXT)
        self.assertEqual(sent.path, "/model/claude-on-bedrock/converse")
        self.assertEqual(got.body, sent.body)
        # As the SDK itself writes that name.
        _, own, _ = self.through("bedrock", lambda base: self.converse(base, BEDROCK))
        self.assertEqual(got.path, own.path)
        self.assertEqual((got.facts["model-name"], got.facts["stream"]), (BEDROCK, "false"))

    def test_a_stream(self):
        def call(base):
            events = self.client(base).converse_stream(modelId="claude-on-bedrock", messages=[
                {"role": "user", "content": [{"text": "hello"}]}])["stream"]
            return "".join(event.get("contentBlockDelta", {"delta": {"text": ""}})["delta"]["text"] for event in events)

        text, sent, got = self.through("bedrock", call)
        self.assertEqual((text, got.facts["stream"], got.body), (dialects.TEXT, "true", sent.body))
        self.assertTrue(got.path.endswith("/converse-stream"), got.path)

    def test_invoke_with_an_arn(self):
        answer, sent, got = self.through("bedrock", lambda base: json.load(self.client(base).invoke_model(
            modelId=PROFILE, body=b'{"anthropic_version":"bedrock-2023-05-31","max_tokens":8,"messages":[]}')["body"]))
        self.assertEqual(answer["content"][0]["text"], dialects.TEXT)
        self.assertIn("%2F", sent.path)
        self.assertEqual((got.path, got.body, got.facts["model-name"]), (sent.path, sent.body, PROFILE))

    def test_invoke_by_an_alias(self):
        _, sent, got = self.through("bedrock", lambda base: self.client(base).invoke_model(
            modelId="claude-on-bedrock", body=b'{"max_tokens" : 8}'))
        self.assertEqual((got.facts["model-name"], got.body), (BEDROCK, sent.body))
        self.assertTrue(got.path.endswith("/invoke"), got.path)

    def test_refusals(self):
        for model, key, expected in ((BEDROCK, "sk-mallory", (401, "AccessDeniedException")),
                                     (BEDROCK, gateway.BOB, (403, "AccessDeniedException")),
                                     (PROFILE, gateway.BOB, (403, "AccessDeniedException")),
                                     ("no-such-model", gateway.ALICE, (404, "ResourceNotFoundException"))):
            with self.subTest(expected):
                self.assertEqual(self.refused(lambda: self.converse(self.base, model, key=key)), expected)
        for body, expected in ((b'{"model":"fast"}', (400, "ValidationException")),
                               (b"[]", (400, "ValidationException")),
                               (b'{"x":"%s"}' % (b"x" * 9000000), (413, "ValidationException"))):
            with self.subTest(expected):
                self.assertEqual(self.refused(lambda: self.client(self.base).invoke_model(
                    modelId=BEDROCK, body=body)), expected)


if __name__ == "__main__":
    unittest.main()
