"""Print the documents that Megatron-core reads of PREFIX.bin and PREFIX.idx, as JSON."""

import json
import sys
import warnings

warnings.simplefilter("ignore")

from megatron.core.datasets.indexed_dataset import IndexedDataset  # noqa: E402

found = []
for prefix in sys.argv[1:]:
    data = IndexedDataset(prefix)
    bounds = data.document_indices.tolist()
    assert bounds == list(range(len(data) + 1))
    found.append([data.get(number).tolist() for number in range(len(data))])
print(json.dumps(found))
