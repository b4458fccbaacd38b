"""Where the weights of a model lie under the names of the library `transformers`.

Stands between our weights and files that others read or wrote; the library itself is not needed.
The three shapes are its `LlamaForCausalLM`, `ModernBertForMaskedLM` and `GPT2LMHeadModel`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

from training.model_config import ModelConfig

_LLAMA = {
    "attention_norm.weight": "input_layernorm.weight",
    "attention.output.weight": "self_attn.o_proj.weight",
    "feed_forward_norm.weight": "post_attention_layernorm.weight",
    "feed_forward.output.weight": "mlp.down_proj.weight",
}
_MODERNBERT = {
    "attention_norm.weight": "attn_norm.weight",
    "attention.query_key_value.weight": "attn.Wqkv.weight",
    "attention.output.weight": "attn.Wo.weight",
    "feed_forward_norm.weight": "mlp_norm.weight",
    "feed_forward.gate_value.weight": "mlp.Wi.weight",
    "feed_forward.output.weight": "mlp.Wo.weight",
}
_GPT2 = {
    "attention_norm": "ln_1",
    "attention.query_key_value": "attn.c_attn",
    "attention.output": "attn.c_proj",
    "feed_forward_norm": "ln_2",
    "feed_forward.up": "mlp.c_fc",
    "feed_forward.output": "mlp.c_proj",
}
_FINAL = "transformer.ln_f."


@dataclass(frozen=True)
class Place:
    """A tensor of theirs that holds the next ``num_rows`` rows of one of ours (None: all of it)."""

    name: str
    num_rows: int | None = None
    transposed: bool = False


Places = dict[str, tuple[Place, ...]]


def places(config: ModelConfig) -> Places:
    """Return, for each weight of a model, where it lies among theirs."""
    return {"llama": _llama, "modernbert": _modernbert, "gpt2": _gpt2}[config.shape](config)


def to_theirs(tensors: Mapping[str, Tensor], config: ModelConfig) -> dict[str, Tensor]:
    """Return a model's tensors as theirs; a gpt2 without biases is given biases of 0."""
    theirs: dict[str, Tensor] = {}
    for name, found in places(config).items():
        tensor = tensors[name]
        sizes = [len(tensor) if place.num_rows is None else place.num_rows for place in found]
        for place, part in zip(found, tensor.split(sizes), strict=True):
            theirs[place.name] = (part.T if place.transposed else part).contiguous()
    if config.shape == "gpt2" and not config.biases:
        for name in [name for name in theirs if name.startswith(("transformer.h.", _FINAL))]:
            width = theirs[name].shape[-1]
            theirs[name.removesuffix("weight") + "bias"] = torch.zeros(width)
    return theirs


def to_ours(tensors: Mapping[str, Tensor], config: ModelConfig) -> dict[str, Tensor]:
    """Return their tensors as a model's; also such as are shaped like them, as gradients are.

    Raises KeyError for one that is missing. What has no place in the model is left out.
    """
    ours = {}
    for name, found in places(config).items():
        parts = [
            tensors[place.name].T if place.transposed else tensors[place.name] for place in found
        ]
        ours[name] = torch.cat(parts) if len(parts) > 1 else parts[0].contiguous()
    return ours


def _llama(config: ModelConfig) -> Places:
    heads = config.num_heads * config.head_size
    kv_heads = config.num_kv_heads * config.head_size
    found = _whole(
        {"embedding.weight": "model.embed_tokens.weight", "norm.weight": "model.norm.weight"}
    )
    for layer in range(config.num_layers):
        ours, theirs = f"blocks.{layer}.", f"model.layers.{layer}."
        found |= _whole({ours + name: theirs + other for name, other in _LLAMA.items()})
        found[ours + "attention.query_key_value.weight"] = tuple(
            Place(f"{theirs}self_attn.{letter}_proj.weight", rows)
            for letter, rows in (("q", heads), ("k", kv_heads), ("v", kv_heads))
        )
        found[ours + "feed_forward.gate_value.weight"] = tuple(
            Place(f"{theirs}mlp.{part}_proj.weight", config.feed_forward_width)
            for part in ("gate", "up")
        )
    return found | _head(config, "lm_head.weight")


def _modernbert(config: ModelConfig) -> Places:
    found = _whole(
        {
            "embedding.weight": "model.embeddings.tok_embeddings.weight",
            "embedding_norm.weight": "model.embeddings.norm.weight",
            "norm.weight": "model.final_norm.weight",
            "prediction.dense.weight": "head.dense.weight",
            "prediction.norm.weight": "head.norm.weight",
            "head_bias": "decoder.bias",
        }
    )
    for layer in range(config.num_layers):
        found |= _whole(
            {
                f"blocks.{layer}.{name}": f"model.layers.{layer}.{other}"
                for name, other in _MODERNBERT.items()
                if layer or name != "attention_norm.weight"
            }
        )
    return found | _head(config, "decoder.weight")


def _gpt2(config: ModelConfig) -> Places:
    found = _whole(
        {
            "embedding.weight": "transformer.wte.weight",
            "positions.weight": "transformer.wpe.weight",
        }
    )
    for kind in ("weight", "bias") if config.biases else ("weight",):
        found[f"norm.{kind}"] = (Place(_FINAL + kind),)
        for layer in range(config.num_layers):
            for name, other in _GPT2.items():
                transposed = kind == "weight" and not name.endswith("norm")
                place = Place(f"transformer.h.{layer}.{other}.{kind}", transposed=transposed)
                found[f"blocks.{layer}.{name}.{kind}"] = (place,)
    return found | _head(config, "lm_head.weight")


def _whole(names: Mapping[str, str]) -> Places:
    return {ours: (Place(theirs),) for ours, theirs in names.items()}


def _head(config: ModelConfig, name: str) -> Places:
    return {} if config.tied_head else {"untied_head.weight": (Place(name),)}
