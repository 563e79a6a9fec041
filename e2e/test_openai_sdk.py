"""The official `openai` package against the quickstart: each provider looks like OpenAI to it."""

import json
import unittest

import gateway
import openai

WEATHER = {
    "type": "function",
    "function": {
        "name": "get_weather",
        "description": "the weather in a city",
        "parameters": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]},
    },
}


def setUpModule():
    global RUNNING
    RUNNING = gateway.start("openai-sdk")
    RUNNING.__enter__()
    unittest.addModuleCleanup(RUNNING.__exit__)


def user(text):
    return [{"role": "user", "content": text}]


class Provider:
    """What holds for a provider of any dialect; the classes below say which."""

    def setUp(self):
        self.client = gateway.client(RUNNING)
        self.addCleanup(self.client.close)

    def create(self, text, **more):
        return self.client.chat.completions.create(model=self.model, messages=user(text), **more)

    def assert_usage(self, usage, prompt, completion):
        found = (usage.prompt_tokens, usage.completion_tokens, usage.total_tokens)
        self.assertEqual(found, (prompt, completion, prompt + completion))

    def test_completion(self):
        answer = self.create("hello")
        self.assertEqual(answer.object, "chat.completion")
        self.assertEqual(answer.model, self.model)
        self.assertEqual(answer.choices[0].message.role, "assistant")
        self.assertEqual(answer.choices[0].message.content, self.text)
        self.assertEqual(answer.choices[0].finish_reason, "stop")
        self.assert_usage(answer.usage, *self.tokens)
        path, body = RUNNING.last_request(self.provider)
        self.assertEqual((path, body["model"]), (self.path, self.upstream_model))

    def test_stream_with_usage(self):
        chunks = list(self.create("hello", stream=True, stream_options={"include_usage": True}))
        choices = [chunk.choices[0] for chunk in chunks if chunk.choices]
        self.assertEqual("".join(choice.delta.content or "" for choice in choices), self.text)
        self.assertGreater(len(choices), 2, "the text came in pieces")
        self.assertEqual({chunk.model for chunk in chunks}, {self.model})
        self.assertEqual([choice.finish_reason for choice in choices if choice.finish_reason], ["stop"])
        self.assertEqual(len({chunk.id for chunk in chunks}), 1)
        self.assertEqual(chunks[-1].choices, [])
        self.assert_usage(chunks[-1].usage, *self.tokens)

    def test_stream_without_usage_has_no_extra_chunk(self):
        chunks = list(self.create("hello", stream=True))
        self.assertTrue(all(chunk.choices for chunk in chunks), "the gateway asked for usage; its client did not")
        self.assertEqual("".join(chunk.choices[0].delta.content or "" for chunk in chunks), self.text)

    def test_tool_call(self):
        answer = self.create("what is the weather in Brno?", tools=[WEATHER])
        self.assertEqual(answer.choices[0].finish_reason, "tool_calls")
        (call,) = answer.choices[0].message.tool_calls
        self.assertEqual((call.type, call.function.name), ("function", "get_weather"))
        self.assertEqual(json.loads(call.function.arguments), {"city": "Brno", "unit": "celsius"})
        self.assert_usage(answer.usage, 31, 17)

    def test_tool_result_gets_an_answer(self):
        question = self.create("what is the weather in Brno?", tools=[WEATHER])
        call = question.choices[0].message
        messages = user("what is the weather in Brno?") + [
            call.model_dump(exclude_none=True),
            {"role": "tool", "tool_call_id": call.tool_calls[0].id, "content": "21 degrees"},
        ]
        answer = self.client.chat.completions.create(model=self.model, messages=messages, tools=[WEATHER])
        self.assertEqual(answer.choices[0].message.content, "It is 21 degrees in Brno.")

    def test_streamed_tool_call(self):
        name, arguments, ids, reasons = "", "", set(), []
        for chunk in self.create("what is the weather in Brno?", tools=[WEATHER], stream=True):
            for choice in chunk.choices:
                reasons += [choice.finish_reason] if choice.finish_reason else []
                for call in choice.delta.tool_calls or []:
                    self.assertEqual(call.index, 0)
                    ids |= {call.id} if call.id else set()
                    name += call.function.name or ""
                    arguments += call.function.arguments or ""
        self.assertEqual(name, "get_weather")
        self.assertEqual(json.loads(arguments), {"city": "Brno", "unit": "celsius"})
        self.assertEqual(len(ids), 1)
        self.assertEqual(reasons, ["tool_calls"])

    def test_error_of_the_provider_is_a_bad_request(self):
        with self.assertRaises(openai.BadRequestError) as caught:
            self.create("refuse this")
        self.assertIn("the simulated model refuses this", caught.exception.message)
        self.assertEqual(caught.exception.type, "invalid_request_error")

    def test_error_of_the_provider_to_a_stream_is_a_bad_request(self):
        with self.assertRaises(openai.BadRequestError):
            self.create("refuse this", stream=True)

    def test_tokens_are_counted(self):
        def counted():
            return sum(float(line.rsplit(" ", 1)[1]) for line in RUNNING.stats()
                       if "tollgate_tokens" in line and '"%s"' % self.model in line)

        before = counted()
        self.create("hello")
        list(self.create("hello", stream=True))
        self.assertEqual(counted() - before, 2 * sum(self.tokens))


class SelfHosted(Provider, unittest.TestCase):
    """An OpenAI-compatible server, such as vLLM."""

    provider, path, upstream_model = "self-hosted", "/v1/chat/completions", "meta-llama/Llama-3.1-8B-Instruct"
    model, tokens = gateway.SELF_HOSTED, (12, 9)
    text = "Hello from the model on your own hardware."

    def test_alias_is_the_name_that_the_client_sees(self):
        answer = self.client.chat.completions.create(model="fast", messages=user("hello"))
        self.assertEqual((answer.model, answer.choices[0].message.content), ("fast", self.text))
        self.assertEqual(RUNNING.last_request("self-hosted")[1]["model"], self.upstream_model)


class Anthropic(Provider, unittest.TestCase):
    """Anthropic's Messages API."""

    provider, path, upstream_model = "anthropic", "/v1/messages", "claude-sonnet-4-5-20250929"
    model, tokens = gateway.CLAUDE, (19, 11)
    text = "Hello from Claude, through an OpenAI endpoint."


class Refusals(unittest.TestCase):
    """The error classes that the client raises for what the gateway refuses."""

    def refusal(self, error, key=gateway.ALICE, model=gateway.SELF_HOSTED, **more):
        with gateway.client(RUNNING, key) as client, self.assertRaises(error) as caught:
            client.chat.completions.create(model=model, messages=user("hello"), **more)
        return caught.exception

    def test_wrong_key(self):
        error = self.refusal(openai.AuthenticationError, key="sk-demo-mallory")
        self.assertEqual((error.status_code, error.code), (401, "invalid_api_key"))

    def test_no_key(self):
        error = self.refusal(openai.AuthenticationError, extra_headers={"authorization": openai.omit})
        self.assertEqual((error.status_code, error.code), (401, "invalid_api_key"))
        self.assertIn("www-authenticate", error.response.headers)

    def test_forbidden_model(self):
        error = self.refusal(openai.PermissionDeniedError, key=gateway.BOB, model=gateway.CLAUDE)
        self.assertEqual((error.status_code, error.code), (403, "model_not_allowed"))

    def test_unknown_model(self):
        error = self.refusal(openai.NotFoundError, model="no-such-model")
        self.assertEqual((error.status_code, error.code), (404, "model_not_found"))

    def test_model_that_is_no_string(self):
        error = self.refusal(openai.BadRequestError, extra_body={"model": 7})
        self.assertEqual((error.status_code, error.code), (400, "missing_model"))

    def test_too_large_a_body(self):
        with gateway.client(RUNNING) as client, self.assertRaises(openai.APIStatusError) as caught:
            client.chat.completions.create(model=gateway.SELF_HOSTED, messages=user("x" * 2_000_000))
        self.assertEqual((caught.exception.status_code, caught.exception.code), (413, "request_too_large"))

    def test_a_header_of_the_client_chooses_no_model(self):
        with gateway.client(RUNNING, gateway.BOB) as client:
            answer = client.chat.completions.create(model=gateway.SELF_HOSTED, messages=user("hello"),
                                                    extra_headers={"x-gateway-model-name": gateway.CLAUDE})
        self.assertEqual(answer.choices[0].message.content, SelfHosted.text)

    def test_refused_streams_raise_the_same(self):
        self.refusal(openai.NotFoundError, model="no-such-model", stream=True)

    def test_path_that_is_no_endpoint(self):
        with gateway.client(RUNNING) as client, self.assertRaises(openai.NotFoundError) as caught:
            client.post("/no/such/path", cast_to=object, body={})
        self.assertEqual(caught.exception.type, "invalid_request_error")


if __name__ == "__main__":
    unittest.main()
