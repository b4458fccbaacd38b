"""The causal objective: which tokens are asked for, of which document, at what cost."""

from __future__ import annotations

import numpy as np
import torch

from training.classifier import new_classifier
from training.loader import PADDING, Rows
from training.model import new_model
from training.model_config import ModelConfig
from training.objectives import IGNORED, Causal, Supervised, token_losses

CONFIG = ModelConfig(40, 1, 16, 2, 1, 24, 16)


def rows(*lines: list[int]) -> Rows:
    return Rows(np.array(lines, np.int64), np.arange(len(lines)))


def test_targets_are_the_next_tokens_but_no_beginnings_and_no_padding() -> None:
    batch = Causal(bos_id=1).batch(rows([5, 2, 1, 7, 8, 2, 1, 9], [1, 4, 2, 1, 6, -1, -1, -1]))
    assert batch.tokens_BT.tolist() == [[5, 2, 1, 7, 8, 2, 1], [1, 4, 2, 1, 6, 0, 0]]
    nothing = IGNORED
    assert batch.targets.tolist() == [
        [2, nothing, 7, 8, 2, nothing, 9],
        [4, 2, nothing, 6, nothing, nothing, nothing],
    ]
    assert batch.documents_BT.tolist() == [[0, 0, 1, 1, 1, 1, 2], [1, 1, 1, 2, 2, 2, 2]]
    assert batch.num_targets == 8
    assert PADDING == -1


def test_rows_that_number_their_documents_are_taken_at_their_word() -> None:
    numbered = Rows(
        np.array([[5, 6, 2, 7, 8, 2, -1, -1]]), np.zeros(1), np.array([[1, 1, 1, 2, 2, 2, 0, 0]])
    )
    batch = Causal(bos_id=1).batch(numbered)
    nothing = IGNORED
    assert batch.targets.tolist() == [[6, 2, nothing, 8, 2, nothing, nothing]]
    assert batch.documents_BT.tolist() == [[1, 1, 1, 2, 2, 2, 0]]


def test_the_rest_of_a_cut_document_does_not_see_what_it_is_packed_with() -> None:
    """It begins without BOS, so that only its number parts it from what stands before it."""
    model, causal = new_model(CONFIG, 0), Causal(bos_id=1)
    numbers = np.array([[1, 1, 1, 2, 2, 2, 2, 0]])
    losses = [
        token_losses(model, causal.batch(Rows(np.array([tokens]), np.zeros(1), numbers)))[0]
        for tokens in ([1, 5, 2, 9, 8, 7, 2, -1], [1, 30, 31, 9, 8, 7, 2, -1])
    ]
    assert losses[0][3:6].tolist() == losses[1][3:6].tolist()
    assert losses[0][:2].tolist() != losses[1][:2].tolist()
    assert min(losses[0][3:6]) > 0 == losses[0][2] == losses[0][6]


def test_the_loss_is_the_log_share_of_each_target() -> None:
    model, objective = new_model(CONFIG, 0), Causal(bos_id=1)
    batch = objective.batch(rows([5, 2, 1, 7, 8, 2, 1, 9], [1, 4, 2, 1, 6, -1, -1, -1]))
    shares = torch.softmax(model(batch.tokens_BT, batch.documents_BT).double(), dim=-1)
    expected = torch.zeros(2, 7, dtype=torch.float64)
    for b in range(2):
        for t in range(7):
            target = int(batch.targets[b, t])
            if target != IGNORED:
                expected[b, t] = -torch.log(shares[b, t, target])
    torch.testing.assert_close(token_losses(model, batch).double(), expected)
    total = objective.loss_sum(model, batch)
    torch.testing.assert_close(total.double(), expected.sum())
    assert total.dtype == torch.float32


def test_parts_of_a_batch_are_its_rows() -> None:
    batch = Causal(bos_id=1).batch(rows(*[[1, n, n + 1, 2] for n in range(3, 8)]))
    parts = [batch.part(start, start + 2) for start in (0, 2, 4)]
    assert [len(part) for part in parts] == [2, 2, 1]
    assert torch.equal(torch.cat([part.targets for part in parts]), batch.targets)


def test_classes_come_by_row_number_and_padding_is_nobodys() -> None:
    labels = np.array([2, 0, 1])
    drawn = Rows(np.array([[1, 5, 2], [1, 2, PADDING]], np.int64), np.array([2, 0]))
    batch = Supervised(labels).batch(drawn)
    assert batch.targets.tolist() == [1, 2]
    assert batch.tokens_BT.tolist() == [[1, 5, 2], [1, 2, 0]]
    assert batch.documents_BT.tolist() == [[1, 1, 1], [1, 1, 0]]
    assert batch.num_targets == 2
    model = new_classifier(CONFIG, 3, 0)
    shares = torch.softmax(model(batch.tokens_BT, batch.documents_BT).double(), dim=1)
    expected = -torch.log(shares[0, 1]) - torch.log(shares[1, 2])
    loss = Supervised(labels).loss_sum(model, batch)
    torch.testing.assert_close(loss.double(), expected)
    assert loss.dtype == torch.float32
