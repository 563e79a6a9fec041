"""Chat requests of a given size, with the model where a benchmark wants it; the same bytes on every run."""

import base64
import json
import random

MODEL = "llama-3.1-8b"
WORDS = ("the gateway reads a request once and sends it on to where the model lives which is not always where it was "
         "yesterday plain size Tokyo \"quoted\" C:\\path $5 {x} [y] don't e.g. 3.14 ->").split()
# A sixth of the words, so that hardly a line is ASCII.
INTERNATIONAL = " ".join(WORDS).replace("plain size Tokyo", "naïve Größe 東京").replace("->", "→").split()


def text(size):
    """A chat of about `size` bytes whose first member is the model."""
    return members(("model", MODEL), ("temperature", 0.2), ("messages", messages(size)))


def text_model_last(size):
    """The same with the model behind all the text."""
    return members(("temperature", 0.2), ("messages", messages(size)), ("model", MODEL))


def international(size):
    """As text, but in UTF-8 that is not all ASCII."""
    return members(("model", MODEL), ("temperature", 0.2), ("messages", messages(size, INTERNATIONAL)))


def image_model_last(size):
    """A chat with one image, and the model behind it."""
    picture = base64.b64encode(random.Random(1).randbytes(size * 3 // 4 - 300)).decode()
    content = [{"type": "text", "text": "What is in this picture?"},
               {"type": "image_url", "image_url": {"url": "data:image/png;base64," + picture}}]
    return members(("messages", [{"role": "user", "content": content}]), ("model", MODEL))


def messages(size, vocabulary=tuple(WORDS)):
    """Turns of a chat with some code in it: an escape about every 30 bytes of a string."""
    words, turns, left = random.Random(1), [], size - 100
    while left > 0:
        goal, lines, length = min(left, 2000), [], 0
        while length < goal - 60:
            line = " ".join(words.choices(vocabulary, k=14))
            lines.append(line)
            length += len(line.encode()) + 6
        turns.append({"role": "user" if len(turns) % 2 == 0 else "assistant", "content": "\n".join(lines)})
        left -= length + 60
    return turns


def members(*pairs):
    # As current clients send it: UTF-8, no spaces.
    return json.dumps(dict(pairs), ensure_ascii=False, separators=(",", ":")).encode()
