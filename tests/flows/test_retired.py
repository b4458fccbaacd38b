"""A better document that comes later takes the place of a published one, or gives way to it."""

from __future__ import annotations

import json

import pyarrow.parquet as pq
import pytest
from small_texts import sentence

from catalog.opened import open_run
from catalog.retirements import RETIRED

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("prefect_api")]

STORY = " ".join(sentence(number) for number in range(12))
OTHER = " ".join(sentence(number) for number in range(40, 52))


def write(folder, name, texts):
    lines = [json.dumps({"id": one, "text": text}) for one, text in texts.items()]
    (folder / f"{name}.jsonl").write_text("\n".join(lines) + "\n")


@pytest.fixture
def night(millrace, tmp_path):
    """Run my-text on what lies in a folder; return the home's run."""
    folder = tmp_path / "texts"
    folder.mkdir()
    base = ["--set", f"ingest.path={folder}", "--set", "ingest.max_bundle_file_bytes=1"]
    base += ["--set", "contracts.enabled=false", "--set", "split.heldout_ratio=0"]

    def run(home, name, *more):
        home = str(tmp_path / home)
        answer = millrace("run", "my-text", *base, *more, "--home", home, "--run", name)
        assert answer.code == 0, answer.err
        assert millrace("accept", name, "--home", home).code == 0
        return open_run(home, name)

    run.folder = folder
    return run


def keys_of(run):
    return set(run.documents(["record_key"])["record_key"].to_pylist())


def retired_of(run):
    path = run.storage.local_path(f"runs/{run.name}/retired.parquet")
    return pq.read_table(path).to_pylist() if path.exists() else []


def test_a_longer_text_retires_a_published_one_that_is_named(night):
    write(night.folder, "monday", {"story": STORY, "other": OTHER})
    first = night("home", "first")
    assert keys_of(first) == {"story", "other"}
    assert retired_of(first) == []
    write(night.folder, "tuesday", {"longer": f"{STORY} And so the wheel went on."})
    second = night("home", "second")
    assert keys_of(second) == {"longer", "other"}
    (row,) = retired_of(second)
    assert list(row) == RETIRED.names
    ids = {r["record_key"]: r["doc_id"] for r in second.table("ingest").to_pylist()}
    assert (row["doc_id"], row["partner_id"]) == (ids["story"], ids["longer"])
    assert row["why"] == "duplicate.near"
    assert row["jaccard"] > 0.9 < row["containment"]

    (night.folder / "monday.jsonl").unlink()
    third = night("home", "third")
    assert keys_of(third) == {"longer"}
    assert [row["why"] for row in retired_of(third)] == ["withdrawn"]


def test_what_can_no_longer_be_made_anew_stops_no_later_run(night, millrace, tmp_path):
    """A partition is damaged and its source is gone: nobody can tell what was retired of it."""
    write(night.folder, "monday", {"story": STORY})
    write(night.folder, "tuesday", {"other": OTHER})
    home = str(tmp_path / "home")
    first = night("home", "first")
    for step in ("ingest", "materialize"):
        (part,) = (part for part in first.dataset(step).parts if "monday" in part.key)
        path = first.storage.local_path(part.data_name())
        path.chmod(0o644)
        path.write_bytes(path.read_bytes()[:-100])
    (night.folder / "monday.jsonl").unlink()
    assert millrace("verify", "--repair", "--home", home).code == 0
    for name in ("second", "third"):
        now = night("home", name)
        assert keys_of(now) == {"other"}
        assert retired_of(now) == []


def test_a_step_by_itself_or_a_name_used_again_loses_no_retirement(night):
    write(night.folder, "monday", {"story": STORY, "other": OTHER})
    write(night.folder, "tuesday", {"third": " ".join(sentence(n) for n in range(60, 72))})
    night("home", "whole")
    night("home", "step", "--only", "apply_policy")
    (night.folder / "tuesday.jsonl").unlink()
    again = night("home", "whole")
    assert keys_of(again) == {"story", "other"}
    assert [row["why"] for row in retired_of(again)] == ["withdrawn"]
    assert again.run.step("ingest").rows_retired == 1


def test_what_was_published_stays_where_the_recipe_pins_it(night):
    pin = ("--set", "dedupe.pin_kept=true")
    write(night.folder, "monday", {"story": STORY, "other": OTHER})
    first = night("pinned", "first", *pin)
    assert keys_of(first) == {"story", "other"}
    write(night.folder, "tuesday", {"longer": f"{STORY} And so the wheel went on."})
    second = night("pinned", "second", *pin)
    assert keys_of(second) == {"story", "other"}
    assert retired_of(second) == []
    facts = second.part("choose_kept").receipt.facts
    assert facts == {"kept_as_published": 1, "left_out_for_published": 1}

    again = night("pinned", "again", *pin)  # reads what the second published, and chooses anew
    computed = {s.step: s.partitions_computed for s in again.run.steps if s.partitions_computed}
    assert computed == {"read_published": 1, "choose_kept": 1}
    assert keys_of(again) == {"story", "other"}
    last = night("pinned", "last", *pin)
    assert sum(step.partitions_computed for step in last.run.steps) == 0
