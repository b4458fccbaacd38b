import subprocess
import sys

import pyarrow as pa
import pytest

from data_contracts.errors import RecipeError
from pipelines.edits.registry import EDITS, edit_named
from pipelines.kernels.decoded import text_batch
from pipelines.signals.registry import FAMILIES


def test_an_edit_is_found_by_its_name_or_the_nearest_is_named():
    for name, edit in EDITS.items():
        assert edit_named(name) is edit
        assert edit.name == name
        assert "@" in name
    with pytest.raises(RecipeError, match=r"did you mean 'c4_lines@datatrove-0\.10'\?"):
        edit_named("c4_line@datatrove-0.10")


@pytest.mark.parametrize("edit", EDITS.values(), ids=EDITS)
def test_facts_are_documented_counts_with_names_of_their_own(edit):
    signals = {field.name for family in FAMILIES for field in family.fields}
    for field in edit.fields:
        assert field.type == pa.int64()
        assert not field.nullable
        assert field.name.startswith("num_")
        assert field.name not in signals
        assert field.metadata[b"description"].endswith(b".")
        assert field.metadata[b"unit"]


@pytest.mark.parametrize("edit", EDITS.values(), ids=EDITS)
def test_no_texts_and_empty_texts_are_edited(edit):
    for texts in ([], ["", ""]):
        edited = edit.edit(text_batch(pa.array(texts, pa.string())))
        assert edited.texts.offsets.tolist() == [0] * (len(texts) + 1)
        assert list(edited.facts) == [field.name for field in edit.fields]
        assert all(len(values) == len(texts) for values in edited.facts.values())


def test_looking_at_the_edits_does_not_import_numba():
    program = "import sys, pipelines.edits.registry as r; r.EDITS; sys.exit('numba' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0
