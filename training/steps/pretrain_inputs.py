"""What pre-training reads besides token shards: a vocabulary's pieces, or documents' labels."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pyarrow.compute as pc

from data_contracts.errors import Damaged, InputError
from data_contracts.tokenizer import tokenizer_of
from store.step import Inputs
from training.config import PretrainConfig
from training.steps.token_shards import documents_of

if TYPE_CHECKING:
    from training.document_labels import DocumentLabels
    from training.masking import Pieces


def pieces_for(inputs: Inputs, config: PretrainConfig) -> Pieces:
    """Return what masking must know of the tokenizer; raises InputError if it has no mask."""
    from training.masking import Pieces, piece_kinds

    tokenizer = tokenizer_of(inputs.table("tokenizer"))
    vocabulary = tokenizer.vocabulary
    if vocabulary.mask_id is None:
        raise InputError(
            "the tokenizer has no mask, which masked pre-training needs; train one with '<mask>' "
            "among tokenizer.control_symbols, or give pretrain.objective = 'causal'."
        )
    kinds_V = None
    if config.whole_words:
        kinds_V = piece_kinds([tokenizer.piece(n) for n in range(vocabulary.vocab_size)])
    special = {*tokenizer.special_ids.values(), *tokenizer.control_ids.values()}
    return Pieces(vocabulary.mask_id, tuple(sorted(special)), kinds_V)


def labels_for(inputs: Inputs, config: PretrainConfig) -> DocumentLabels:
    """Return the labels of the packed documents, which the curated ones of the same ids have.

    Raises InputError if no train document has an asked label, Damaged if a document is not curated.
    """
    from training.document_labels import number_labels

    curated = inputs.table("curated", ["doc_id", "labels"]).combine_chunks()
    known = curated["doc_id"].combine_chunks()
    values = {}
    for split in ("train", "heldout"):
        ids = documents_of(inputs.parts["tokens"], split)["doc_id"]
        rows = pc.index_in(ids, value_set=known)
        if rows.null_count:
            raise Damaged(
                f"{rows.null_count:,} of {len(ids):,} {split} documents of the token shards are "
                "not curated; `millrace verify --repair` sets what is damaged aside, then run "
                "again."
            )
        labels = curated["labels"].take(rows).combine_chunks()
        values[split] = [
            pc.map_lookup(labels, column, "first").to_pylist() for column in config.label_columns
        ]
    return number_labels(config.label_columns, values["train"], values["heldout"])
