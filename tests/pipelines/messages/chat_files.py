"""Files of conversations, a tokenizer with the marks, and what the template makes of them."""

import json

import pyarrow as pa

from data_contracts.tokenizer import TOKENIZERS
from pipelines.tokenizer.train_tokenizer import TokenizerConfig, train_model
from store.identity import digest_bytes

MARKS = ("<|system|>", "<|user|>", "<|assistant|>", "<|end|>")
TEXTS = ["what is the sum of two and three?", "it is five.", "be brief and kind.", "why so?"]


def trained_table(symbols=MARKS):
    model = train_model(TEXTS * 20, TokenizerConfig(vocab_size=320, control_symbols=symbols))
    row = {"name": "tokenizer.model", "digest": digest_bytes(model), "data": model}
    return pa.Table.from_pylist([row], TOKENIZERS)


def line_of(*pairs, **more):
    messages = [{"role": role, "content": content} for role, content in pairs]
    return json.dumps({"messages": messages, **more}).encode() + b"\n"


def expected(oracle, pairs):
    """Return ids and mask of a conversation, written anew from the template's description."""
    ids, mask = [oracle.bos_id()], [0]
    for role, content in pairs:
        inner = oracle.encode(content)
        said = int(role == "assistant" and len(inner) > 0)
        ids += [oracle.piece_to_id(f"<|{role}|>"), *inner, oracle.piece_to_id("<|end|>")]
        mask += [0, *[said] * len(inner), said]
    return [*ids, oracle.eos_id()], [*mask, mask[-1]]
