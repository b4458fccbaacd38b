"""Packed shards against SentencePiece's own encoding, and against the text they stand for."""

import re
from dataclasses import replace

import models
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st
from memory_part import inputs_of
from sentencepiece import SentencePieceProcessor
from small_corpus import curated, real_parts, real_texts

from data_contracts.errors import InputError
from data_contracts.open_shards import open_shards
from data_contracts.shards import TOKEN_DOCUMENTS
from data_contracts.tokenizer import TOKENIZERS, tokenizer_of
from data_contracts.verify_shards import verify_shards
from pipelines.tokenizer import new_chunks, warm_encoders
from pipelines.tokenizer.train_tokenizer import TokenizerConfig, train_tokenizer
from pipelines.tokenizer.warm_encoders import WarmEncoders
from pipelines.tokens import pack_tokens as module
from pipelines.tokens.pack_tokens import STEP, PackConfig, pack_tokens
from store.identity import digest_bytes


@pytest.fixture(scope="module")
def trained():
    config = TokenizerConfig(vocab_size=800)
    return train_tokenizer(inputs_of(curated=real_parts()), config).rows


@pytest.fixture(scope="module")
def oracle(trained):
    return SentencePieceProcessor(model_proto=trained["data"][0].as_py())


def pack(table, trained, folder):
    inputs = inputs_of(curated=table, tokenizer=[trained])
    return pack_tokens(replace(inputs, scratch=folder), PackConfig())


def ids_of(oracle, text):
    """Return SentencePiece's ids, and for U+2581 those of its bytes."""
    spelt = [oracle.piece_to_id(f"<0x{byte:02X}>") for byte in "\u2581".encode()]
    parts = re.split("(\u2581)", text)
    return [i for part in parts for i in (spelt if part == "\u2581" else oracle.encode(part))]


def check(table, output, oracle, folder):
    """Every document lies where its row says, is what SentencePiece gives, and nothing else."""
    assert output.rows.schema.equals(TOKEN_DOCUMENTS)
    assert output.files == {path.name: path for path in folder.iterdir()}
    assert len(output.files) == 13
    opened = {shard.name: shard for shard in open_shards(folder).shards}
    ends = dict.fromkeys(opened, 0)
    for document, row in zip(table.to_pylist(), output.rows.to_pylist(), strict=True):
        text = document["text"]
        for name in ("doc_id", "source", "split"):
            assert row[name] == document[name]
        assert (row["shard"], row["num_bytes"]) == (row["split"], len(text.encode()))
        assert row["token_offset"] == ends[row["shard"]]
        ends[row["shard"]] += row["num_tokens"]
        ids = opened[row["shard"]].tokens[row["token_offset"] : ends[row["shard"]]].tolist()
        assert ids == [1, *ids_of(oracle, text), 2]
        assert oracle.decode(ids) == text
    assert ends == {name: len(shard.tokens) for name, shard in opened.items()}
    assert output.facts["num_tokens"] == sum(ends.values())
    assert output.facts["num_bytes"] == sum(len(t.encode()) for t in table["text"].to_pylist())
    assert output.facts["lower_block_texts"] == sum(
        "\u2581" in t for t in table["text"].to_pylist()
    )
    verify_shards(folder)


def test_real_text_is_packed_exactly_split_by_split(tmp_path, trained, oracle):
    table = curated(real_texts())
    output = pack(table, trained, tmp_path)
    check(table, output, oracle, tmp_path)
    facts = output.facts
    for field, total in (("documents", len(table)), ("tokens", facts["num_tokens"])):
        assert min(facts[f"train_{field}"], facts[f"heldout_{field}"]) > 0
        assert facts[f"train_{field}"] + facts[f"heldout_{field}"] == total
    assert facts["train_bytes"] + facts["heldout_bytes"] == facts["num_bytes"]
    assert facts["num_tokens"] < facts["num_bytes"] / 1.5
    vocabulary = open_shards(tmp_path).vocabulary
    assert vocabulary == tokenizer_of(trained).vocabulary


def test_any_text_is_packed_exactly(tmp_path_factory, trained, oracle):
    seen = {"documents": 0, "empty": 0, "blocks": 0, "heldout_only": 0}
    pieces = st.one_of(
        st.text(max_size=5),
        st.sampled_from(["\u2581", "\ue000", "<s>", "</s>", "<pad>", "\n\t", "  self."]),
    )
    texts = st.lists(st.lists(pieces, max_size=5).map("".join), max_size=7)

    @given(texts)
    def check_texts(texts):
        folder = tmp_path_factory.mktemp("packed")
        table = curated(texts)
        check(table, pack(table, trained, folder), oracle, folder)
        seen["documents"] += len(texts)
        seen["empty"] += "" in texts
        seen["blocks"] += any("\u2581" in text for text in texts)
        seen["heldout_only"] += len(texts) == 1

    check_texts()
    assert min(seen.values()) > 0


def test_neither_chunks_of_arrow_nor_batches_show(tmp_path, trained, monkeypatch):
    table = curated(real_texts())
    contents = []
    for number, size_bytes in enumerate((1, 10_000, 1 << 30)):
        monkeypatch.setattr(module, "_SLICE_BYTES", size_bytes)
        chunked = pa.concat_tables([table.slice(0, 3), table.slice(3)]) if number else table
        folder = tmp_path / str(number)
        folder.mkdir()
        rows = pack(chunked, trained, folder).rows
        contents.append((rows.to_pylist(), {p.name: p.read_bytes() for p in folder.iterdir()}))
    assert contents[0] == contents[1] == contents[2]


def test_what_was_packed_before_changes_no_byte(tmp_path, trained, monkeypatch):
    texts = real_texts()
    contents = []
    for name, others in (("cold", []), ("warm", [texts[::2], texts])):
        encoders = WarmEncoders()
        monkeypatch.setattr(warm_encoders, "WARM_ENCODERS", encoders)
        for number, before in enumerate([*others, texts[1::2]]):
            folder = tmp_path / f"{name}-{number}"
            folder.mkdir()
            rows = pack(curated(before), trained, folder).rows
        contents.append((rows.to_pylist(), {p.name: p.read_bytes() for p in folder.iterdir()}))
        assert encoders.idle_bytes > 0
    assert contents[0] == contents[1]


def test_a_long_text_without_a_space_is_packed(tmp_path, trained, oracle):
    table = curated(["", "x" * 300_000, " " * 100_000, "\u4e2d" * 50_000])
    check(table, pack(table, trained, tmp_path), oracle, tmp_path)


def test_texts_that_a_given_model_changes_or_takes_whole_are_counted(tmp_path):
    options = {"byte_fallback": True, "bos_id": 1, "eos_id": 2, "add_dummy_prefix": False}
    normalising = {"normalization_rule_name": "nmt_nfkc", "remove_extra_whitespaces": True}
    models_by_name = {
        "plain": models.train(**options, remove_extra_whitespaces=False),
        "spaces": models.train(**options, remove_extra_whitespaces=True),
        "nfkc": models.train(**options, **normalising),
    }
    table, found = curated(["a b", "  a  b ", "\ufb01ne", "self"]), {}
    for name, model in models_by_name.items():
        (tmp_path / name).mkdir()
        row = {"name": "m.model", "digest": digest_bytes(model), "data": model}
        trained = pa.Table.from_pylist([row], TOKENIZERS)
        facts = pack(table, trained, tmp_path / name).facts
        found[name] = [facts.get(f) for f in ("changed_texts", "whole_texts", "whole_because")]
    assert found == {
        "plain": [None, None, None],
        "spaces": [1, None, None],
        "nfkc": [2, 4, "it normalises characters"],
    }


def test_a_text_that_is_too_long_names_its_document(tmp_path, trained, monkeypatch):
    monkeypatch.setattr(new_chunks, "MAX_WHOLE_BYTES", 1000)
    monkeypatch.setattr(warm_encoders, "WARM_ENCODERS", WarmEncoders())
    table = curated(["import self", " " * 1200, " " * 1300, "self"])
    named = table["doc_id"][1].as_py()
    with pytest.raises(InputError, match=f"^document {named}: a text has 1,200 bytes that cannot"):
        pack(table, trained, tmp_path)


def test_a_character_without_an_id_is_an_error_that_names_its_document(tmp_path):
    model = models.train(byte_fallback=False, bos_id=1, eos_id=2)
    row = {"name": "m.model", "digest": digest_bytes(model), "data": model}
    trained = pa.Table.from_pylist([row], TOKENIZERS)
    sound, lost = "import self", "import \u3042"
    pack(curated([sound]), trained, tmp_path)
    for number, texts in enumerate(([sound, sound, lost, sound], ["\u2581", sound])):
        table, folder = curated(texts), tmp_path / str(number)
        folder.mkdir()
        named = table["doc_id"][2 if number == 0 else 0].as_py()
        with pytest.raises(InputError, match=f"document {named} has a character .* byte fallback"):
            pack(table, trained, folder)
        assert not (folder / "index.json").exists()


def test_no_documents_are_two_empty_shards(tmp_path, trained, oracle):
    table = curated([])
    check(table, pack(table, trained, tmp_path), oracle, tmp_path)
    assert open_shards(tmp_path).num_tokens == 0


def test_an_unknown_split_is_not_lost_silently(tmp_path, trained):
    table = curated(["a", "b"])
    table = table.set_column(
        table.schema.get_field_index("split"), table.schema.field("split"), [["train", "dev"]]
    )
    with pytest.raises(ValueError, match="dev"):
        pack(table, trained, tmp_path)


def test_the_step_is_a_map_that_accounts_for_every_document():
    assert (STEP.kind, STEP.emits, STEP.accounts_for) == ("map", "documents", "curated")
    assert STEP.inputs == {"curated": "aligned", "tokenizer": "all"}
