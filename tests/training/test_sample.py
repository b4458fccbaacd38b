"""Sampling: what comes out is what the model says, in text, and only so much."""

from __future__ import annotations

import io
from collections.abc import Iterator

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from sentencepiece import SentencePieceProcessor, SentencePieceTrainer

from data_contracts.errors import UsageError
from data_contracts.tokenizer import Tokenizer
from training.model import Transformer, new_model
from training.model_config import ModelConfig
from training.sample import (
    answer_stream,
    continue_ids,
    decode_stream,
    draw,
    following_ids,
    generate,
    generate_stream,
)
from training.sampling import Sampling, check_prompt

CONFIG = ModelConfig(290, 2, 32, 4, 2, 48, 12)


def trained(**more: object) -> SentencePieceProcessor:
    model = io.BytesIO()
    SentencePieceTrainer.train(
        sentence_iterator=iter(["the water turns the wheel of the mill"] * 20),
        model_writer=model,
        vocab_size=290,
        model_type="bpe",
        byte_fallback=True,
        hard_vocab_limit=False,
        minloglevel=2,
        **more,
    )
    return SentencePieceProcessor(model_proto=model.getvalue())


@pytest.fixture(scope="module")
def tokenizer() -> SentencePieceProcessor:
    return trained()


@pytest.fixture(scope="module")
def plain_tokenizer() -> SentencePieceProcessor:
    """Return one as `train_tokenizer` makes them: no space before a text, none removed."""
    return trained(
        add_dummy_prefix=False, remove_extra_whitespaces=False, normalization_rule_name="identity"
    )


@pytest.fixture(scope="module")
def taught() -> Transformer:
    """Return a model that knows one document by heart: 7, 8, 9, and its end, 2."""
    model = new_model(CONFIG, 0)
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-2)
    document = torch.tensor([[1, 7, 8, 9, 2]])
    for _ in range(40):
        optimizer.zero_grad()
        logits = model(document[:, :-1])[0]
        torch.nn.functional.cross_entropy(logits, document[0, 1:]).backward()
        optimizer.step()
    return model


def test_the_likeliest_follow_until_the_end(taught: Transformer) -> None:
    greedy = Sampling(max_tokens=30, temperature=0)
    assert continue_ids(taught, [1], 2, greedy) == [7, 8, 9]
    assert continue_ids(taught, [1, 7], 2, greedy) == [8, 9]
    assert continue_ids(taught, [1, 7], 2, Sampling(max_tokens=1, temperature=0)) == [8]


def test_it_goes_on_past_its_context(taught: Transformer) -> None:
    never = -1
    added = continue_ids(taught, [1], never, Sampling(max_tokens=40, temperature=0))
    assert len(added) == 40 > CONFIG.context_tokens
    seen = torch.tensor([[1, *added][-CONFIG.context_tokens - 1 : -1]])
    assert int(taught(seen)[0, -1].argmax()) == added[-1]


def test_a_seed_gives_a_text_and_another_seed_another(tokenizer: SentencePieceProcessor) -> None:
    config = ModelConfig(**{**vars(CONFIG), "vocab_size": tokenizer.vocab_size()})
    model = new_model(config, 0)
    texts = [
        generate(model, tokenizer, "the wheel", Sampling(max_tokens=20, seed=seed, top_k=200))
        for seed in (0, 0, 1)
    ]
    assert texts[0] == texts[1] != texts[2]
    assert all(text.startswith("the wheel") for text in texts)
    larger = new_model(ModelConfig(**{**vars(CONFIG), "vocab_size": 999}), 0)
    with pytest.raises(UsageError, match="pieces, the model 999; use the tokenizer"):
        generate(larger, tokenizer, "x", Sampling())


def test_draws_follow_the_shares_of_the_likeliest() -> None:
    logits = torch.tensor([0.0, 2.0, 1.0, -9.0, 1.5])
    generator = torch.Generator().manual_seed(0)
    sampling = Sampling(temperature=0.5, top_k=3)
    counts = torch.zeros(5)
    for _ in range(3000):
        counts[draw(logits, sampling, generator)] += 1
    expected = torch.softmax(torch.tensor([2.0, 1.0, 1.5]) / 0.5, 0)
    assert counts[0] == counts[3] == 0
    torch.testing.assert_close(counts[[1, 2, 4]] / 3000, expected, rtol=0, atol=0.03)


WRONG = [{"max_tokens": 0}, {"top_k": 0}, {"temperature": -1.0}, {"temperature": float("nan")}]


@pytest.mark.parametrize("wrong", WRONG)
def test_impossible_sampling_is_refused(wrong: dict[str, float]) -> None:
    with pytest.raises(UsageError, match="must be at least"):
        Sampling(**wrong)


def test_a_seed_is_one_that_a_generator_takes() -> None:
    for seed in (-1, 1 << 63):
        with pytest.raises(UsageError, match="give a number from 0"):
            Sampling(seed=seed)
    torch.Generator().manual_seed(Sampling(seed=(1 << 63) - 1).seed)


def uncached_ids(model: Transformer, ids: list[int], sampling: Sampling) -> list[int]:
    """Return what follows, reading everything in the context again for each id."""
    generator = torch.Generator().manual_seed(sampling.seed)
    added: list[int] = []
    with torch.no_grad():
        while len(added) < sampling.max_tokens:
            seen = [*ids, *added][-model.config.context_tokens :]
            added.append(draw(model(torch.tensor([seen]))[0, -1], sampling, generator))
    return added


@pytest.mark.parametrize("prompt_tokens", [1, 5, 12, 30])
@pytest.mark.parametrize("temperature", [0.0, 1.0])
def test_what_is_kept_of_the_past_changes_nothing(prompt_tokens: int, temperature: float) -> None:
    model = new_model(CONFIG, 2)
    with torch.no_grad():  # so that not each token is followed by itself
        for parameter in model.parameters():
            if parameter.ndim == 2:
                parameter.mul_(20)
    ids = [1, *torch.arange(3, 290, 10).tolist()]
    sampling = Sampling(max_tokens=30, temperature=temperature)
    found = continue_ids(model, ids[:prompt_tokens], -1, sampling)
    assert found == uncached_ids(model, ids[:prompt_tokens], sampling)
    assert len(set(found)) > 3


def test_ids_come_one_by_one(taught: Transformer) -> None:
    coming = following_ids(taught, [1], (2,), Sampling(max_tokens=30, temperature=0))
    assert next(coming) == 7
    assert torch.is_grad_enabled(), "between two ids nothing of torch is changed"
    assert list(coming) == [8, 9]


@pytest.mark.parametrize(("end_id", "expected"), [(9, [7, 8]), (8, [7]), (200, [7, 8, 9])])
def test_an_answer_ends_with_its_turn_or_the_document(
    taught: Transformer, tokenizer: SentencePieceProcessor, end_id: int, expected: list[int]
) -> None:
    greedy = Sampling(max_tokens=30, temperature=0)
    pieces = list(answer_stream(taught, tokenizer, [1], end_id, greedy))
    assert "".join(pieces) == tokenizer.decode(expected)
    assert len({tokenizer.decode(ids) for ids in ([7, 8], [7], [7, 8, 9])}) == 3


def test_an_answer_in_ids_of_another_tokenizer_is_refused(
    tokenizer: SentencePieceProcessor,
) -> None:
    other = new_model(ModelConfig(**{**vars(CONFIG), "vocab_size": 291}), 0)
    with pytest.raises(UsageError, match="use the tokenizer it was trained with"):
        answer_stream(other, tokenizer, [1], 2, Sampling())


def test_a_stream_is_the_text_in_pieces(plain_tokenizer: SentencePieceProcessor) -> None:
    config = ModelConfig(**{**vars(CONFIG), "vocab_size": plain_tokenizer.vocab_size()})
    model = new_model(config, 0)
    sampling = Sampling(max_tokens=60, top_k=290, temperature=1)
    pieces = list(generate_stream(model, plain_tokenizer, "the mill", sampling))
    assert len(pieces) > 10
    assert all(pieces)
    assert "the mill" + "".join(pieces) == generate(model, plain_tokenizer, "the mill", sampling)
    ids = plain_tokenizer.encode("the mill")
    added = continue_ids(model, [plain_tokenizer.bos_id(), *ids], 2, sampling)
    assert plain_tokenizer.decode([*ids, *added]) == "the mill" + "".join(pieces)


def test_a_prompt_has_the_ids_that_training_read(plain_tokenizer: SentencePieceProcessor) -> None:
    config = ModelConfig(**{**vars(CONFIG), "vocab_size": plain_tokenizer.vocab_size()})
    model = new_model(config, 0)
    sampling = Sampling(max_tokens=20, temperature=0)
    shards = Tokenizer(plain_tokenizer.serialized_model_proto())
    for prompt in ("the\u2581mill \u2581", "the mill"):
        ids = shards.encode(prompt).tolist()
        added = continue_ids(model, [plain_tokenizer.bos_id(), *ids], 2, sampling)
        assert generate(model, plain_tokenizer, prompt, sampling) == shards.decode([*ids, *added])
        theirs = plain_tokenizer.encode(prompt)
        assert (theirs == ids) == ("\u2581" not in prompt)
        assert (plain_tokenizer.decode(theirs) == prompt) == ("\u2581" not in prompt)


def test_a_prompt_is_kept_as_it_is(tokenizer: SentencePieceProcessor) -> None:
    config = ModelConfig(**{**vars(CONFIG), "vocab_size": tokenizer.vocab_size()})
    model = new_model(config, 0)
    for prompt in ("", "  two\n\n", "\u2581", "\U0001f600 \0 \ufffd"):
        assert generate(model, tokenizer, prompt, Sampling(max_tokens=3)).startswith(prompt)
    with pytest.raises(UsageError, match="is not valid Unicode"):
        generate_stream(model, tokenizer, "half \ud83d", Sampling())  # before anything is drawn
    check_prompt("whole \U0001f600")


TEXTS = st.text(st.sampled_from("the mill\u2581 aé€😀\ufffd\n"), max_size=8)
BYTES = st.binary(max_size=6) | st.sampled_from([b"\xf0\x9f\x98", b"\xe2\x82", b"\xc3\xc3\xa9"])


def ids_of(tokenizer: SentencePieceProcessor, chunks: list[str | bytes]) -> list[int]:
    ids: list[int] = []
    for chunk in chunks:
        if isinstance(chunk, str):
            ids += tokenizer.encode(chunk)
        else:
            ids += [tokenizer.piece_to_id(f"<0x{value:02X}>") for value in chunk]
    return ids


@given(before=TEXTS, chunks=st.lists(TEXTS | BYTES, max_size=8), marks=st.booleans())
def test_pieces_joined_are_the_decoded_text(
    plain_tokenizer: SentencePieceProcessor,
    before: str,
    chunks: list[str | bytes],
    marks: bool,
) -> None:
    head = ids_of(plain_tokenizer, [before])
    ids = ids_of(plain_tokenizer, chunks) + [plain_tokenizer.bos_id()] * marks
    expected = plain_tokenizer.decode([*head, *ids])[len(plain_tokenizer.decode(head)) :]
    assert "".join(decode_stream(plain_tokenizer, head, iter(ids))) == expected


def test_a_character_of_several_bytes_comes_when_it_is_whole(
    plain_tokenizer: SentencePieceProcessor,
) -> None:
    ids = ids_of(plain_tokenizer, ["a", "é€😀".encode(), "b", b"\xe2\x82", "c", b"\xff\xf0"])
    assert len(ids) == 16
    arrived: list[str] = []
    seen_at: list[tuple[int, str]] = []

    def counted() -> Iterator[int]:
        for number, one in enumerate(ids):
            yield one
            arrived.append(str(number))

    for piece in decode_stream(plain_tokenizer, [], counted()):
        seen_at.append((len(arrived), piece))
    assert seen_at == [
        *((0, "a"), (2, "é"), (5, "€"), (9, "😀"), (10, "b")),
        *((13, "\ufffd\ufffdc"), (14, "\ufffd"), (16, "\ufffd")),
    ]
