"""Raw text to token shards: one small file per step, each a pure function."""
