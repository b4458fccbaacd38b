"""What a trained model consists of at rest, and the tables that stand beside it."""

from __future__ import annotations

import pyarrow as pa

# Files of a model. The description is JSON: `model` (its shape), `objective`, `tokenizer_digest`,
# and all other settings that its weights depend on.
WEIGHTS = "model.safetensors"
DESCRIPTION = "model.json"
HEADS = "heads.safetensors"  # of supervised pre-training only: `COLUMN.weight`, `COLUMN.bias`

# The curve of a training run: only what is the same on the same build and class of machine, so no
# times. Held-out columns are null where nothing was evaluated after the step.
CURVE = pa.schema(
    [
        pa.field("step", pa.int64(), nullable=False),  # steps done
        pa.field("num_tokens", pa.int64(), nullable=False),  # read up to here, repeats counted
        pa.field("loss", pa.float64(), nullable=False),  # nats a target, before the update
        pa.field("bits_per_byte", pa.float64()),
        pa.field("learning_rate", pa.float64(), nullable=False),
        pa.field("gradient_norm", pa.float64(), nullable=False),
        pa.field("heldout_loss", pa.float64()),
        pa.field("heldout_bits_per_byte", pa.float64()),  # causal only
        pa.field("heldout_accuracy", pa.float64()),  # of guesses of hidden tokens, or of labels
    ]
)

# How well a model predicts each held-out document. Targets are all tokens but the first (causal),
# or those that were hidden (masked); of these `num_right` were guessed.
HELDOUT_SCORES = pa.schema(
    [
        pa.field("doc_id", pa.string(), nullable=False),
        pa.field("num_targets", pa.int64(), nullable=False),  # predicted tokens
        pa.field("num_bytes", pa.int64(), nullable=False),  # UTF-8 bytes of the text
        pa.field("nats", pa.float64(), nullable=False),  # summed loss of the targets
        pa.field("num_right", pa.int64()),  # masked only
    ]
)

# Texts that a model wrote. `text` begins with the prompt.
SAMPLES = pa.schema(
    [
        pa.field("prompt", pa.string(), nullable=False),
        pa.field("text", pa.string(), nullable=False),
        pa.field("temperature", pa.float64(), nullable=False),
        pa.field("seed", pa.int64(), nullable=False),
    ]
)
