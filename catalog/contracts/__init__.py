"""Data contracts held against datasets: numbers by DuckDB, judgement by `data_contracts.gate`."""
