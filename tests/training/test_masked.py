"""The masked objective: what is hidden, of which document, at what cost; held-out scores."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from data_contracts.errors import InputError
from data_contracts.shards import ShardSet
from training.heldout import Scorer
from training.loader import PADDING, Loader, Rows
from training.masked import Masked, score_masked
from training.masking import Masker, Pieces
from training.model import Transformer, new_model
from training.objectives import IGNORED, Batch
from training.precision import Precision
from training.presets import preset

MASK = 3
SHAPE = preset(1, 50, 16, "modernbert")
PIECES = Pieces(MASK, (0, 1, 2))


def strong(seed: int = 0) -> Transformer:
    """Return a model whose guesses differ from each other."""
    model = new_model(SHAPE, seed)
    with torch.no_grad():
        for parameter in model.parameters():
            if parameter.ndim == 2:
                parameter.mul_(8)
    return model.eval()


def objective(rate: float = 0.4, seed: int = 0) -> Masked:
    return Masked(Masker(50, PIECES, rate, seed), bos_id=1)


def scorer(max_tokens: int | None = None, batch_rows: int = 3) -> Scorer:
    precision = Precision("float32", "asked for")
    return Scorer(16, batch_rows, precision, torch.device("cpu"), max_tokens)


def rows_of(shards: ShardSet, step: int) -> Rows:
    return Loader(shards, context_tokens=16, batch_rows=8, seed=0)(step)


def test_only_hidden_tokens_of_text_are_asked_for(random_shards: ShardSet) -> None:
    batches = [objective().batch(rows_of(random_shards, step)) for step in range(20)]
    asked = 0
    for step, batch in enumerate(batches):
        rows = rows_of(random_shards, step)
        tokens_BT = torch.from_numpy(rows.tokens_BS[:, :-1])
        chosen_BT = batch.targets != IGNORED
        asked += int(chosen_BT.sum())
        assert torch.equal(batch.targets[chosen_BT], tokens_BT[chosen_BT])
        assert torch.equal(batch.tokens_BT[~chosen_BT], tokens_BT[~chosen_BT].clamp(min=0))
        assert (tokens_BT[chosen_BT] > MASK).all()
        assert batch.num_targets == int(chosen_BT.sum())
        for numbers_T, tokens_T in zip(batch.documents_BT, tokens_BT, strict=True):
            own, others = numbers_T[tokens_T != PADDING], numbers_T[tokens_T == PADDING]
            assert (others > own.max()).all()
    assert asked > 500


def test_each_epoch_hides_other_tokens_and_each_run_the_same(random_shards: ShardSet) -> None:
    loader = Loader(random_shards, context_tokens=16, batch_rows=8, seed=0)
    num_rows = loader.plan.num_rows
    hidden: dict[int, list[np.ndarray]] = {}
    for step in range(3 * num_rows // 8):
        rows = loader(step)
        again = objective().batch(loader(step))
        batch = objective().batch(rows)
        assert torch.equal(batch.tokens_BT, again.tokens_BT)
        for row, targets_T in zip(rows.row_ids_B.tolist(), batch.targets.numpy(), strict=True):
            hidden.setdefault(row, []).append(targets_T != IGNORED)
    repeated = [masks for masks in hidden.values() if len(masks) > 1]
    assert len(repeated) > 50
    assert np.mean([np.array_equal(masks[0], masks[1]) for masks in repeated]) < 0.1


def test_the_loss_is_the_log_share_of_each_hidden_token(random_shards: ShardSet) -> None:
    model = strong()
    batch = objective().batch(rows_of(random_shards, 0))
    with torch.no_grad():
        shares = torch.softmax(model(batch.tokens_BT, batch.documents_BT).double(), dim=-1)
    places = (batch.targets != IGNORED).nonzero()
    assert len(places) > 20
    expected = -sum(torch.log(shares[b, t, batch.targets[b, t]]) for b, t in places.tolist())
    loss = objective().loss_sum(model, batch)
    torch.testing.assert_close(loss.double(), expected, rtol=1e-5, atol=1e-5)
    loss.backward()
    assert model.head_bias is not None
    assert model.head_bias.grad is not None


def test_a_batch_without_a_hidden_token_costs_nothing() -> None:
    rows = Rows(np.array([[1, 2, 1, 2]]), np.array([0]))
    batch = objective().batch(rows)
    assert batch.num_targets == 0
    model = strong()
    loss = objective().loss_sum(model, batch)
    assert float(loss.detach()) == 0
    loss.backward()
    assert all(parameter.grad is not None for parameter in model.parameters())


def test_what_stands_in_another_document_changes_no_guess() -> None:
    model = strong()
    mine, other = [1, 5, MASK, 7, 2], [1, 9, 10, 11, 2]
    losses = []
    for second in (other, [1, 30, 31, 32, 2]):
        tokens_BT = torch.tensor([mine + second])
        targets = torch.full_like(tokens_BT, IGNORED)
        targets[0, 2] = 6
        batch = Batch(tokens_BT, torch.tensor([[1] * 5 + [2] * 5]), targets)
        losses.append(float(objective().loss_sum(model, batch).detach()))
    alone = Batch(torch.tensor([mine]), torch.ones(1, 5, dtype=torch.long), targets[:, :5])
    assert losses[0] == losses[1]
    assert losses[0] == pytest.approx(float(objective().loss_sum(model, alone).detach()), rel=1e-5)


def test_held_out_scores_are_those_of_all_guesses(random_shards: ShardSet) -> None:
    model = strong()
    masker = Masker(50, PIECES, 0.4, seed=9)
    scores = score_masked(model, random_shards, scorer(), masker)
    other_seed = Masker(50, PIECES, 0.4, seed=8)
    again = score_masked(model, random_shards, scorer(batch_rows=7), other_seed)
    assert len(scores.indexes_N) == random_shards.num_documents == 60
    assert np.array_equal(scores.num_targets_N, again.num_targets_N)
    assert np.array_equal(scores.num_right_N, again.num_right_N)
    np.testing.assert_allclose(scores.nats_N, again.nats_N, rtol=1e-5)
    lengths = np.concatenate([np.diff(shard.offsets) for shard in random_shards.shards])
    assert (scores.num_targets_N <= lengths - 2).all()
    assert scores.num_targets_N.sum() == pytest.approx(0.4 * (lengths - 2).sum(), rel=0.15)
    assert 0 < scores.accuracy < 0.5
    assert scores.loss == pytest.approx(scores.nats_N.sum() / scores.num_targets_N.sum())
    some = score_masked(model, random_shards, scorer(max_tokens=400), masker)
    assert 5 < len(some.indexes_N) < 30


def test_without_a_document_there_is_no_score(make_shards) -> None:
    with pytest.raises(InputError, match="no held-out document to score"):
        score_masked(strong(), make_shards([[]]), scorer(), Masker(50, PIECES, 0.4, 0))
