"""Token shards become checkpoints and scores: model, objectives, loader, one loop, entry points.

Stands after `pipelines`, and meets it only in the shards on disk. Needs torch, numpy, pyarrow,
safetensors and sentencepiece, so it also runs alone on a machine that does nothing else.
"""
