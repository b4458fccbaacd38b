"""Ids against SentencePiece's own: options, hostile texts, real texts, small tables."""

import gzip
import json
import random
import re
import tarfile
from itertools import product

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st
from models import train
from sentencepiece import SentencePieceProcessor
from small_corpus import real_texts

from data_contracts.errors import Damaged, InputError, UsageError
from pipelines.kernels.chunk_table import empty_table
from pipelines.tokenizer import encoder as module
from pipelines.tokenizer import new_chunks, unigram_chunks
from pipelines.tokenizer.encoder import ChunkEncoder

OURS = {
    "byte_fallback": True,
    "split_digits": True,
    "remove_extra_whitespaces": False,
    "add_dummy_prefix": False,
    "allow_whitespace_only_pieces": True,
    "user_defined_symbols": ["\n", "\t"],
    "bos_id": 1,
    "eos_id": 2,
    "pad_id": 3,
}
SYMBOLS = {"none": [], "lines": ["\n", "\t"], "odd": ["<s>x", "▁▁", "\n\n", "aab"]}
HOSTILE = [
    *"ab \u2581\n\t.,-01é中文\u0301\u200d\ufeff\0\u3000\U0010ffff\U0001f44d\u202e\x85",
    *["<s>", "<0x41>", "<s>x", "the ", "  ", "self", "\r\n", "import ", "▁▁", "----", "0" * 300],
]
TEXTS = st.lists(
    st.lists(st.one_of(st.sampled_from(HOSTILE), st.text(max_size=3)), max_size=12).map("".join),
    max_size=6,
)


def differences(encoder, oracle, texts):
    """Return the texts whose ids are not SentencePiece's."""
    found = encoder.encode(pa.array(texts, pa.string()))
    assert found.offsets[0] == 0
    assert found.offsets[-1] == found.ids.size
    expected = oracle.encode(list(texts), return_type="numpy")
    bounds = zip(found.offsets[:-1], found.offsets[1:], strict=True)
    ours = [found.ids[start:end] for start, end in bounds]
    pairs = zip(texts, ours, expected, strict=True)
    return [text for text, mine, theirs in pairs if not np.array_equal(mine, theirs)]


def combinations():
    """Yield some of all combinations of options, each value of each with each type of model."""
    names = ["byte_fallback", "add_dummy_prefix", "remove_extra_whitespaces", "split_digits",
             "split_by_whitespace", "treat_whitespace_as_suffix", "allow_whitespace_only_pieces",
             "split_by_unicode_script"]  # fmt: skip
    every = list(product(["bpe", "unigram"], SYMBOLS, *[[False, True]] * len(names)))
    for model_type, symbols, *values in random.Random(7).sample(every, 24):
        options = dict(zip(names, values, strict=True))
        yield {"model_type": model_type, "user_defined_symbols": SYMBOLS[symbols], **options}


@pytest.fixture(scope="module", params=["bpe", "unigram"])
def ours(request):
    return train(1200, model_type=request.param, **OURS)


@pytest.mark.parametrize("options", list(combinations()), ids=str)
def test_ids_are_sentencepieces_whatever_the_options(options):
    model = train(400, **options)
    encoder, oracle = (
        ChunkEncoder(model),
        SentencePieceProcessor(model_proto=model),
    )
    draw = random.Random(1)
    texts = ["".join(draw.choices(HOSTILE, k=draw.randint(0, 12))) for _ in range(1500)]
    assert differences(encoder, oracle, texts) == []
    assert differences(encoder, oracle, real_texts()[:8]) == []
    assert encoder.num_texts == 1508
    if options["model_type"] == "bpe" and not encoder.why_whole:
        assert encoder.num_whole == 0


def test_each_value_of_an_option_is_tried_with_each_type_of_model():
    tried = [
        {**one, "user_defined_symbols": str(one["user_defined_symbols"])} for one in combinations()
    ]
    found = {(one["model_type"], name, value) for one in tried for name, value in one.items()}
    num_options = len(tried[0]) - 2  # of two values, besides the type and the symbols
    assert len(found) == 2 * (1 + len(SYMBOLS) + 2 * num_options)


def test_ids_of_hostile_texts_are_sentencepieces(ours):
    encoder, oracle = ChunkEncoder(ours), SentencePieceProcessor(model_proto=ours)
    seen = 0

    @given(TEXTS)
    def check(texts):
        nonlocal seen
        assert differences(encoder, oracle, texts) == []
        seen += len(texts)

    check()
    assert seen > 0


def test_portions_and_a_table_that_begins_again_change_nothing(ours, monkeypatch):
    oracle, texts = SentencePieceProcessor(model_proto=ours), real_texts()
    plain = ChunkEncoder(ours)
    assert differences(plain, oracle, texts) == []
    monkeypatch.setattr(module, "PORTION", 61)
    monkeypatch.setattr(module, "_FEWEST_SLOTS", 256)
    small = ChunkEncoder(ours, max_table_bytes=20_000)
    assert differences(small, oracle, texts) == []
    assert small.num_new > 2 * plain.num_new > 0  # it has forgotten
    assert small.table_bytes < plain.table_bytes
    grown = ChunkEncoder(ours)
    assert differences(grown, oracle, texts) == []
    assert grown.num_new == plain.num_new


def test_the_table_begins_again_at_its_limit_though_its_slots_do_not_fill(ours, monkeypatch):
    """It is looked at before each portion, and its arrays grow by a quarter."""
    monkeypatch.setattr(module, "PORTION", 61)
    empty = empty_table(module._FEWEST_SLOTS).size_bytes
    limit, sizes = empty + 200_000, []
    encoder = ChunkEncoder(ours, max_table_bytes=limit)
    for number in range(60):
        draw = random.Random(number)
        encoder.encode(pa.array(["".join(draw.choices("estinra", k=200)) for _ in range(60)]))
        sizes.append(encoder.table_bytes)
    assert empty + 100_000 < max(sizes) < limit * 5 // 4
    assert sizes[-1] < max(sizes)  # it has begun again
    assert encoder.num_chunks >= encoder.num_new > 10_000


LONG = ["war.gz ", "iana ", "self.", "the ", "--", "==== ", "x" * 700, "\u3042", "\n", " 1 ", "é "]


@pytest.mark.parametrize("symbols", [[], ["--", "self", "x" * 700]], ids=["plain", "symbols"])
def test_long_texts_of_a_unigram_model_begin_sums_again_as_sentencepiece_does(symbols):
    options = {name: OURS[name] for name in OURS if name != "user_defined_symbols"}
    model = train(500, model_type="unigram", user_defined_symbols=symbols, **options)
    encoder, oracle = ChunkEncoder(model), SentencePieceProcessor(model_proto=model)
    draw = random.Random(3)
    texts = ["".join(draw.choices(LONG, k=15_000)) for _ in range(3)]
    texts += ["".join(draw.choices(LONG[:6], k=30_000)), "--" * 600_000, "xy" * 40_000]
    assert differences(encoder, oracle, texts) == []
    assert encoder.why_whole is None
    assert encoder.num_searched > 0


def test_most_texts_are_encoded_by_their_chunks(ours):
    encoder = ChunkEncoder(ours)
    encoder.encode(pa.array(real_texts()))
    assert encoder.why_whole is None
    assert encoder.num_whole == 0
    asked = encoder.num_new
    encoder.encode(pa.array(real_texts()))
    assert encoder.num_new == asked > 1000


@pytest.mark.parametrize(
    ("options", "why"),
    [
        ({"normalization_rule_name": "nmt_nfkc"}, "normalises characters"),
        ({"model_type": "char"}, "of the type char"),
        ({"user_defined_symbols": ["a b"], "remove_extra_whitespaces": True}, "its own symbols"),
    ],
)
def test_models_that_look_across_any_place_encode_whole_texts_and_say_so(options, why):
    model = train(**options)
    encoder, oracle = ChunkEncoder(model), SentencePieceProcessor(model_proto=model)
    texts = ["ﬁne  a b a  b", "", " é中 ", *real_texts()[:3]]
    assert differences(encoder, oracle, texts) == []
    assert why in encoder.why_whole
    assert encoder.num_whole == encoder.num_texts == len(texts)
    assert encoder.encode(pa.array([], pa.string())).offsets.tolist() == [0]


def test_where_sentencepiece_rounds_otherwise_texts_are_encoded_whole(monkeypatch):
    model = train(500, **{**OURS, "model_type": "unigram", "user_defined_symbols": ["--", "self"]})
    texts = ["- -- --- -----", "selfself---", *real_texts()[:3]] * 3
    oracle = SentencePieceProcessor(model_proto=model)
    cut = ChunkEncoder(model)
    assert differences(cut, oracle, texts) == []
    assert (cut.why_whole, cut.num_whole) == (None, 0)
    monkeypatch.setattr(unigram_chunks, "_BONUS", 0.7)
    whole = ChunkEncoder(model)
    assert differences(whole, oracle, texts) == []
    assert "adds scores up in another way" in whole.why_whole


@pytest.mark.parametrize("whole", [False, True])
def test_marks_stand_around_each_text(whole):
    model = train(**{**OURS, **({"normalization_rule_name": "nfkc"} if whole else {})})
    oracle = SentencePieceProcessor(model_proto=model)
    texts = ["a b", "", "import os\n"]
    found = ChunkEncoder(model).encode(pa.array(texts), bos=1, eos=2)
    expected = oracle.encode(texts, add_bos=True, add_eos=True)
    assert found.ids.tolist() == [i for ids in expected for i in ids]
    assert found.offsets.tolist() == np.cumsum([0, *map(len, expected)]).tolist()


def test_what_the_sum_before_a_chunk_decides_is_searched_with_it():
    model = train(1200, **{**OURS, "model_type": "unigram"})
    oracle = SentencePieceProcessor(model_proto=model)
    texts = ["a b", "---- -- --- --- -- --", "", "!!! ! !! - - --", "x = 1"] * 3
    texts += ["\n".join(real_texts()[:4]), " ".join(texts * 99)]
    encoder = ChunkEncoder(model)
    found = encoder.encode(pa.array(texts), bos=1, eos=2)
    expected = oracle.encode(texts, add_bos=True, add_eos=True)
    assert found.ids.tolist() == [i for ids in expected for i in ids]
    assert found.offsets.tolist() == np.cumsum([0, *map(len, expected)]).tolist()
    assert encoder.num_searched > 0


def test_one_chunk_of_a_megabyte_is_encoded_and_not_kept():
    model = train(**OURS)
    encoder, oracle = (
        ChunkEncoder(model),
        SentencePieceProcessor(model_proto=model),
    )
    texts = ["self" * 2**18, " " * 2**18, "\0" * 999]
    assert differences(encoder, oracle, texts) == []
    assert encoder.table_bytes < 2**22


def test_what_would_take_all_memory_is_refused(monkeypatch):
    monkeypatch.setattr(new_chunks, "MAX_WHOLE_BYTES", 1000)
    encoder = ChunkEncoder(train(**OURS))
    encoder.encode(pa.array(["self " * 5000]))
    with pytest.raises(InputError, match=r"1,200 bytes that cannot be cut .* over 1,000; drop"):
        encoder.encode(pa.array([" " * 1200]))


def test_bytes_that_are_not_utf8_and_what_is_no_text_are_refused():
    encoder = ChunkEncoder(train(**OURS))
    bad = pa.array([b"a", b"\xe4\xb8"]).view(pa.string())
    with pytest.raises(InputError, match="not UTF-8"):
        encoder.encode(bad)
    with pytest.raises(UsageError):
        encoder.encode(pa.array(["a", None]))
    with pytest.raises(UsageError):
        encoder.encode(pa.array([1]))
    with pytest.raises(Damaged):
        ChunkEncoder(b"junk")


def shared_texts(folder):
    """Yield texts of most of the public collections, each from its beginning."""
    for path in sorted(folder.rglob("*")):
        if path.suffixes[-2:] == [".tar", ".xz"]:
            with tarfile.open(path) as archive:
                members = [m for m, _ in zip(archive, range(40), strict=False) if m.isfile()]
                files = [archive.extractfile(member) for member in members[:12]]
                yield from (file.read(60_000).decode("utf-8", "replace") for file in files if file)
        elif path.suffixes[-2:] == [".jsonl", ".gz"]:
            with gzip.open(path, "rt", encoding="utf-8") as lines:
                records = [json.loads(line) for line, _ in zip(lines, range(40), strict=False)]
                yield from (json.dumps(record, ensure_ascii=False) for record in records)
        elif path.is_file() and path.stat().st_size < 400_000:
            yield from re.split(r"\n\n", path.read_bytes()[:60_000].decode("utf-8", "replace"))


def test_ids_of_the_shared_collections_are_sentencepieces(ours, shared_data):
    encoder, oracle = ChunkEncoder(ours), SentencePieceProcessor(model_proto=ours)
    texts = list(shared_texts(shared_data))
    assert differences(encoder, oracle, texts) == []
    assert sum(map(len, texts)) > 3_000_000
    assert encoder.why_whole is None
