"""What a model's ``config.json`` says to the library `transformers`.

Stands beside `training.hf_names`, which says the same of weights.
"""

from __future__ import annotations

from typing import Any

from training.model_config import ModelConfig


def hf_config(config: ModelConfig) -> dict[str, Any]:
    """Return their settings of a model, but for the ids of special tokens."""
    of_shape = {"llama": _llama, "modernbert": _modernbert, "gpt2": _gpt2}[config.shape]
    return {
        "vocab_size": config.vocab_size,
        "tie_word_embeddings": config.tied_head,
        **of_shape(config),
    }


def _llama(config: ModelConfig) -> dict[str, Any]:
    return {
        **_sizes(config),
        "model_type": "llama",
        "architectures": ["LlamaForCausalLM"],
        "num_key_value_heads": config.num_kv_heads,
        "rms_norm_eps": config.norm_epsilon,
        "rope_parameters": _rope(config.rope_base),
    }


def _modernbert(config: ModelConfig) -> dict[str, Any]:
    kinds = ("full_attention", "sliding_attention")
    return {
        **_sizes(config),
        "model_type": "modernbert",
        "architectures": ["ModernBertForMaskedLM"],
        "norm_eps": config.norm_epsilon,
        "layer_types": [kinds[config.is_local(layer)] for layer in range(config.num_layers)],
        "local_attention": config.window_tokens,
        "embedding_dropout": config.dropout_ratio,
        "rope_parameters": {
            kind: _rope(base)
            for kind, base in zip(kinds, (config.rope_base, config.local_rope_base), strict=True)
        },
    }


def _gpt2(config: ModelConfig) -> dict[str, Any]:
    return {
        "model_type": "gpt2",
        "architectures": ["GPT2LMHeadModel"],
        "n_positions": config.context_tokens,
        "n_embd": config.width,
        "n_layer": config.num_layers,
        "n_head": config.num_heads,
        "n_inner": config.feed_forward_width,
        "layer_norm_epsilon": config.norm_epsilon,
        "activation_function": "gelu" if config.exact_gelu else "gelu_new",
        **dict.fromkeys(("resid_pdrop", "embd_pdrop", "attn_pdrop"), config.dropout_ratio),
    }


def _sizes(config: ModelConfig) -> dict[str, Any]:
    return {
        "hidden_size": config.width,
        "intermediate_size": config.feed_forward_width,
        "num_hidden_layers": config.num_layers,
        "num_attention_heads": config.num_heads,
        "max_position_embeddings": config.context_tokens,
        "attention_dropout": config.dropout_ratio,
    }


def _rope(base: float) -> dict[str, Any]:
    return {"rope_type": "default", "rope_theta": base}
