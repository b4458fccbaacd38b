"""Token shards from curated text."""
