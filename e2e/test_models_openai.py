"""The official `openai` client and its Azure variant, through every rule of body-model: what the provider then sees.

Each call is also sent straight to a provider, so that every byte that the gateway changed is known.
"""

import hashlib
import json
import unittest

import dialects
import everywhere
import gateway
import openai

MESSAGES = [{"role": "user", "content": "hello \u00e9 \U0001f600"}]
FILE = bytes(range(256)) * 20480  # 5 MiB, with every byte there is
FORM = {"Content-Type": "multipart/form-data; boundary=the-same-each-time"}


class Case(everywhere.Case):
    def client(self, base, key=gateway.ALICE):
        client = openai.OpenAI(base_url=base + "/v1", api_key=key, max_retries=0, timeout=20)
        self.addCleanup(client.close)
        return client

    def refused(self, error, call, key=gateway.ALICE):
        """The error that the client raises; nothing reaches a provider."""
        with self.assertRaises(error) as caught:
            call(self.client(self.base, key))
        self.assert_nothing_arrived()
        self.assertEqual(caught.exception.response.headers["content-type"], "application/json")
        return caught.exception.status_code, caught.exception.code


class Calls(Case):
    # What is left of a body with tags and fallbacks.
    LEFT = {"messages": MESSAGES, "model": "llama-3.1-8b", "metadata": {"trace": "t-1"}}

    def chat(self, name, model, **more):
        return self.through(name, lambda base: self.client(base).chat.completions.create(
            model=model, messages=MESSAGES, **more))

    def test_chat_by_an_alias(self):
        answer, sent, got = self.chat("self-hosted", "fast", temperature=0.30000000000000004, seed=2**63)
        self.assertEqual(answer.choices[0].message.content, dialects.TEXT)
        self.assert_renamed(sent, got, b'"fast"', b'"llama-3.1-8b"')
        self.assertEqual((sent.path, got.path), ("/v1/chat/completions",) * 2)
        self.assertGreater(int(got.facts.pop("prompt-tokens")), 0)
        self.assertEqual(got.facts, {"model-name": "llama-3.1-8b", "base-model-name": "llama-3.1-8b",
                                     "stream": "false", "context": "small"})

    def test_chat_by_the_models_own_name_is_the_same_to_the_last_byte(self):
        answer, sent, got = self.chat("self-hosted", "llama-3.1-8b")
        self.assertEqual(answer.choices[0].message.content, dialects.TEXT)
        self.assertEqual(got.body, sent.body)

    def test_a_stream_by_an_alias_with_a_wildcard(self):
        stream, sent, got = self.chat("cloud", "gpt-4o-mini", stream=True)
        self.assertEqual("".join(chunk.choices[0].delta.content for chunk in stream), dialects.TEXT)
        self.assert_renamed(sent, got, b'"gpt-4o-mini"', b'"openai/gpt-4o-mini"')
        self.assertEqual((got.facts["model-name"], got.facts["stream"]), ("openai/gpt-4o-mini", "true"))

    def test_an_adapter_goes_to_its_base_models_server_under_its_own_name(self):
        _, sent, got = self.chat("self-hosted", "food-review")
        self.assertEqual(got.body, sent.body)
        self.assertEqual((got.facts["model-name"], got.facts["base-model-name"]), ("food-review", "llama-3.1-8b"))

    def test_a_long_prompt_goes_to_the_server_with_the_longer_context(self):
        text = [{"role": "user", "content": "The quick brown fox jumps over the lazy dog. " * 2000}]
        for model, rename in (("llama-3.1-8b", (b"", b"")), ("fast", (b'"fast"', b'"llama-3.1-8b"'))):
            _, sent, got = self.through("long-context", lambda base: self.client(base).chat.completions.create(
                model=model, messages=text))
            self.assertEqual(got.body, sent.body.replace(*rename))
            self.assertEqual(got.facts["context"], "large")
            self.assertAlmostEqual(int(got.facts["prompt-tokens"]) / 20000, 1, delta=0.25)

    def test_an_image_is_no_long_prompt(self):
        image = "data:image/png;base64," + "iVBORw0KGgo" * 100000
        content = [{"type": "text", "text": "what is this?"}, {"type": "image_url", "image_url": {"url": image}}]
        _, sent, got = self.through("self-hosted", lambda base: self.client(base).chat.completions.create(
            model="fast", messages=[{"role": "user", "content": content}]))
        self.assert_renamed(sent, got, b'"fast"', b'"llama-3.1-8b"')
        self.assertEqual(got.facts["context"], "small")

    def test_tags_and_fallbacks_are_told_and_taken_out(self):
        _, sent, got = self.chat("self-hosted", "fast", metadata={"trace": "t-1"}, extra_body={
            "tags": ["beta"], "fallbacks": ["gpt-4o", "claude-latest"]}, extra_headers={"x-litellm-tags": "eu, beta"})
        self.assertEqual(json.loads(sent.body)["fallbacks"], ["gpt-4o", "claude-latest"])
        self.assertEqual(json.loads(got.body), self.LEFT)
        self.assertEqual((got.facts["tags"], got.facts["fallbacks"]), ("beta,eu", "openai/gpt-4o,claude-sonnet-5"))
        self.assertNotIn("x-litellm-tags", got.headers)

    def test_tags_in_the_metadata(self):
        _, _, got = self.chat("self-hosted", "fast", extra_body={"metadata": {"tags": ["a", "b"], "trace": "t-1"}})
        self.assertEqual(json.loads(got.body), self.LEFT)
        self.assertEqual(got.facts["tags"], "a,b")

    def test_embeddings(self):
        answer, sent, got = self.through("cloud", lambda base: self.client(base).embeddings.create(
            model="text-embedding-3-small", input=["a", "b"], encoding_format="float"))
        self.assertEqual((answer.data[0].embedding, got.path, got.body), (dialects.VECTOR, "/v1/embeddings", sent.body))

    def test_responses(self):
        answer, sent, got = self.through("cloud", lambda base: self.client(base).responses.create(
            model="gpt-4o", input="hello"))
        self.assertEqual((answer.output_text, got.path), (dialects.TEXT, "/v1/responses"))
        self.assert_renamed(sent, got, b'"gpt-4o"', b'"openai/gpt-4o"')

    def test_moderations(self):
        answer, sent, got = self.through("cloud", lambda base: self.client(base).moderations.create(
            model="omni-moderation-latest", input="hello"))
        self.assertEqual((answer.results[0].flagged, got.path, got.body), (True, "/v1/moderations", sent.body))

    def test_a_configured_path_and_a_prefix(self):
        for path in ("/ask", "/serving/team-a/llama/v1/chat/completions"):
            answer, sent, got = self.through("self-hosted", lambda base: openai.OpenAI(
                base_url=base, api_key=gateway.ALICE, max_retries=0).post(
                    path, body={"model": "fast", "messages": MESSAGES}, cast_to=object))
            self.assertEqual(answer["choices"][0]["message"]["content"], dialects.TEXT)
            self.assertEqual(got.path, path)
            self.assert_renamed(sent, got, b'"fast"', b'"llama-3.1-8b"')


class Forms(Case):
    """Files of 5 MiB in front of the model, or behind it, as clients do it."""

    def test_a_transcription(self):
        answer, sent, got = self.through("cloud", lambda base: self.client(base).audio.transcriptions.create(
            model="transcribe", file=("a.wav", FILE, "audio/wav"), extra_headers=FORM))
        self.assertEqual((answer.text, got.path), (dialects.TEXT, "/v1/audio/transcriptions"))
        self.assert_same_but_model(sent, got, b"transcribe", b"whisper-1")
        self.assertEqual(got.facts["model-name"], "whisper-1")

    def test_an_image_edit(self):
        answer, sent, got = self.through("cloud", lambda base: self.client(base).images.edit(
            model="picture", image=("a.png", FILE, "image/png"), prompt="a hat", extra_headers=FORM))
        self.assertEqual((answer.data[0].b64_json, got.path), ("aGVsbG8=", "/v1/images/edits"))
        self.assert_same_but_model(sent, got, b"picture", b"gpt-image-1")

    def test_the_model_behind_the_file_and_in_front_of_it(self):
        part = b"--the-same-each-time\r\ncontent-disposition: form-data; name=\"%s\"%s\r\n\r\n%s\r\n"
        file, model = part % (b"file", b"; filename=a.wav", FILE), part % (b"model", b"", b"transcribe")
        for parts in ((file, model), (model, file)):
            body = b"".join(parts) + b"--the-same-each-time--\r\n"
            for sent in (body, [body[at:at + 500009] for at in range(0, len(body), 500009)]):
                status, _, answer = self.raw("POST", "/v1/audio/transcriptions", sent, FORM)
                self.assertEqual((status, json.loads(answer)), (200, {"text": dialects.TEXT}))
                expected = body.replace(b"transcribe", b"whisper-1")
                self.assertEqual(digest(self.seen("cloud").body), digest(expected))

    def test_two_models_in_a_form(self):
        call = lambda client: client.audio.transcriptions.create(  # noqa: E731
            model="transcribe", file=("a.wav", FILE), extra_body={"Model": "gpt-image-1"})
        self.assertEqual(self.refused(openai.BadRequestError, call), (400, "duplicate_model"))

    def assert_same_but_model(self, sent, got, old, new):
        part = b'name="model"\r\n\r\n%s\r\n'
        self.assertEqual(sent.body.count(part % old), 1)
        self.assertGreater(len(sent.body), len(FILE))
        self.assertEqual(digest(got.body), digest(sent.body.replace(part % old, part % new)))


def digest(body):
    """Two of 5 MiB that differ are not to be printed."""
    return len(body), hashlib.sha256(body).hexdigest()


class Azure(Case):
    def azure(self, base, key=gateway.ALICE):
        client = openai.AzureOpenAI(azure_endpoint=base, azure_ad_token=key, api_version="2024-10-21", max_retries=0)
        self.addCleanup(client.close)
        return client

    def chat(self, name, model):
        return self.through(name, lambda base: self.azure(base).chat.completions.create(model=model, messages=MESSAGES))

    def test_the_deployment_is_the_model(self):
        answer, sent, got = self.chat("self-hosted", "llama-3.1-8b")
        self.assertEqual(answer.choices[0].message.content, dialects.TEXT)
        self.assertEqual(sent.path, "/openai/deployments/llama-3.1-8b/chat/completions?api-version=2024-10-21")
        self.assertEqual((got.path, got.body), (sent.path, sent.body))

    def test_an_alias_is_replaced_in_the_path_and_in_the_body(self):
        _, sent, got = self.chat("self-hosted", "fast")
        self.assertEqual(got.path, sent.path.replace("fast", "llama-3.1-8b"))
        self.assert_renamed(sent, got, b'"fast"', b'"llama-3.1-8b"')
        self.assertEqual(got.facts["model-name"], "llama-3.1-8b")

    def test_a_model_with_a_slash_stays_one_segment_of_the_path(self):
        _, sent, got = self.chat("cloud", "gpt-4o")
        self.assertEqual(got.path, sent.path.replace("gpt-4o", "openai%2Fgpt-4o"))
        self.assert_renamed(sent, got, b'"gpt-4o"', b'"openai/gpt-4o"')

    def test_refusals(self):
        for key, model, error, code in ((gateway.ALICE, "no-such-model", openai.NotFoundError, "model_not_found"),
                                        (gateway.BOB, "gpt-4o", openai.PermissionDeniedError, "model_not_allowed")):
            with self.assertRaises(error) as caught:
                self.azure(self.base, key).chat.completions.create(model=model, messages=MESSAGES)
            self.assertEqual(caught.exception.code, code)
        with self.assertRaises(openai.BadRequestError) as caught:
            self.azure(self.base).post("/deployments/fast/chat/completions", cast_to=object,
                                       body={"model": "claude-latest", "messages": MESSAGES})
        self.assertEqual(caught.exception.code, "duplicate_model")
        self.assert_nothing_arrived()


class Models(Case):
    def test_the_list_has_what_the_caller_may_use(self):
        models = {model.id: model for model in self.client(self.base, gateway.BOB).models.list()}
        self.assertEqual(set(models), {"llama-3.1-8b", "food-review", "fast"})
        self.assertEqual((models["llama-3.1-8b"].owned_by, models["llama-3.1-8b"].created), ("meta", 1721692800))
        self.assertEqual(models["food-review"].parent, "llama-3.1-8b")
        everything = {model.id for model in self.client(self.base).models.list()}
        self.assertLess(set(models) | {"claude-sonnet-5", "openai/gpt-4o"}, everything)
        self.assert_nothing_arrived()

    def test_one_model(self):
        for name in ("llama-3.1-8b", "openai/gpt-4o", "gpt-4o", "food-review"):
            self.assertEqual(self.client(self.base).models.retrieve(name).id, name)
        for key, name in ((gateway.ALICE, "no-such-model"), (gateway.BOB, "openai/gpt-4o"), (gateway.BOB, "gpt-4o")):
            self.assertEqual(self.refused(openai.NotFoundError, lambda client: client.models.retrieve(name), key),
                             (404, "model_not_found"))

    def test_nobody_gets_no_list(self):
        self.assertEqual(self.refused(openai.AuthenticationError, lambda client: client.models.list(), "sk-mallory"),
                         (401, "invalid_api_key"))


class Refusals(Case):
    def create(self, **more):
        return lambda client: client.chat.completions.create(**dict({"model": "fast", "messages": MESSAGES}, **more))

    def test_unknown_model(self):
        for more in ({}, {"stream": True}):
            self.assertEqual(self.refused(openai.NotFoundError, self.create(model="no-such-model", **more)),
                             (404, "model_not_found"))

    def test_a_wildcards_target_must_exist_too(self):
        self.assertEqual(self.refused(openai.NotFoundError, self.create(model="gpt-4.1")), (404, "model_not_found"))

    def test_forbidden_model(self):
        for more in ({"model": "gpt-4o"}, {"extra_body": {"fallbacks": ["gpt-4o"]}}):
            self.assertEqual(self.refused(openai.PermissionDeniedError, self.create(**more), gateway.BOB),
                             (403, "model_not_allowed"))

    def test_bad_bodies(self):
        for more, code in (({"Model": "gpt-4o"}, "duplicate_model"), ({"model": 7}, "missing_model"),
                           ({"model": None}, "missing_model"), ({"model": " fast"}, "invalid_model"),
                           ({"model": "x" * 257}, "invalid_model"), ({"stream": "true"}, "invalid_parameter"),
                           ({"tags": "beta"}, "invalid_parameter"), ({"fallbacks": [7]}, "invalid_parameter")):
            with self.subTest(more):
                self.assertEqual(self.refused(openai.BadRequestError, self.create(extra_body=more)), (400, code))

    def test_too_large_a_body(self):
        call = self.create(messages=[{"role": "user", "content": "x" * 9000000}])
        self.assertEqual(self.refused(openai.APIStatusError, call), (413, "request_too_large"))

    def test_an_encoded_body(self):
        call = self.create(extra_headers={"content-encoding": "zstd"})
        self.assertEqual(self.refused(openai.APIStatusError, call), (415, "unsupported_content_encoding"))


if __name__ == "__main__":
    unittest.main()
