"""A classifier of documents: a model's trunk, one vector a document, a linear head.

Stands beside `training.model` for fine-tuning. Documents are filled up on the right, so what fills
a row reaches no token of its document where attention is causal, and no mask is needed there.

Shapes: B documents, T tokens of a row, W width, C classes.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor, nn

from data_contracts.errors import Damaged, UsageError
from training.finetune_config import POOLINGS
from training.model import INIT_STD, Transformer, new_model
from training.model_config import ModelConfig


class Classifier(nn.Module):
    """Trunk, pooling over a document's own tokens, standardising, dropout, head.

    ``pooling`` is ``mean`` over all of its tokens or ``last``, the state of its last one. Raises
    UsageError for another pooling, or fewer than two classes.
    """

    center_W: Tensor
    scale_W: Tensor

    def __init__(
        self,
        trunk: Transformer,
        num_classes: int,
        pooling: str = "mean",
        dropout_ratio: float = 0.0,
    ):
        super().__init__()
        if pooling not in POOLINGS:
            raise UsageError(f"pooling is {pooling!r}; give {' or '.join(POOLINGS)}")
        if num_classes < 2:
            raise UsageError(f"num_classes is {num_classes}; give 2 or more")
        self.pooling = pooling
        self.trunk = trunk
        self.register_buffer("center_W", torch.zeros(trunk.config.width))
        self.register_buffer("scale_W", torch.ones(trunk.config.width))
        self.dropout = nn.Dropout(dropout_ratio)
        self.head = nn.Linear(trunk.config.width, num_classes)

    def forward(self, tokens_BT: Tensor, own_BT: Tensor) -> Tensor:
        """Return the logits [B, C]; ``own_BT`` is 1 at a document's own tokens, 0 at what fills up.

        A document has at least one token, and stands at the beginning of its row.
        """
        pooled_BW = self.pool(self.states(tokens_BT, own_BT), own_BT)
        return self.head(self.dropout((pooled_BW - self.center_W) / self.scale_W))

    def states(self, tokens_BT: Tensor, own_BT: Tensor) -> Tensor:
        """Return the trunk's last states [B, T, W], which nothing that fills up has touched."""
        return self.trunk.hidden(tokens_BT, None if self.trunk.config.causal else own_BT)

    @torch.no_grad()
    def standardise(self, batches: Iterable[tuple[Tensor, Tensor]]) -> None:
        """Centre and scale pooled states by their mean and deviation over some documents.

        Takes pairs of tokens and ``own_BT``. Mean states of a language model share one large
        direction, beside which what tells documents apart is small: without this the head spends
        its first epochs on that. It is done once, before training, alike for every trunk.
        """
        pooled = [self.pool(self.states(tokens, own), own) for tokens, own in batches]
        pooled_NW = torch.cat(pooled).double()
        self.center_W.copy_(pooled_NW.mean(dim=0))
        self.scale_W.copy_(pooled_NW.std(dim=0, correction=0).clamp(min=1e-6))

    def pool(self, hidden_BTW: Tensor, own_BT: Tensor) -> Tensor:
        """Return one vector a document, [B, W]."""
        lengths_B = own_BT.sum(dim=1)
        if self.pooling == "last":
            return hidden_BTW[torch.arange(len(hidden_BTW)), lengths_B - 1]
        own_BT1 = own_BT.unsqueeze(2).to(hidden_BTW.dtype)
        return (hidden_BTW * own_BT1).sum(dim=1) / lengths_B.unsqueeze(1)


def new_classifier(
    shape: ModelConfig,
    num_classes: int,
    seed: int,
    weights: Path | None = None,
    pooling: str = "mean",
    dropout_ratio: float = 0.0,
) -> Classifier:
    """Return a classifier on a trained trunk (a file of a model's weights), or on a fresh one.

    The head, and a fresh trunk, are drawn from the seed; both of a seed have the same head. Raises
    Damaged if the file cannot be read, UsageError if it is of another model.
    """
    trunk = new_model(shape, seed)
    if weights is not None:
        load_trunk(trunk, weights)
    model = Classifier(trunk, num_classes, pooling, dropout_ratio)
    generator = torch.Generator().manual_seed(key_of("head", seed))
    nn.init.normal_(model.head.weight, std=INIT_STD, generator=generator)
    nn.init.zeros_(model.head.bias)
    return model


def load_trunk(trunk: Transformer, weights: Path) -> None:
    """Put trained weights into a model of their shape."""
    try:
        tensors = load_file(weights)
    except (OSError, SafetensorError) as error:
        raise Damaged(f"{weights} cannot be read ({error}); train the model again") from error
    ours = {name: tensor.shape for name, tensor in trunk.state_dict().items()}
    theirs = {name: tensor.shape for name, tensor in tensors.items()}
    for name in sorted({*ours, *theirs}):
        if ours.get(name) != theirs.get(name):
            raise UsageError(
                f"{weights} is of another model: {name} is {theirs.get(name)} there and "
                f"{ours.get(name)} here; use the shape it was trained with"
            )
    trunk.load_state_dict(tensors)


def key_of(purpose: str, seed: int) -> int:
    """Return a generator's seed, unrelated for other purposes and other seeds; below 2^63."""
    digest = hashlib.sha256(f"{purpose} {seed}".encode()).digest()
    return int.from_bytes(digest[:8], "little") >> 1
