"""Print what OLMo-core reads of FILE.npy, as JSON: its windows, and documents by both its ways."""

import json
import sys
import tempfile

import numpy as np
from olmo_core.data import NumpyFSLDataset
from olmo_core.data.utils import iter_document_indices

found = []
for argument in sys.argv[1:]:
    file, size, vocab_size, bos, eos = argument.split(":")
    dtype = {"2": np.uint16, "4": np.uint32}[size]
    data = NumpyFSLDataset(
        file,
        sequence_length=57,
        pad_token_id=0,
        eos_token_id=int(eos),
        bos_token_id=int(bos),
        vocab_size=int(vocab_size),
        dtype=dtype,
    )
    data.work_dir = tempfile.mkdtemp()
    data.prepare()
    by_token = iter_document_indices(
        file, eos_token_id=int(eos), bos_token_id=int(bos), dtype=dtype
    )
    by_table = iter_document_indices(file, use_array_if_local=False)
    found.append(
        {
            "windows": [data[number]["input_ids"].tolist() for number in range(len(data))],
            "by_token": [[int(start), int(end)] for start, end in by_token],
            "by_table": [[int(start), int(end)] for start, end in by_table],
        }
    )
print(json.dumps(found))
