"""Compares the prompt estimate of body-model with real tokenizers, on the texts of corpus/.

    python3 -m venv target/tokens/venv
    target/tokens/venv/bin/pip install -r benchmarks/tokens/requirements.txt
    target/tokens/venv/bin/python benchmarks/tokens/measure.py

Writes counts.json, which body-model-core's tests compare the estimate with, and prints a table in Markdown. Needs npm,
and the registries of PyPI and npm the first time.

What a `.request.json` really has, is told without any model's template: the text of its messages, 3 tokens and its role
per message, 3 for the answer (as OpenAI counts them), and the tools as `json.dumps` writes them (as most templates do).
"""

import json
import subprocess
from statistics import fmean

import vocabularies

HERE = vocabularies.ROOT / "benchmarks" / "tokens"
GROUPS = {
    "English": ["english-story", "english-essay", "markdown"],
    "code": ["c", "javascript", "json", "python", "rust"],
    "requests": ["chat.request", "image.request", "tools.request"],
    "European": ["french", "german", "spanish", "russian"],
    "Asian": ["arabic", "chinese", "hebrew", "hindi", "japanese", "korean"],
    "no words": ["emoji-chat", "logs", "numbers"],
}


def main():
    loaded = vocabularies.load()
    paths = {path.name.removesuffix(".txt").removesuffix(".json"): path for path in sorted((HERE / "corpus").iterdir())}
    assert sorted(paths) == sorted(sum(GROUPS.values(), [])), "every text of the corpus is in a group"
    counts = {name: {t: count(path, tokens) for t, tokens in loaded.items()} for name, path in paths.items()}
    rows = (f'  "{paths[name].name}": {json.dumps(of)}' for name, of in counts.items())
    (HERE / "counts.json").write_text("{\n" + ",\n".join(rows) + "\n}\n")
    estimates = dict(zip(paths, estimate(paths.values()), strict=True))

    print("| text | bytes | estimate |", *(f" {t} |" for t in loaded), sep="")
    print("|---|--:|--:|", "--:|" * len(loaded), sep="")
    for group in GROUPS.values():
        for name in group:
            size = paths[name].stat().st_size
            cells = (f" {real:,} {error(estimates[name], real):+.0%} |" for real in counts[name].values())
            print(f"| {name} | {size:,} | {estimates[name]:,} |", *cells, sep="")
    print()
    print("| mean error (mean of its size, worst) |", *(f" {t} |" for t in loaded), sep="")
    print("|---|", "--:|" * len(loaded), sep="")
    for group, names in [*GROUPS.items(), ("all", list(paths))]:
        cells = []
        for t in loaded:
            errors = [error(estimates[name], counts[name][t]) for name in names]
            worst = max(errors, key=abs)
            cells.append(f" {fmean(errors):+.0%} ({fmean(map(abs, errors)):.0%}, {worst:+.0%}) |")
        print(f"| {group} |", *cells, sep="")
    # English and code are what prompts mostly are.
    mostly = GROUPS["English"] + GROUPS["code"]
    cells = (f" {sum(counts[n][t] for n in mostly) / sum(estimates[n] for n in mostly):.2f} |" for t in loaded)
    print("| factor, by English and code |", *cells, sep="")
    cells = (f" {max(counts[n][t] / estimates[n] for n in paths):.2f} |" for t in loaded)
    print("| factor that never estimates too low here |", *cells, sep="")


def error(estimate, real):
    return estimate / real - 1


def count(path, tokens):
    if not path.name.endswith(".request.json"):
        return tokens(path.read_text())
    request = json.loads(path.read_text())
    total = 3
    for message in request["messages"]:
        content = message["content"]
        parts = [content] if isinstance(content, str) else [part["text"] for part in content if part["type"] == "text"]
        total += 3 + tokens(message["role"]) + sum(map(tokens, parts))
    return total + sum(tokens(json.dumps(tool)) for tool in request.get("tools", []))


def estimate(paths):
    command = ["cargo", "run", "-q", "-p", "body-model-core", "--example", "estimate", "--", *paths]
    out = subprocess.run(command, cwd=vocabularies.ROOT, check=True, text=True, stdout=subprocess.PIPE).stdout
    return [int(line.split()[0]) for line in out.splitlines()]


if __name__ == "__main__":
    main()
