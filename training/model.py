"""The model: one Transformer in three shapes, from tokens to logits.

Stands between the loader's batches and the objectives. Weights are held in float32; what runs in
bfloat16 is decided outside, by autocast.

Shapes: B rows, T tokens of a row, V vocabulary, W width, D size of a head.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from training.attention import Attention, Sight, Sights, sights_of
from training.feed_forward import GatedFeedForward, PlainFeedForward
from training.model_config import ModelConfig
from training.norm import Norm
from training.positions import rotation_table

INIT_STD = 0.02
INIT_LOGIT_STD = 0.2


class Transformer(nn.Module):
    """Embedding, ``num_layers`` blocks, a last norm, a head: what `ModelConfig` says.

    The parts that a shape lacks are None.
    """

    rotation_2TD: Tensor | None
    local_rotation_2TD: Tensor | None

    def __init__(self, config: ModelConfig):
        super().__init__()
        encoder, learned = config.shape == "modernbert", config.shape == "gpt2"
        self.config = config
        self.compiled = False
        self.embedding = nn.Embedding(config.vocab_size, config.width)
        self.positions = nn.Embedding(config.context_tokens, config.width) if learned else None
        self.embedding_norm = new_norm(config) if encoder else None
        self.dropout = nn.Dropout(config.dropout_ratio)
        self.blocks = nn.ModuleList(Block(config, layer) for layer in range(config.num_layers))
        self.norm = new_norm(config)
        self.prediction = Prediction(config) if encoder else None
        self.untied_head = None if config.tied_head else UntiedHead(config)
        self.head_bias = nn.Parameter(torch.zeros(config.vocab_size)) if encoder else None
        self.fill_tables()

    def fill_tables(self) -> None:
        """Compute what is no weight, but follows from the config: angles of positions."""
        c = self.config
        bases = {
            "rotation_2TD": None if c.shape == "gpt2" else c.rope_base,
            "local_rotation_2TD": c.local_rope_base if c.shape == "modernbert" else None,
        }
        for name, base in bases.items():
            table = None if base is None else rotation_table(c.head_size, c.context_tokens, base)
            self.register_buffer(name, table, persistent=False)

    def forward(self, tokens_BT: Tensor, documents_BT: Tensor | None = None) -> Tensor:
        """Return the logits [B, T, V]: of a decoder those of the token that follows each token.

        ``documents_BT`` numbers the document of each token: a token attends only to its own
        document, so what stands in another changes no bit of its logits. None: one document a row.
        """
        return self.head(self.hidden(tokens_BT, documents_BT))

    def hidden(self, tokens_BT: Tensor, documents_BT: Tensor | None = None) -> Tensor:
        """Return the last, normalised hidden state of each token, [B, T, W]."""
        x_BTW = self.embed(tokens_BT)
        sights = self.sights(tokens_BT, documents_BT)
        for block in self.blocks:
            x_BTW = block(x_BTW, sights)
        return self.norm(x_BTW)

    def embed(self, tokens_BT: Tensor, first: int = 0) -> Tensor:
        """Return what enters the blocks, [B, T, W]; the tokens stand at places from ``first``."""
        x_BTW = self.embedding(tokens_BT)
        if self.positions is not None:
            x_BTW = x_BTW + self.positions.weight[first : first + tokens_BT.shape[1]]
        if self.embedding_norm is not None:
            x_BTW = self.embedding_norm(x_BTW)
        return self.dropout(x_BTW)

    def sights(self, tokens_BT: Tensor, documents_BT: Tensor | None) -> Sights:
        """Return what layers see, as tiles where these are faster, and turned by which angles.

        A GPU's kernels want masks, and so do dropout and what is compiled for any documents.
        """
        config, num_tokens = self.config, tokens_BT.shape[1]
        dropping = self.training and config.dropout_ratio > 0
        window_tokens = None if self.local_rotation_2TD is None else config.window_tokens
        if documents_BT is None and window_tokens is None:
            whole, near = Sights(Sight(config.causal))
        else:
            if documents_BT is None:
                documents_BT = torch.zeros_like(tokens_BT)
            tiling = not (tokens_BT.is_cuda or self.compiled or dropping)
            whole, near = sights_of(documents_BT, config.causal, window_tokens, tiling)
        whole = whole._replace(rotation_2TD=first_places(self.rotation_2TD, num_tokens))
        if near is not None:
            near = near._replace(rotation_2TD=first_places(self.local_rotation_2TD, num_tokens))
        return Sights(whole, near)

    def head(self, hidden_BTW: Tensor) -> Tensor:
        """Return the logits [..., V] of hidden states [..., W]."""
        return F.linear(self.before_head(hidden_BTW), self.head_weight, self.head_bias)

    def before_head(self, hidden_BTW: Tensor) -> Tensor:
        """Return what the head's matrix is multiplied with, [..., W]: an encoder's transformed."""
        return hidden_BTW if self.prediction is None else self.prediction(hidden_BTW)

    @property
    def head_weight(self) -> Tensor:
        """The head's matrix [V, W]; ``head_bias`` [V] is added to its logits, if there is one."""
        return self.embedding.weight if self.untied_head is None else self.untied_head.weight

    def compile_parts(self) -> None:
        """Have torch compile the blocks, and objectives the loss; the weights' names stay.

        All blocks share what is compiled for the first. Compiled numbers are rounded otherwise.
        """
        self.compiled = True
        for block in self.blocks:
            block.compile()

    @property
    def num_parameters(self) -> int:
        """All parameters; a tied embedding, which is also the head, counts once."""
        return sum(parameter.numel() for parameter in self.parameters())


class Block(nn.Module):
    """Attention, then feed-forward, each on the normalised stream and added to it.

    A modernbert's first block does not normalise again what the embedding's norm just did.
    """

    def __init__(self, config: ModelConfig, layer: int):
        super().__init__()
        normed = config.shape == "modernbert" and layer == 0
        plain = config.shape == "gpt2"
        self.local = config.is_local(layer)
        self.attention_norm = nn.Identity() if normed else new_norm(config)
        self.attention = Attention(config)
        self.feed_forward_norm = new_norm(config)
        self.feed_forward = PlainFeedForward(config) if plain else GatedFeedForward(config)
        self.dropout = nn.Dropout(config.dropout_ratio)

    def forward(self, x_BTW: Tensor, sights: Sights) -> Tensor:
        """Return the stream after this block, [B, T, W]; of the sights it takes its kind's."""
        sight = sights.near if self.local else sights.whole
        assert sight is not None
        x_BTW = x_BTW + self.dropout(self.attention(self.attention_norm(x_BTW), sight))
        return x_BTW + self.dropout(self.feed_forward(self.feed_forward_norm(x_BTW)))


class Prediction(nn.Module):
    """What stands before an encoder's head: a dense layer, GELU, a norm (Devlin et al. 2018)."""

    def __init__(self, config: ModelConfig):
        super().__init__()
        self.dense = nn.Linear(config.width, config.width, bias=False)
        self.norm = new_norm(config)

    def forward(self, hidden_BTW: Tensor) -> Tensor:
        """Return the transformed states, [..., W]."""
        return self.norm(F.gelu(self.dense(hidden_BTW)))


class UntiedHead(nn.Module):
    """A head's matrix of its own, [V, W]."""

    def __init__(self, config: ModelConfig):
        super().__init__()
        self.weight = nn.Parameter(torch.empty(config.vocab_size, config.width))


def new_norm(config: ModelConfig) -> nn.Module:
    """Return the norm of a shape: root mean square for a llama, else LayerNorm."""
    if config.shape == "llama":
        return Norm(config.width, config.norm_epsilon)
    return nn.LayerNorm(config.width, config.norm_epsilon, bias=config.biases)


def first_places(rotation_2TD: Tensor | None, num_tokens: int) -> Tensor | None:
    """Return the part of a table that so many tokens need."""
    return None if rotation_2TD is None else rotation_2TD[:, :num_tokens]


def new_model(config: ModelConfig, seed: int) -> Transformer:
    """Return a model with weights drawn from a seed; equal on every machine with this torch.

    Matrices are normal with deviation 0.02; those that write to the stream are smaller by the root
    of twice the layers (Radford et al. 2019), so that its variance does not grow with depth. The
    head's is smaller still: it gives logits of deviation 0.2 at any width, and the first loss is
    that of knowing nothing, ln V, within 1%. GPT-2 and nanoGPT begin with 0.02 there too, up to
    2.3% above ln V at widths up to 768.
    """
    model = Transformer(config)
    generator = torch.Generator().manual_seed(seed)
    for name, parameter in model.named_parameters():
        if parameter.ndim == 2:
            nn.init.normal_(parameter, std=init_std(name, config), generator=generator)
        elif name.endswith("bias"):
            nn.init.zeros_(parameter)
    return model


def init_std(name: str, config: ModelConfig) -> float:
    """Return the deviation that a matrix begins with."""
    if name == ("embedding.weight" if config.tied_head else "untied_head.weight"):
        return INIT_LOGIT_STD * config.width**-0.5
    return INIT_STD * ((2 * config.num_layers) ** -0.5 if name.endswith("output.weight") else 1)
