"""Masking: the shares of transformers' collator, no special id touched, the same in any batch."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from training.loader import PADDING
from training.masking import (
    BEGINS,
    CONTINUES,
    MAX_WORD_TOKENS,
    SPACE,
    Masker,
    Pieces,
    piece_kinds,
    word_begins,
)

VOCAB_SIZE, MASK = 200, 4
SPECIAL = (0, 1, 2, 3)  # unk, bos, eos, pad
PIECES = Pieces(MASK, SPECIAL)
ROWS, TOKENS = 400, 300


def random_rows(rows: int = ROWS, seed: int = 0) -> np.ndarray:
    """Return rows of text with a beginning and an end at about every thirtieth token."""
    draw = np.random.default_rng(seed)
    tokens_BT = draw.integers(5, VOCAB_SIZE, (rows, TOKENS))
    marks = draw.random(tokens_BT.shape) < 1 / 30
    tokens_BT[marks] = draw.choice([1, 2], marks.sum())
    return tokens_BT


def mask_all(masker: Masker, tokens_BT: np.ndarray, epoch: int = 0) -> tuple[np.ndarray, ...]:
    row_ids_B = np.arange(len(tokens_BT))
    return masker.mask(tokens_BT, row_ids_B, np.full(len(tokens_BT), epoch))


def fast_tokenizer(folder: Path) -> Any:
    """Return a transformers tokenizer whose ids are those of this file; there is no network."""
    from tokenizers import Tokenizer
    from tokenizers.models import WordLevel
    from transformers import PreTrainedTokenizerFast

    names = ["<unk>", "<s>", "</s>", "<pad>", "<mask>"]
    pieces = [*names, *(f"w{number}" for number in range(len(names), VOCAB_SIZE))]
    model = WordLevel({piece: number for number, piece in enumerate(pieces)}, unk_token="<unk>")
    path = folder / "tokenizer.json"
    path.write_text(json.dumps(json.loads(Tokenizer(model).to_str())))
    keys = ("unk", "bos", "eos", "pad", "mask")
    special = {f"{key}_token": name for key, name in zip(keys, names, strict=True)}
    return PreTrainedTokenizerFast(tokenizer_file=str(path), **special)


def assert_alike(ours: int, of_ours: int, theirs: int, of_theirs: int) -> None:
    """Two shares within four standard errors of their difference: by chance 1 in 16,000 is not."""
    first, second = ours / of_ours, theirs / of_theirs
    both = (ours + theirs) / (of_ours + of_theirs)
    error = (both * (1 - both) * (1 / of_ours + 1 / of_theirs)) ** 0.5
    assert abs(first - second) <= 4 * error, (first, second, error)


@pytest.mark.parametrize("rate", [0.15, 0.4])
def test_the_shares_are_those_of_transformers_collator(tmp_path: Path, rate: float) -> None:
    from transformers import DataCollatorForLanguageModeling

    tokens_BT = random_rows()
    text_BT = tokens_BT > MASK
    assert text_BT.sum() >= 100_000
    torch.manual_seed(0)
    collator = DataCollatorForLanguageModeling(fast_tokenizer(tmp_path), mlm_probability=rate)
    seen, labels = collator.torch_mask_tokens(torch.from_numpy(tokens_BT.copy()))
    theirs_BT, asked_BT = seen.numpy(), labels.numpy() != -100
    seen_BT, chosen_BT = mask_all(Masker(VOCAB_SIZE, PIECES, rate, seed=5), tokens_BT)
    num, num_ours, num_theirs = text_BT.sum(), chosen_BT.sum(), asked_BT.sum()
    assert_alike(num_ours, num, num_theirs, num)
    for kind in (lambda seen: seen == MASK, lambda seen: seen == tokens_BT):
        ours, theirs = (kind(seen_BT) & chosen_BT).sum(), (kind(theirs_BT) & asked_BT).sum()
        assert_alike(ours, num_ours, theirs, num_theirs)
    for share, expected in ((chosen_BT.sum() / num, rate), (by_mask(seen_BT, chosen_BT), 0.8)):
        assert share == pytest.approx(
            expected, abs=4 * (expected * (1 - expected) / num_ours) ** 0.5
        )
    assert not (asked_BT & ~text_BT).any()
    assert not (chosen_BT & ~text_BT).any()


def by_mask(seen_BT: np.ndarray, chosen_BT: np.ndarray) -> float:
    return float((seen_BT[chosen_BT] == MASK).mean())


def test_random_ids_are_text_and_every_one_of_them_alike() -> None:
    tokens_BT = random_rows(2000)
    seen_BT, chosen_BT = mask_all(Masker(VOCAB_SIZE, PIECES, 0.5, seed=1), tokens_BT)
    drawn = seen_BT[chosen_BT & (seen_BT != MASK) & (seen_BT != tokens_BT)]
    assert len(drawn) > 25_000
    counts = np.bincount(drawn, minlength=VOCAB_SIZE)
    assert not counts[:5].any()
    expected = len(drawn) / (VOCAB_SIZE - 5)
    chi_square = ((counts[5:] - expected) ** 2 / expected).sum()
    assert abs(chi_square - 194) < 4 * (2 * 194) ** 0.5  # 194 degrees of freedom
    assert np.array_equal(seen_BT[~chosen_BT], tokens_BT[~chosen_BT])


def test_neighbours_and_epochs_are_chosen_apart() -> None:
    tokens_BT = np.full((1000, 200), 9)
    masker = Masker(VOCAB_SIZE, PIECES, 0.3, seed=2)
    chosen = mask_all(masker, tokens_BT)[1]
    others = [
        np.roll(chosen, 1, axis=1),
        np.roll(chosen, 1, axis=0),
        mask_all(masker, tokens_BT, epoch=1)[1],
        mask_all(Masker(VOCAB_SIZE, PIECES, 0.3, seed=3), tokens_BT)[1],
    ]
    for other in others:
        both = (chosen & other).mean()
        assert both == pytest.approx(0.09, abs=4 * (0.09 * 0.91 / chosen.size) ** 0.5)


def test_whole_words_are_those_of_transformers(tmp_path: Path) -> None:
    """Its words are told by offsets: a gap, or a special token, stands before a word."""
    from transformers import DataCollatorForLanguageModeling

    tokens_BT = random_rows()
    kinds_V = np.random.default_rng(3).choice([CONTINUES, BEGINS], VOCAB_SIZE).astype(np.uint8)
    kinds_V[:5] = CONTINUES
    text_BT = tokens_BT > MASK
    places_BT = np.arange(TOKENS) * 10
    gaps_BT = (kinds_V[tokens_BT] == BEGINS).astype(int)
    offsets = np.stack([places_BT + gaps_BT, np.broadcast_to(places_BT + 10, tokens_BT.shape)], -1)
    collator: Any = DataCollatorForLanguageModeling(
        fast_tokenizer(tmp_path),
        whole_word_mask=True,
        mlm_probability=0.15,
        mask_replace_prob=1,
        random_replace_prob=0,
    )
    word_ids, _ = collator._calc_word_ids_and_prob_mask(offsets, (~text_BT).astype(int))
    firsts_BT = word_begins(kinds_V[tokens_BT], text_BT)
    same_ours = firsts_BT[:, 1:] == firsts_BT[:, :-1]
    both_text = text_BT[:, 1:] & text_BT[:, :-1]
    assert both_text.sum() > 100_000
    same_theirs = word_ids[:, 1:] == word_ids[:, :-1]
    too_long = (np.arange(TOKENS) - firsts_BT)[:, :-1] == MAX_WORD_TOKENS - 1
    assert np.array_equal(same_ours[both_text & ~too_long], same_theirs[both_text & ~too_long])
    torch.manual_seed(0)
    _, labels = collator.torch_mask_tokens(
        torch.from_numpy(tokens_BT.copy()), (~text_BT).astype(int), offsets
    )
    masker = Masker(VOCAB_SIZE, Pieces(MASK, SPECIAL, kinds_V), 0.15, 0)
    chosen_BT = mask_all(masker, tokens_BT)[1]
    begins_BT = text_BT & (firsts_BT == np.arange(TOKENS))
    num_words = begins_BT.sum()
    assert_alike(
        (chosen_BT & begins_BT).sum(),
        num_words,
        ((labels.numpy() != -100) & begins_BT).sum(),
        num_words,
    )
    inside = both_text & same_ours
    assert inside.sum() > 10_000
    assert np.array_equal(chosen_BT[:, 1:][inside], chosen_BT[:, :-1][inside])


def test_pieces_tell_where_words_begin() -> None:
    pieces = ["▁the", "re", "\n", "def", "▁▁▁▁", "x", "<0x0A>", "<0xE2>", "\t"]
    kinds = piece_kinds(pieces)
    assert kinds.tolist() == [1, 0, SPACE, 0, SPACE, 0, SPACE, 0, SPACE]
    line = np.array([[0, 1, 2, 3, 4, 5, 7]])
    text_BT = np.ones((1, 7), bool)
    assert word_begins(kinds[line], text_BT).tolist() == [[0, 0, 2, 3, 4, 5, 5]]
    text_BT[0, 5] = False  # a special id stands alone, and a word begins after it
    assert word_begins(kinds[line], text_BT).tolist() == [[0, 0, 2, 3, 4, 5, 6]]


def test_a_run_without_spaces_is_cut_into_words() -> None:
    tokens_BT = np.full((50, 100), 9)
    kinds_V = np.zeros(VOCAB_SIZE, np.uint8)
    chosen = mask_all(Masker(VOCAB_SIZE, Pieces(MASK, SPECIAL, kinds_V), 0.3, 0), tokens_BT)[1]
    assert 0.2 < chosen.mean() < 0.4
    starts = np.flatnonzero(np.diff(chosen.astype(int), axis=1).any(axis=0)) + 1
    assert len(starts)
    assert not (starts % MAX_WORD_TOKENS).any()


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_a_row_is_masked_alike_in_any_batch_and_order(data: st.DataObject) -> None:
    rows, tokens = data.draw(st.integers(1, 6)), data.draw(st.integers(1, 40))
    values = st.lists(
        st.lists(st.integers(PADDING, 29), min_size=tokens, max_size=tokens),
        min_size=rows,
        max_size=rows,
    )
    tokens_BT = np.array(data.draw(values), np.int64)
    row_ids_B = np.array(data.draw(st.lists(st.integers(0, 2**40), min_size=rows, max_size=rows)))
    epochs_B = np.array(data.draw(st.lists(st.integers(0, 99), min_size=rows, max_size=rows)))
    kinds = data.draw(st.none() | st.lists(st.integers(0, 2), min_size=30, max_size=30))
    kinds_V = None if kinds is None else np.array(kinds, np.uint8)
    rate, seed = data.draw(st.floats(0, 1)), data.draw(st.integers(0, 2**63 - 1))
    masker = Masker(30, Pieces(MASK, SPECIAL, kinds_V), rate, seed)
    seen_BT, chosen_BT = masker.mask(tokens_BT, row_ids_B, epochs_B)
    text_BT = tokens_BT > MASK
    assert not (chosen_BT & ~text_BT).any()
    assert np.array_equal(seen_BT[~chosen_BT], tokens_BT[~chosen_BT])
    assert ((seen_BT[chosen_BT] == MASK) | (seen_BT[chosen_BT] > MASK)).all()
    order = np.array(data.draw(st.permutations(range(rows))))
    again = masker.mask(tokens_BT[order], row_ids_B[order], epochs_B[order])
    alone = [masker.mask(tokens_BT[[r]], row_ids_B[[r]], epochs_B[[r]]) for r in order]
    for which, whole in enumerate((seen_BT, chosen_BT)):
        assert np.array_equal(again[which], whole[order])
        assert np.array_equal(np.concatenate([one[which] for one in alone]), whole[order])
    if rate == 1:
        assert np.array_equal(chosen_BT, text_BT)
