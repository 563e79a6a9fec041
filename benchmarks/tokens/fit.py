"""Fits the weights of the prompt estimate: fit.py FOLDER writes filters/body-model/core/src/estimate/weights.rs.

Needs numpy 2 and scipy 1 beside requirements.txt.

FOLDER holds one <category>.txt per kind of text, its documents separated by lines of a NUL; every category counts the
same. None of it is shipped, nor is any of the corpus among it. A fourth of the documents is kept out, to tell the error.

Least squares: the tokens of a piece of text (the mean of o200k and Llama 3) are the sum of a weight for every pair of
neighbouring characters, by class, and of two weights for every character of another script. Errors are relative.
"""

import random
import sys
from pathlib import Path

import numpy
import scipy.sparse

import vocabularies

OUT = vocabularies.ROOT / "filters/body-model/core/src/estimate/weights.rs"
REFERENCE = ("o200k", "llama-3")
UNIT = 64
RIDGE = 1e-6
# ASCII by class: a string each, with letters apart. What is not listed (controls, DEL) is in the last.
ALONE = [chr(c) for c in range(ord("a"), ord("z") + 1)]
GROUPS = [
    "AEIOU", "BCDFGHJKLMNPQRSTVWXYZ", "0123456789", " ", "\n\r", "\t", "_", ".", ",", '"', "'`", "([{", ")]}",
    ":", ";!?", "/\\", "=<>", "-", "$%&+@^|~*#",
]
ASCII = ALONE + GROUPS
LATIN_1, LATIN_EXTENDED, OTHER, EDGE = range(len(ASCII), len(ASCII) + 4)
CLASSES = EDGE + 1
OF_ASCII = [next((n for n, g in enumerate(ASCII) if chr(c) in g), len(ASCII) - 1) for c in range(128)]
# Scripts: the first character of each range, its script; up to the next.
# The first is none: Latin letters have classes of their own.
SCRIPTS = ["none", "symbols", "greek", "cyrillic", "hebrew", "arabic", "indic", "thai", "hangul", "kana",
           "han", "punctuation", "emoji", "rare"]
RANGES = [
    (0x80, "symbols"), (0xC0, "latin-1"), (0x100, "latin"), (0x250, "rare"), (0x370, "greek"), (0x400, "cyrillic"),
    (0x530, "rare"), (0x590, "hebrew"), (0x600, "arabic"), (0x700, "rare"), (0x750, "arabic"), (0x780, "rare"),
    (0x8A0, "arabic"), (0x900, "indic"), (0xE00, "thai"), (0x10A0, "rare"), (0x1100, "hangul"), (0x1200, "rare"), (0x1E00, "latin"),
    (0x1F00, "greek"), (0x2000, "symbols"), (0x2600, "emoji"), (0x27C0, "symbols"), (0x2E80, "han"), (0x3000, "punctuation"),
    (0x3040, "kana"), (0x3100, "han"), (0xA000, "rare"), (0xAC00, "hangul"), (0xD7B0, "rare"), (0xF900, "han"),
    (0xFB00, "rare"), (0xFB50, "arabic"), (0xFE00, "symbols"), (0xFF00, "punctuation"), (0xFFF0, "rare"), (0x1F000, "emoji"),
    (0x1FB00, "rare"), (0x20000, "han"), (0x31350, "rare"),
]


def script(character):
    """The class of a Latin letter, or the index of a script."""
    return number([name for first, name in RANGES if first <= ord(character)][-1])


def number(name):
    return {"latin-1": LATIN_1, "latin": LATIN_EXTENDED}.get(name) or SCRIPTS.index(name)


_kinds = {}


def kind(character):
    """Its class, and the index of its script."""
    if character not in _kinds:
        code = ord(character)
        if code < 128:
            _kinds[character] = OF_ASCII[code], 0
        else:
            s = script(character)
            _kinds[character] = (OTHER, s) if s < len(SCRIPTS) else (s, 0)
    return _kinds[character]


def features(text):
    """Index -> how often: pairs of classes; behind them the scripts, each as the first and as a later of a run."""
    kinds = [kind(c) for c in text]
    classes = numpy.array([EDGE, *(c for c, _ in kinds), EDGE])
    found = [classes[:-1] * CLASSES + classes[1:]]
    before = 0
    for _, s in kinds:
        if s:
            found.append([CLASSES * CLASSES + 2 * s + (s == before)])
        before = s
    return numpy.unique(numpy.concatenate(found), return_counts=True)


def pieces(folder, counters, seed=5):
    """(category, document, text, tokens) of pieces as strings in requests are: mostly long, some short."""
    picked = random.Random(seed)
    for path in sorted(Path(folder).glob("*.txt")):
        for n, document in enumerate(path.read_text().split("\n\0\n")):
            at = 0
            while at < len(document):
                size = picked.choice([8, 25, 80, 300, 800, 1500, 1500])
                text = document[at : at + size * 2]
                cut = max(text.rfind(" ", 0, size + 1), text.rfind("\n", 0, size + 1))
                text = text[: cut if cut > 0 else size]
                at += len(text) + 1
                if text.strip():
                    counts = [counter(text) for counter in counters]
                    yield path.stem, n, text, sum(counts) / len(counts)


def main(folder):
    loaded = vocabularies.load()
    rows = list(pieces(folder, [loaded[name] for name in REFERENCE]))
    size = CLASSES * CLASSES + 2 * len(SCRIPTS)
    indices, counts, starts = [], [], [0]
    for _, _, text, _ in rows:
        index, count = features(text)
        indices.append(index)
        counts.append(count)
        starts.append(starts[-1] + len(index))
    matrix = scipy.sparse.csr_matrix((numpy.concatenate(counts), numpy.concatenate(indices), starts), shape=(len(rows), size))
    tokens = numpy.array([row[3] for row in rows])
    category = numpy.array([row[0] for row in rows])
    kept_out = numpy.array([row[1] % 4 == 0 and row[1] > 0 for row in rows])
    # Every category the same; within one, a piece by the root of its length: errors of short ones weigh less.
    weight = numpy.sqrt(tokens)
    for name in set(category):
        weight[category == name] /= weight[(category == name) & ~kept_out].sum()
    used = matrix[~kept_out]
    scale = numpy.sqrt(weight[~kept_out]) / tokens[~kept_out]
    scaled = scipy.sparse.diags(scale) @ used
    target = scale * tokens[~kept_out]
    # First by the second of each pair alone: that is what a pair costs of which there is little or no text.
    alone = numpy.zeros((size, CLASSES + 2 * len(SCRIPTS)))
    alone[range(CLASSES**2), [pair % CLASSES for pair in range(CLASSES**2)]] = 1
    alone[range(CLASSES**2, size), range(CLASSES, alone.shape[1])] = 1
    reduced = scaled @ alone
    prior = alone @ solve(reduced.T @ reduced, reduced.T @ target, numpy.full(alone.shape[1], 0.3), 1e-7)
    exact = solve((scaled.T @ scaled).toarray(), scaled.T @ target, prior, RIDGE)
    weights = numpy.clip(numpy.rint(exact * UNIT), 0, 255)
    print(f"{CLASSES} classes; the largest weight is {exact.max():.2f} tokens, {(exact * UNIT > 255).sum()} cut")
    estimate = matrix @ weights / UNIT
    long = numpy.array([len(row[2]) > 500 for row in rows])
    for name in sorted(set(category)):
        of = (category == name) & kept_out
        if not of.any():
            of = category == name
        error = (estimate[of] - tokens[of]) / tokens[of]
        print(f"{name:9} {estimate[of].sum() / tokens[of].sum() - 1:+6.1%} of {of.sum()} pieces, "
              f"±{numpy.std(error[long[of]]):.1%} long, ±{numpy.std(error[~long[of]]):.1%} short")
    write(weights.astype(int))


def solve(gram, target, prior, ridge, sweeps=300):
    """Least squares without negative weights, pulled towards `prior`: by coordinate descent.

    Nothing that is added to a text may make its estimate smaller, so no weight is negative.
    """
    gram = gram + numpy.eye(len(target)) * ridge
    target = target + ridge * prior
    weights = prior.copy()
    slope = gram @ weights - target
    for _ in range(sweeps):
        for n in range(len(weights)):
            new = max(weights[n] - slope[n] / gram[n, n], 0.0)
            if new != weights[n]:
                slope += gram[n] * (new - weights[n])
                weights[n] = new
    return weights


def table(numbers, width=None):
    rows = [numbers] if width is None else [numbers[n : n + width] for n in range(0, len(numbers), width)]
    return "\n".join("    " + " ".join(f"{n}," for n in row) for row in rows)


def write(weights):
    pairs = weights[: CLASSES * CLASSES].tolist()
    by_second = [pairs[second::CLASSES] for second in range(CLASSES)]
    scripts = weights[CLASSES * CLASSES :].reshape(-1, 2).tolist()
    OUT.parent.mkdir(exist_ok=True)
    OUT.write_text(f"""//! Weights of the estimate. Written by `benchmarks/tokens/fit.py`: not edited by hand.

/// Weights are in this part of a token.
pub(super) const UNIT: u64 = {UNIT};

/// Classes of characters.
pub(super) const CLASSES: usize = {CLASSES};

/// The class of Latin letters of U+00C0 to U+00FF.
pub(super) const LATIN_1: u8 = {LATIN_1};

/// The class of other Latin letters that are not ASCII.
pub(super) const LATIN_EXTENDED: u8 = {LATIN_EXTENDED};

/// The class of characters of all other scripts.
pub(super) const OTHER: u8 = {OTHER};

/// The class of what is before the first and behind the last character.
pub(super) const EDGE: u8 = {EDGE};

/// The class of each ASCII character.
#[rustfmt::skip]
pub(super) static OF_ASCII: [u8; 128] = [
{table(OF_ASCII, 32)}
];

/// What a character costs behind another: by its class, then by the class of the other.
#[rustfmt::skip]
pub(super) static PAIRS: [u8; CLASSES * CLASSES] = [
{table(sum(by_second, []), CLASSES)}
];

/// The characters that are not ASCII, by ranges that go on to the next: the first one's code point
/// shifted right by four, and an index of [`SCRIPTS`] or the class of Latin letters.
#[rustfmt::skip]
pub(super) static RANGES: [(u16, u8); {len(RANGES)}] = [
{chr(10).join(f"    ({first >> 4:#06x}, {number(name)})," for first, name in RANGES)}
];

/// What a character of each script costs beside that: the first of a run, and each further one.
#[rustfmt::skip]
pub(super) static SCRIPTS: [[u8; 2]; {len(SCRIPTS)}] = [
{chr(10).join(f"    [{a}, {b}], // {name}" for (a, b), name in zip(scripts, SCRIPTS))}
];
""")


if __name__ == "__main__":
    main(sys.argv[1])
