"""Deduplication: signatures, edges, choice. Edges first, choice second."""
