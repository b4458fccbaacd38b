"""Sampling: what comes out is what the model says, in text, and only so much."""

from __future__ import annotations

import io

import pytest
import torch
from sentencepiece import SentencePieceProcessor, SentencePieceTrainer

from data_contracts.errors import UsageError
from training.model import Decoder, ModelConfig, new_decoder
from training.sample import Sampling, continue_ids, draw, generate

CONFIG = ModelConfig(290, 2, 32, 4, 2, 48, 12)


@pytest.fixture(scope="module")
def tokenizer() -> SentencePieceProcessor:
    model = io.BytesIO()
    SentencePieceTrainer.train(
        sentence_iterator=iter(["the water turns the wheel of the mill"] * 20),
        model_writer=model,
        vocab_size=290,
        model_type="bpe",
        byte_fallback=True,
        hard_vocab_limit=False,
        minloglevel=2,
    )
    return SentencePieceProcessor(model_proto=model.getvalue())


@pytest.fixture(scope="module")
def taught() -> Decoder:
    """Return a model that knows one document by heart: 7, 8, 9, and its end, 2."""
    model = new_decoder(CONFIG, 0)
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-2)
    document = torch.tensor([[1, 7, 8, 9, 2]])
    for _ in range(40):
        optimizer.zero_grad()
        logits = model(document[:, :-1])[0]
        torch.nn.functional.cross_entropy(logits, document[0, 1:]).backward()
        optimizer.step()
    return model


def test_the_likeliest_follow_until_the_end(taught: Decoder) -> None:
    greedy = Sampling(max_tokens=30, temperature=0)
    assert continue_ids(taught, [1], 2, greedy) == [7, 8, 9]
    assert continue_ids(taught, [1, 7], 2, greedy) == [8, 9]
    assert continue_ids(taught, [1, 7], 2, Sampling(max_tokens=1, temperature=0)) == [8]


def test_it_goes_on_past_its_context(taught: Decoder) -> None:
    never = -1
    added = continue_ids(taught, [1], never, Sampling(max_tokens=40, temperature=0))
    assert len(added) == 40 > CONFIG.context_tokens
    seen = torch.tensor([[1, *added][-CONFIG.context_tokens - 1 : -1]])
    assert int(taught(seen)[0, -1].argmax()) == added[-1]


def test_a_seed_gives_a_text_and_another_seed_another(tokenizer: SentencePieceProcessor) -> None:
    config = ModelConfig(**{**vars(CONFIG), "vocab_size": tokenizer.vocab_size()})
    model = new_decoder(config, 0)
    texts = [
        generate(model, tokenizer, "the wheel", Sampling(max_tokens=20, seed=seed, top_k=200))
        for seed in (0, 0, 1)
    ]
    assert texts[0] == texts[1] != texts[2]
    assert all(text.startswith("the wheel") for text in texts)
    larger = new_decoder(ModelConfig(**{**vars(CONFIG), "vocab_size": 999}), 0)
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


@pytest.mark.parametrize("wrong", [{"max_tokens": 0}, {"top_k": 0}, {"temperature": -1.0}])
def test_impossible_sampling_is_refused(wrong: dict[str, float]) -> None:
    with pytest.raises(UsageError, match="must be at least"):
        Sampling(**wrong)
