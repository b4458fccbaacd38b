from pathlib import Path

import pyarrow as pa
import pytest

import pipelines.signals
from data_contracts.errors import RecipeError
from pipelines.signals.family import SignalsConfig
from pipelines.signals.registry import (
    ALL_SIGNALS,
    FAMILIES,
    NEEDED,
    SIGNALS_SCHEMA,
    in_order,
    measured,
    signal_names,
    signals_schema,
    with_asked,
)

NOT_FAMILIES = {"__init__", "family", "lists_config", "registry"}
MEANS = ("mean_", "median_")


def test_every_family_file_is_registered_and_tested():
    files = {path.stem for path in Path(pipelines.signals.__file__).parent.glob("*.py")}
    names = [family.name for family in FAMILIES]
    assert sorted(names) == sorted(files - NOT_FAMILIES)
    tests = {path.stem for path in Path(__file__).parent.glob("test_*.py")}
    assert {f"test_{name}" for name in names} <= tests


def test_schema_is_doc_id_and_the_signals_in_order():
    always = [field.name for f in FAMILIES if f.always for field in f.fields]
    assert SIGNALS_SCHEMA.names == ["doc_id", *always]
    assert len(set(ALL_SIGNALS.names)) == len(ALL_SIGNALS.names) > 100
    assert set(signal_names()) < set(ALL_SIGNALS.names)


def test_every_signal_says_what_it_is_and_is_never_null():
    for name in signal_names():
        field = ALL_SIGNALS.field(name)
        assert not field.nullable
        assert field.metadata[b"description"].endswith(b".")
        assert field.metadata[b"unit"]
        if pa.types.is_string(field.type):
            continue
        is_count = name.startswith(("num_", "max_"))
        assert field.type == (pa.int64() if is_count else pa.float64()), name
        assert is_count or name.endswith(("_ratio", "_score")) or name.startswith(MEANS), name


def test_shares_of_the_needed_families_are_at_most_one():
    shares = signals_schema(SignalsConfig(families=NEEDED)).names[1:]
    most = {name for name in shares if b"most" in ALL_SIGNALS.field(name).metadata}
    assert len(most) == 11
    assert "mean_word_chars" not in most


def test_a_config_measures_what_is_always_measured_or_what_it_lists():
    always = [family.name for family in FAMILIES if family.always]
    assert [family.name for family in measured(SignalsConfig())] == always
    assert [f.name for f in measured(SignalsConfig(families=("sentences",)))] == list(NEEDED)
    with pytest.raises(RecipeError, match=r"'sentence', which is no family.*sentences"):
        measured(SignalsConfig(families=("sentence",)))


def test_asked_signals_bring_their_families_and_each_is_named():
    config = with_asked(SignalsConfig(families=NEEDED), ["dolma_ellipsis_lines_ratio"])
    assert config.families == (*NEEDED, "dolma_gopher")
    assert with_asked(config, []) == config
    everything = with_asked(SignalsConfig(), signal_names())
    assert everything.families == in_order([family.name for family in FAMILIES])
    assert set(signal_names()) == set(signals_schema(everything).names[1:])
