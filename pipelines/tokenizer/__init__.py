"""Tokenizer training: a deterministic sample of the curated text, and SentencePiece."""
