"""Print each window of 57 tokens, with positions, that datatrove reads of FILE.ds, as JSON."""

import json
import sys

from datatrove.utils.dataset import DatatroveFileDataset

found = []
for argument in sys.argv[1:]:
    file, _, size = argument.partition(":")
    data = DatatroveFileDataset(file, 56, token_size=int(size), return_positions=True)
    found.append(
        [[data[n]["input_ids"].tolist(), data[n]["positions"].tolist()] for n in range(len(data))]
    )
print(json.dumps(found))
