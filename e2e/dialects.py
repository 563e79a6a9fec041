"""What a provider of each dialect answers, so that its own SDK is content with it. The path says which it is."""

import json
import struct
import zlib

import recorder

TEXT = "Hello from the provider."
USAGE = {"prompt_tokens": 7, "completion_tokens": 3, "total_tokens": 10}
VECTOR = [0.5, -0.25]


def answer(handler):
    """Answers the request of a `recorder.Recorder`'s handler."""
    path, body = handler.path.split("?")[0], bytes(handler.body)
    stream = b'"stream":true' in body.replace(b" ", b"")
    for end, content in ANSWERS:
        if path.endswith(end):
            content = content(stream) if callable(content) else content
            if isinstance(content, bytes):
                kind = "application/vnd.amazon.eventstream" if end == "/converse-stream" else "text/event-stream"
                return recorder.send(handler, 200, content, kind)
            return recorder.send(handler, 200, json.dumps(content).encode())
    return recorder.send(handler, 404, b'{"error":{"message":"the provider has no such path","type":"not_found"}}')


def chat(stream):
    head = {"id": "chatcmpl-1", "created": 1, "model": "as-the-provider-says"}
    if stream:
        choices = [{"index": 0, "delta": {"content": text}, "finish_reason": why}
                   for text, why in ((TEXT[:5], None), (TEXT[5:], "stop"))]
        chunks = [dict(head, object="chat.completion.chunk", choices=[choice]) for choice in choices]
        return b"".join(b"data: %s\n\n" % json.dumps(each).encode() for each in chunks) + b"data: [DONE]\n\n"
    message = {"role": "assistant", "content": TEXT}
    return dict(head, object="chat.completion", usage=USAGE,
                choices=[{"index": 0, "message": message, "finish_reason": "stop"}])


def message(stream):
    head = {"id": "msg_1", "type": "message", "role": "assistant", "model": "claude", "stop_reason": None,
            "stop_sequence": None, "usage": {"input_tokens": 7, "output_tokens": 1}}
    if not stream:
        return dict(head, content=[{"type": "text", "text": TEXT}], stop_reason="end_turn")
    events = [{"type": "message_start", "message": dict(head, content=[])},
              {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}},
              {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": TEXT}},
              {"type": "content_block_stop", "index": 0},
              {"type": "message_delta", "delta": {"stop_reason": "end_turn"}, "usage": {"output_tokens": 3}},
              {"type": "message_stop"}]
    return b"".join(b"event: %s\ndata: %s\n\n" % (each["type"].encode(), json.dumps(each).encode()) for each in events)


def event(kind, content):
    """A message of Amazon's event stream."""
    headers = b"".join(struct.pack("!B%dsBH%ds" % (len(name), len(value)), len(name), name, 7, len(value), value)
                       for name, value in ((b":message-type", b"event"), (b":event-type", kind.encode()),
                                           (b":content-type", b"application/json")))
    payload = json.dumps(content).encode()
    prelude = struct.pack("!II", len(headers) + len(payload) + 16, len(headers))
    whole = prelude + struct.pack("!I", zlib.crc32(prelude)) + headers + payload
    return whole + struct.pack("!I", zlib.crc32(whole))


GENERATED = {"candidates": [{"content": {"role": "model", "parts": [{"text": TEXT}]}, "finishReason": "STOP"}],
             "usageMetadata": {"promptTokenCount": 7, "candidatesTokenCount": 3, "totalTokenCount": 10}}
CONVERSED = {"output": {"message": {"role": "assistant", "content": [{"text": TEXT}]}}, "stopReason": "end_turn",
             "usage": {"inputTokens": 7, "outputTokens": 3, "totalTokens": 10}, "metrics": {"latencyMs": 1}}
RESPONSE = {"id": "resp_1", "object": "response", "created_at": 1, "model": "x", "status": "completed", "error": None,
            "incomplete_details": None, "instructions": None, "metadata": {}, "parallel_tool_calls": True,
            "temperature": 1, "tool_choice": "auto", "tools": [], "top_p": 1,
            "output": [{"type": "message", "id": "msg_1", "role": "assistant", "status": "completed",
                        "content": [{"type": "output_text", "text": TEXT, "annotations": []}]}]}
# By how paths end; the first that fits.
ANSWERS = [
    ("/chat/completions", chat),
    ("/ask", chat),
    ("/embeddings", {"object": "list", "data": [{"object": "embedding", "index": 0, "embedding": VECTOR}],
                     "model": "x", "usage": {"prompt_tokens": 7, "total_tokens": 7}}),
    ("/responses", RESPONSE),
    ("/moderations", {"id": "modr-1", "model": "x", "results": [{"flagged": True, "categories": {},
                                                                "category_scores": {},
                                                                "category_applied_input_types": {}}]}),
    ("/images/edits", {"created": 1, "data": [{"b64_json": "aGVsbG8="}]}),
    ("/audio/transcriptions", {"text": TEXT}),
    ("/v1/messages", message),
    ("/count_tokens", {"input_tokens": 7}),
    (":generateContent", GENERATED),
    (":streamGenerateContent", b"data: %s\r\n\r\n" % json.dumps(GENERATED).encode()),
    (":countTokens", {"totalTokens": 7}),
    (":embedContent", {"embedding": {"values": VECTOR}}),
    (":batchEmbedContents", {"embeddings": [{"values": VECTOR}]}),
    ("/converse", CONVERSED),
    ("/converse-stream", event("messageStart", {"role": "assistant"})
     + event("contentBlockDelta", {"contentBlockIndex": 0, "delta": {"text": TEXT}})
     + event("contentBlockStop", {"contentBlockIndex": 0}) + event("messageStop", {"stopReason": "end_turn"})),
    ("/invoke", {"content": [{"type": "text", "text": TEXT}]}),
    ("/healthz", {"status": "ok"}),
    ("/v1/models", {"object": "list", "data": []}),
]
