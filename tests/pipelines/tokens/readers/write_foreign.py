"""Write documents (JSON on standard input) with others' own writers into FOLDER."""

import json
import sys
import warnings
from pathlib import Path

warnings.simplefilter("ignore")

import numpy as np  # noqa: E402
import torch  # noqa: E402
from datatrove.pipeline.tokens.tokenizer import TokenizedFile  # noqa: E402
from megatron.core.datasets.indexed_dataset import IndexedDatasetBuilder  # noqa: E402

folder = Path(sys.argv[1])
documents = json.load(sys.stdin)
builder = IndexedDatasetBuilder(str(folder / "megatron.bin"), dtype=np.uint16)
for document in documents:
    builder.add_document(torch.tensor(document), [len(document)])
builder.finalize(str(folder / "megatron.idx"))

trove = TokenizedFile(
    str(folder),
    "trove.ds",
    save_loss_metadata=True,
    tokenizer_name_or_path="gpt2",
    save_final_metadata=True,
)
for document in documents:
    trove.write(document, [token % 2 for token in document])
trove.close()
