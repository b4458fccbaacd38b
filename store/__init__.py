"""The store: identity, datasets, the runner, leases, clean-up and verification.

The bottom of the house. Everything else stands on it, and it knows nothing of documents, Prefect,
DuckDB or torch: a step is a function, a partition a file with a receipt, a dataset a manifest.
"""
