from pathlib import Path

import pyarrow as pa

import pipelines.signals
from pipelines.signals import FAMILIES, SIGNALS_SCHEMA, signal_names

NOT_FAMILIES = {"__init__", "family", "registry"}


def test_every_family_file_is_registered_and_tested():
    files = {path.stem for path in Path(pipelines.signals.__file__).parent.glob("*.py")}
    names = [family.name for family in FAMILIES]
    assert sorted(names) == sorted(files - NOT_FAMILIES)
    tests = {path.stem for path in Path(__file__).parent.glob("test_*.py")}
    assert {f"test_{name}" for name in names} <= tests


def test_schema_is_doc_id_and_the_signals_in_order():
    assert SIGNALS_SCHEMA.names == ["doc_id", *signal_names()]
    assert len(set(SIGNALS_SCHEMA.names)) == len(SIGNALS_SCHEMA.names) > 20


def test_every_signal_says_what_it_is_and_is_never_null():
    for name in signal_names():
        field = SIGNALS_SCHEMA.field(name)
        assert not field.nullable
        assert field.metadata[b"description"].endswith(b".")
        assert field.metadata[b"unit"]
        is_count = name.startswith(("num_", "max_"))
        assert field.type == (pa.int64() if is_count else pa.float64()), name
        assert is_count or name.endswith("_ratio") or name.startswith("mean_")
