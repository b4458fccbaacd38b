"""Training on real text: bytes that repeat, what the model is, corpora that do not do."""

import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import models
import pyarrow as pa
import pytest
from memory_part import inputs_of
from sentencepiece import SentencePieceProcessor
from small_corpus import curated, real_parts, real_texts

from data_contracts.errors import InputError, RecipeError
from data_contracts.tokenizer import TOKENIZERS, tokenizer_of
from pipelines.tokenizer import estimate
from pipelines.tokenizer.estimate import announced
from pipelines.tokenizer.given_model import with_model_digests
from pipelines.tokenizer.train_tokenizer import (
    STEP,
    TokenizerConfig,
    train_model,
    train_tokenizer,
)
from store.identity import digest_bytes
from store.step import Output

CONFIG = TokenizerConfig(vocab_size=800)


def train(tables, config=CONFIG) -> Output:
    return train_tokenizer(inputs_of(curated=tables), config)


@pytest.fixture(scope="module")
def output():
    return train(real_parts())


def test_one_row_holds_the_model(output):
    assert output.rows.schema.equals(TOKENIZERS)
    (row,) = output.rows.to_pylist()
    assert row["name"] == "tokenizer.model"
    assert row["digest"] == digest_bytes(row["data"])
    assert SentencePieceProcessor(model_proto=row["data"]).vocab_size() == 800


def test_the_same_text_gives_the_same_bytes_in_another_process_folder_and_partition(tmp_path):
    code = (
        "import sys; sys.path[:0] = sys.argv[1:3]\n"
        "from small_corpus import curated, real_texts\n"
        "from test_train_tokenizer import train\n"
        "print(train([curated(real_texts())]).rows['digest'][0])"
    )
    here = Path(__file__).resolve().parent
    done = subprocess.run(
        [sys.executable, "-c", code, str(here), str(here.parent)],
        cwd=tmp_path,
        env={"PYTHONPATH": str(here.parents[2]), "PATH": os.environ["PATH"]},
        capture_output=True,
        text=True,
    )
    assert (done.returncode, done.stderr) == (0, "")  # nor does the trainer print anything
    assert done.stdout.strip() == train(real_parts()).rows["digest"][0].as_py()
    assert list(tmp_path.iterdir()) == []


def test_facts_are_what_the_model_does(output):
    tokenizer = tokenizer_of(output.rows)
    train_texts = [text for i, text in enumerate(real_texts()) if i % 5]
    heldout = [text for i, text in enumerate(real_texts()) if i % 5 == 0]
    num_bytes = sum(len(text.encode()) for text in heldout)
    num_tokens = sum(len(tokenizer.encode(text)) for text in heldout)
    used = {i for text in heldout for i in tokenizer.encode(text).tolist()}
    assert output.facts == {
        "num_pieces": 800,
        "sample_documents": len(train_texts),
        "sample_bytes": sum(len(text.encode()) for text in train_texts),
        "sample_by_source": {"s": sum(len(text.encode()) for text in train_texts)},
        "sample_lines": sum(len(list(filter(None, t.split("\n")))) for t in train_texts),
        "cut_lines": 0,
        "bytes_per_token": num_bytes / num_tokens,
        "by_source": {"s": num_bytes / num_tokens},
        "unused_pieces": len({5, 6, *range(263, 800)} - used),
        "unused_by_source": {"s": len({5, 6, *range(263, 800)} - used)},
        "changed_texts": 0,
        "measured_on": "heldout",
    }
    assert 1.5 < output.facts["bytes_per_token"] < 8


def test_heldout_text_is_not_learnt_from():
    texts = [text + ("zqxjkvw" * 2000 if i % 5 == 0 else "") for i, text in enumerate(real_texts())]
    assert train([curated(texts)]).rows.equals(train([curated(real_texts())]).rows)


def test_without_heldout_text_the_train_text_is_measured():
    table = curated(real_texts())
    table = table.filter(pa.compute.equal(table["split"], "train"))
    assert train([table]).facts["measured_on"] == "train"


def test_pieces_keep_digits_and_lines_apart_and_know_indents(output):
    tokenizer = tokenizer_of(output.rows)
    pieces = [tokenizer.piece(i) for i in range(800)]
    learnt = pieces[263:]
    assert not any(sum(c.isdigit() for c in piece) > 1 for piece in learnt)
    assert not any(set("\n\t") & set(piece) for piece in learnt)
    assert "▁▁▁▁" in learnt


def test_the_budget_bounds_the_sample():
    facts = train(real_parts(), TokenizerConfig(vocab_size=400, sample_bytes=30_000)).facts
    assert facts["sample_bytes"] == 30_000
    assert facts["sample_documents"] < 10


def test_what_it_will_take_is_told_and_too_much_refused_before_it_begins(monkeypatch):
    told = []
    config = TokenizerConfig(vocab_size=400, sample_bytes=30_000)
    train_tokenizer(replace(inputs_of(curated=real_parts()), tell=told.append), config)
    assert told == [announced("bpe", 30_000)]
    monkeypatch.setattr(estimate, "machine_bytes", lambda: 1_000_000)
    with pytest.raises(RecipeError, match=r"set tokenizer\.sample_bytes to"):
        train(real_parts(), config)


def test_long_lines_and_the_trainers_own_signs_are_learnt_from():
    lines = [text.replace("\n", " \u2585 ") for text in real_texts()]
    assert train([curated(lines)], TokenizerConfig(vocab_size=600)).facts["cut_lines"] == 0
    lines = [text.replace("\n", " ") for text in real_texts()]
    output = train([curated(lines)], TokenizerConfig(vocab_size=600))
    assert output.facts["cut_lines"] > 10
    learnt = [tokenizer_of(output.rows).piece(i) for i in range(263, 600)]
    assert "self" in " ".join(learnt)


@pytest.mark.parametrize("texts", [[], ["held out"], ["held out", ""]])
def test_no_text_is_an_error(texts):
    with pytest.raises(InputError, match="no text in the train split"):
        train([curated(texts)])
    with pytest.raises(InputError, match="no text in the train split"):
        train([])


@pytest.mark.parametrize("text", ["a", " ", "\n", "\n\t\u2585", "hello world " * 10])
def test_too_little_text_for_any_tokenizer_is_an_error(text):
    with pytest.raises(InputError, match="too small to train"):
        train([curated(["held out", text])])


def test_a_vocabulary_that_does_not_fit_the_text_is_an_error():
    with pytest.raises(RecipeError, match=r"yields only [0-9,]+ pieces; set it to") as caught:
        train([curated(real_texts()[:4])], TokenizerConfig(vocab_size=50_000))
    most = int(str(caught.value).split("yields only ")[1].split(" ")[0].replace(",", ""))
    train([curated(real_texts()[:4])], TokenizerConfig(vocab_size=most))
    with pytest.raises(RecipeError, match="characters of the train split take"):
        train([curated(real_texts())], TokenizerConfig(vocab_size=300))


@pytest.mark.parametrize(
    "values",
    [
        {"vocab_size": 299},
        {"vocab_size": 1_000_001},
        {"sample_bytes": 0},
        {"num_threads": 0},
        {"character_coverage": 0.97},  # the trainer takes no less
        {"weights": (("s", -1.0),)},
        {"weights": (("s", float("nan")),)},
        {"weights": (("s", float("inf")),)},
        {"weights": (("s", 1e-9),)},
        {"weights": (("s", 1.0), ("s", 2.0))},
    ],
)
def test_values_out_of_range_are_refused(values):
    with pytest.raises(RecipeError, match=f"tokenizer.{next(iter(values))}.* (is|has) "):
        TokenizerConfig(**values)


def test_chat_marks_and_symbols_have_ids_and_only_symbols_are_read_in_a_text():
    marks, symbols = ("<mask>", "<sep>", "<cls>", "<|user|>"), ("<tool>",)
    config = TokenizerConfig(vocab_size=700, control_symbols=marks, user_symbols=symbols)
    data = train(real_parts(), config).rows["data"][0].as_py()
    oracle = SentencePieceProcessor(model_proto=data)
    assert [oracle.id_to_piece(number) for number in range(4, 11)] == [*marks, "\n", "\t", "<tool>"]
    assert all(oracle.is_control(oracle.piece_to_id(mark)) for mark in marks)
    ids = oracle.encode("<|user|> <tool>")
    assert oracle.piece_to_id("<|user|>") not in ids
    assert oracle.piece_to_id("<tool>") in ids
    assert oracle.decode(ids) == "<|user|> <tool>"


@pytest.mark.parametrize(
    "symbol", ["", "a b", "\n", "<s>", "<pad>", "<0x0A>", "a,b", "▁", "x\u2585", "\0", "<twice>"]
)
@pytest.mark.parametrize("name", ["control_symbols", "user_symbols"])
def test_symbols_that_the_trainer_would_not_keep_are_refused(name, symbol):
    with pytest.raises(RecipeError, match=f"tokenizer.{name} has"):
        TokenizerConfig(**{name: (symbol, "<twice>")})


def test_a_unigram_model_is_trained_and_an_unknown_type_refused():
    config = TokenizerConfig(vocab_size=600, model_type="unigram")
    first, second = (train(real_parts(), config) for _ in range(2))
    assert first.rows.equals(second.rows)
    tokenizer = tokenizer_of(first.rows)
    for text in real_texts():
        assert tokenizer.decode(tokenizer.encode(text)) == text
    with pytest.raises(RecipeError, match="use bpe or unigram"):
        TokenizerConfig(model_type="word")


def test_a_given_model_is_taken_as_it_is_and_measured(tmp_path, output):
    path = tmp_path / "theirs.model"
    path.write_bytes(output.rows["data"][0].as_py())
    config = with_model_digests(TokenizerConfig(model=str(path)))
    given = train(real_parts(), config)
    assert given.rows.equals(output.rows)
    of_training = {
        *("sample_documents", "sample_bytes", "sample_by_source", "sample_lines", "cut_lines")
    }
    assert given.facts == {k: v for k, v in output.facts.items() if k not in of_training}
    assert train([], config).facts == {"num_pieces": 800}
    path.write_bytes(path.read_bytes() + b"\n\0")
    with pytest.raises(RecipeError, match="was changed meanwhile"):
        train(real_parts(), config)


def test_others_are_measured_on_the_same_texts(tmp_path, output):
    paths = [tmp_path / "same.model", tmp_path / "theirs.model"]
    paths[0].write_bytes(output.rows["data"][0].as_py())
    paths[1].write_bytes(models.train(400, bos_id=-1, eos_id=-1))  # no BOS is needed to compare
    names = tuple(map(str, paths))
    config = with_model_digests(replace(CONFIG, compare=names))
    found = train(real_parts(), config)
    assert found.rows.equals(output.rows)
    compared = found.facts["compared"]
    assert list(compared) == list(names)
    assert compared[names[0]].items() <= output.facts.items()
    heldout = [text for i, text in enumerate(real_texts()) if i % 5 == 0]
    oracle = SentencePieceProcessor(model_proto=paths[1].read_bytes())
    num_tokens = sum(len(oracle.encode(text)) for text in heldout)
    num_bytes = sum(len(text.encode()) for text in heldout)
    assert compared[names[1]]["bytes_per_token"] == num_bytes / num_tokens
    assert compared[names[1]]["changed_texts"] == len(heldout)  # it removes spaces
    paths[1].write_bytes(b"other")
    with pytest.raises(RecipeError, match=r"tokenizer\.compare: .* was changed meanwhile"):
        train(real_parts(), config)
    with pytest.raises(RecipeError, match=r"tokenizer\.compare: .* cannot be used"):
        with_model_digests(config)


def test_a_given_model_that_cannot_be_used_is_refused_before_anything_runs(tmp_path):
    path = tmp_path / "theirs.model"
    for content in (None, b"junk"):
        if content:
            path.write_bytes(content)
        with pytest.raises(RecipeError, match=r"tokenizer\.model: "):
            with_model_digests(TokenizerConfig(model=str(path)))
    assert with_model_digests(CONFIG) == CONFIG


def test_bytes_per_token_and_unused_pieces_are_told_by_source():
    table = curated(real_texts())
    sources = pa.array(["b" if i % 2 else "a" for i in range(len(table))])
    field = table.schema.field("source")
    table = table.set_column(table.schema.get_field_index("source"), field, sources)
    output = train([table])
    tokenizer = tokenizer_of(output.rows)
    for source, parity in (("a", 0), ("b", 1)):
        texts = [t for i, t in enumerate(real_texts()) if i % 5 == 0 and i % 2 == parity]
        num_tokens = sum(len(tokenizer.encode(text)) for text in texts)
        num_bytes = sum(len(text.encode()) for text in texts)
        used = {i for text in texts for i in tokenizer.encode(text).tolist()}
        assert output.facts["by_source"][source] == num_bytes / num_tokens
        assert output.facts["unused_by_source"][source] == len({5, 6, *range(263, 800)} - used)
    assert list(output.facts["by_source"]) == ["a", "b"]
    assert output.facts["unused_pieces"] < min(output.facts["unused_by_source"].values())


def test_an_error_in_reading_is_not_taken_for_the_end_of_the_text():
    def lines():
        yield from real_texts()[0].split("\n")
        raise KeyError("lost")

    with pytest.raises(KeyError, match="lost"):
        train_model(lines(), CONFIG)


def test_the_step_counts_what_changes_the_model():
    assert (STEP.kind, STEP.emits, STEP.inputs) == ("whole", "model", {"curated": "all"})
    assert STEP.libraries == ("sentencepiece",)
