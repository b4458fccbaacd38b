"""Simplified texts, shingles and signatures beside those of datatrove 0.10 itself.

Film reviews are compared where MILLRACE_SHARED_DATA names the folder of public test collections.
"""

import itertools
import json
import random
import subprocess
import sys
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
import zstandard

from pipelines.kernels.datatrove_minhash import datatrove_shingles, datatrove_signatures
from pipelines.kernels.decoded import text_batch
from pipelines.kernels.simplify import simplify_texts

ROOT = Path(__file__).parents[2]
PYTHON = ROOT / ".venv-peers/bin/python"
sys.path.insert(0, str(ROOT / "tests/pipelines"))

from spacy_strings import hard_strings  # noqa: E402

pytestmark = [
    pytest.mark.peer,
    pytest.mark.skipif(not PYTHON.exists(), reason="datatrove is not in .venv-peers"),
]
HASHES = ["xxhash64", "xxhash32", "sha1-64", "sha1-32"]
SIGNATURES = """
import importlib.metadata, json, sys, tempfile
from datatrove.pipeline.dedup.minhash import MinhashConfig, MinhashDedupSignature
from datatrove.utils.hashing import HashConfig

assert importlib.metadata.version("datatrove") == "0.10.0"
texts, answers = json.load(sys.stdin), {}
for name in ("xxhash64", "xxhash32", "sha1-64", "sha1-32"):
    hashing = HashConfig(precision=int(name[-2:]), hash_fc=name[:-2].rstrip("-"))
    one = MinhashDedupSignature(tempfile.mkdtemp(), MinhashConfig(hash_config=hashing))
    answers[name] = []
    for text in texts:
        shingles = one.get_shingles(text)
        signature = one.get_signature(shingles) if shingles.size else None
        answers[name].append([shingles.ravel().tolist(), signature])
json.dump(answers, sys.stdout)
"""
SIMPLIFIED = """
import json, sys
from datatrove.utils.text import simplify_text
json.dump([simplify_text(text) for text in json.load(sys.stdin)], sys.stdout)
"""
DIGESTS = """
import hashlib, json, sys, xxhash
answers = []
for data in map(bytes, json.load(sys.stdin)):
    sha1 = int.from_bytes(hashlib.sha1(data).digest()[:8], "little")
    answers.append([xxhash.xxh64_intdigest(data), xxhash.xxh32_intdigest(data), sha1])
json.dump(answers, sys.stdout)
"""


def ask(program, asked):
    done = subprocess.run(
        [PYTHON, "-c", program], input=json.dumps(asked), capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr[-3000:]
    return json.loads(done.stdout)


def codes_of(texts):
    return text_batch(pa.array(texts, pa.string())).codes


def assert_signatures_agree(texts):
    """Compare all four hashes; return how many texts have a signature."""
    answers = ask(SIGNATURES, texts)
    codes = codes_of(texts)
    for name in HASHES:
        shingles = datatrove_shingles(codes, name)
        signatures = datatrove_signatures(shingles, name)
        for row, (hashes, signature) in enumerate(answers[name]):
            start, end = shingles.offsets[row : row + 2]
            assert shingles.hashes[start:end].tolist() == hashes, (name, texts[row][:300])
            assert (signature is None) == (start == end)
            assert signature is None or signatures[row].tolist() == signature, texts[row][:300]
    return sum(signature is not None for _, signature in answers[HASHES[0]])


def assert_simplified_agree(texts):
    codes = simplify_texts(codes_of(texts))
    for row, expected in enumerate(ask(SIMPLIFIED, texts)):
        ours = codes.codes[codes.offsets[row] : codes.offsets[row + 1]]
        assert "".join(map(chr, ours)) == expected, repr(texts[row][:300])


def some_texts(num_texts, seed):
    """Return texts of hard strings, of numbers and of a few words that come again."""
    draw = random.Random(seed)
    hard = hard_strings(num_texts * 3, seed)
    words = ["The", "mill", "turns", "1,234.5", "Ünïted", "ΟΔΟΣ", "3.4.5", "it's", "2٫5", "％１"]
    texts = []
    for number in range(num_texts):
        drawn = draw.choices([*words, *hard[3 * number : 3 * number + 3]], k=draw.randrange(40))
        texts.append(draw.choice([" ", "\n", "  "]).join(drawn))
    return texts


def test_signatures_of_made_texts():
    assert assert_signatures_agree(["", "one two three four", *some_texts(1_500, 3)]) > 1_000


def test_signatures_of_film_reviews(shared_data):
    path = shared_data / "imdb-unsup/imdb_unsup.jsonl.zst"
    with zstandard.open(path, "rt", encoding="utf-8") as lines:
        texts = [json.loads(line)["text"] for line in itertools.islice(lines, 1_000)]
    assert assert_signatures_agree(texts) == 1_000


def test_every_character_is_simplified_as_by_datatrove():
    chars = [chr(code) for code in range(0x110000) if not 0xD800 <= code < 0xE000]
    texts = [char + text for char in chars for text in ("", "Σ", "a")]
    texts = ["x".join(texts[at : at + 300]) for at in range(0, len(texts), 300)]
    assert_simplified_agree([*texts, *(f"a{char}Σ{char}" for char in chars[:0x3000])])


def test_orders_of_marks_and_sigmas_and_numbers():
    draw = random.Random(5)
    alphabet = "\u302e\u1b44\U00016ff0\U0001d165\U0001d16d\U0001d172\u0301\u0334\u093f"
    alphabet += "가İΣσAa'·\u00ad ."
    texts = ["".join(draw.choices(alphabet, k=draw.randrange(24))) for _ in range(30_000)]
    digits = "19٣１,.،٫⎖a \u0301"
    texts += ["".join(draw.choices(digits, k=draw.randrange(16))) for _ in range(30_000)]
    assert_simplified_agree(texts)


def test_hashes_of_bytes_are_those_of_the_libraries():
    from pipelines.kernels.sha1 import sha1_64, sha1_scratch
    from pipelines.kernels.xxhash import xxh32, xxh64

    data = np.frombuffer(random.Random(6).randbytes(400), dtype=np.uint8)
    ranges = [(start, start + size) for start in (0, 3) for size in range(300)]
    expected = ask(DIGESTS, [data[start:end].tolist() for start, end in ranges])
    scratch = sha1_scratch()
    for (start, end), values in zip(ranges, expected, strict=True):
        ours = [xxh64(data, start, end), xxh32(data, start, end)]
        assert [*map(int, ours), int(sha1_64(data, start, end, *scratch))] == values


def test_the_table_is_that_of_the_installed_datatrove(tmp_path):
    from pipelines.kernels.simplify_table import TABLE_PATH

    path = tmp_path / "table.npz"
    program = "import sys; from pathlib import Path; from tools import "
    program += "build_simplify_table as made; made.build(Path(sys.argv[1]))"
    subprocess.run([PYTHON, "-c", program, path], cwd=ROOT, check=True)
    with np.load(path) as built, np.load(TABLE_PATH) as kept:
        assert built.files == kept.files
        for name in built.files:
            assert np.array_equal(built[name], kept[name]), name
