"""Whole runs through Prefect: what is computed again after which change, and what is shown."""

from __future__ import annotations

import json
import os
import shutil

import pytest
from small_texts import sentence, write_lines

pytestmark = pytest.mark.usefixtures("prefect_api")

MAPS = (
    "ingest",
    "compute_signals",
    "apply_policy",
    "compute_signatures",
    "sign_bands",
    "split",
    "materialize",
)
STEPS = (
    "ingest",
    "compute_signals",
    "apply_policy",
    "compute_signatures",
    "link_duplicates",
    "sign_bands",
    "find_candidates",
    "compare_candidates",
    "choose_kept",
    "split",
    "index_heldout",
    "guard_heldout",
    "materialize",
)


@pytest.fixture
def my_text(millrace, texts, tmp_path):
    """Run the recipe my-text on the folder, one partition per file, with more words after it."""
    home = str(tmp_path / "home")
    base = ["--home", home, "--set", f"ingest.path={texts}", "--set"]
    base += ["ingest.max_bundle_file_bytes=1", "--set", "contracts.enabled=false"]

    def run(*words):
        answer = millrace("run", "my-text", *base, *words)
        answer.status = millrace("status", "--home", home).value if answer.code == 0 else None
        return answer

    run.home = home
    return run


def computed(status):
    return {step["step"]: step["partitions_computed"] for step in status["steps"]}


def test_the_shape_of_status_is_frozen(my_text):
    status = my_text("--run", "first").status
    assert list(status) == ["run", "steps"]
    assert status["run"] == "first"
    assert [step["step"] for step in status["steps"]] == list(STEPS)
    for step in status["steps"]:
        assert list(step) == [
            "step",
            "state",
            "why",
            "rows_in",
            "rows_kept",
            "rows_dropped",
            "rows_quarantined",
            "rows_retired",
            "partitions",
            "partitions_computed",
            "seconds",
            "size_bytes",
            "dataset",
        ]
        assert step["state"] == "fresh"
        assert step["rows_in"] == (0 if step["step"] == "find_candidates" else 200)


def test_one_added_file_computes_one_partition_in_each_map_step(my_text, texts):
    first = my_text()
    assert {computed(first.status)[step] for step in MAPS} == {20}
    again = my_text()
    assert set(computed(again.status).values()) == {0}
    write_lines(texts / "part-20.jsonl", range(200, 210))
    more = my_text()
    assert {step: computed(more.status)[step] for step in MAPS} == dict.fromkeys(MAPS, 1)
    assert {step["partitions"] for step in more.status["steps"] if step["step"] in MAPS} == {21}
    assert more.status["steps"][-1]["rows_kept"] == 210


def test_a_changed_threshold_runs_what_depends_on_it_and_nothing_else(my_text):
    my_text()
    longest = max(len(sentence(number)) for number in range(200))
    stricter = my_text("--set", f"policy.rules.length.too_long=num_chars = {longest}")
    ran = {step for step, count in computed(stricter.status).items() if count}
    assert ran == {
        "apply_policy",
        "choose_kept",
        "split",
        "index_heldout",
        "guard_heldout",
        "materialize",
    }
    assert 0 < stricter.status["steps"][-1]["rows_kept"] < 200


def test_a_removed_file_is_retired(my_text, texts):
    my_text()
    (texts / "part-03.jsonl").unlink()
    status = my_text().status
    ingest = status["steps"][0]
    assert (ingest["rows_in"], ingest["rows_retired"], ingest["partitions"]) == (190, 10, 19)


def test_bad_records_are_quarantined_and_counted(my_text, texts):
    (texts / "bad.jsonl").write_bytes(
        b'{"text": "good enough to be kept here"}\n{"text": 3}\nnot json\n\xff\n'
    )
    ingest = my_text().status["steps"][0]
    assert (ingest["rows_in"], ingest["rows_kept"], ingest["rows_quarantined"]) == (204, 201, 3)


def test_only_needs_a_fresh_upstream(my_text, millrace):
    answer = my_text("--only", "apply_policy")
    assert answer.code == 2
    assert "ingest is not fresh" in answer.err
    my_text()
    some = f"policy.rules.a.b=num_chars > {sorted(len(sentence(n)) for n in range(200))[120]}"
    alone = my_text("--only", "apply_policy", "--set", some)
    assert alone.code == 0
    states = {step["step"]: step["state"] for step in alone.status["steps"]}
    assert states["apply_policy"] == "fresh"
    assert states["choose_kept"] in ("stale", "missing")
    stale = my_text("--only", "split", "--set", some)
    assert stale.code == 2
    assert "choose_kept is not fresh" in stale.err


def test_force_computes_again_and_compares(my_text):
    first = my_text()
    forced = my_text("--force", "split")
    assert forced.code == 0
    step = next(step for step in forced.value["steps"] if step["step"] == "split")
    assert "20 partitions equal" in step["why"]
    before = {step["step"]: step["dataset"] for step in first.value["steps"]}
    assert {step["step"]: step["dataset"] for step in forced.value["steps"]} == before
    onwards = my_text("--from", "choose_kept")
    assert {s for s, count in computed(onwards.status).items() if count} == set(
        STEPS[STEPS.index("choose_kept") :]
    )


def test_a_lie_in_the_store_is_not_reproducible(my_text, monkeypatch):
    import pipelines.split as module
    from store.step import Step

    my_text()
    honest = module.STEP.run

    def moody(inputs, config):
        output = honest(inputs, config)
        table = output.rows
        output.rows = table.set_column(4, table.schema.field(4), [["heldout"] * len(table)])
        return output

    moody.__wrapped__ = honest
    step = Step(**{**vars(module.STEP), "run": moody})
    monkeypatch.setattr("flows.graph.SPLIT", step)
    answer = my_text("--force", "split")
    assert answer.code == 1
    assert "not reproducible: part part-00.jsonl" in answer.err


def test_what_a_person_asks_afterwards(my_text, texts, millrace):
    shutil.copyfile(texts / "part-00.jsonl", texts / "zz-copy.jsonl")
    lines = [json.loads(line) for line in (texts / "zz-copy.jsonl").read_text().splitlines()]
    for line in lines:
        line["id"] = "copy-" + line["id"]
    (texts / "zz-copy.jsonl").write_text("\n".join(map(json.dumps, lines)))
    status = my_text("--set", "policy.rules.length.too_long=num_chars > 300").status
    home = ["--home", my_text.home]
    choice = next(step for step in status["steps"] if step["step"] == "choose_kept")
    assert choice["rows_dropped"] > 0

    traced = millrace("trace", sentence(4), *home)
    assert traced.code == 0
    said = json.dumps(traced.value)
    assert "part-00.jsonl" in said
    assert "zz-copy.jsonl" in said
    assert "duplicate.exact_text" in said
    assert "up to date" in millrace("explain", "apply_policy", *home).value["why"]

    planned = millrace("plan", "my-text", *home, "--set", f"ingest.path={texts}")
    assert planned.code == 0
    assert planned.value["steps"][0]["new"] > 0  # bundles now, no longer one partition per file
    assert millrace("verify", *home).value["exit_code"] == 0
    assert millrace("gc", *home).code == 0
    for words in (["status"], ["verify"], ["gc"], ["explain", "split"], ["trace", sentence(4)]):
        text = millrace(*words, *home, as_json=False)
        assert text.code == 0
        assert text.out.strip()


def test_documents_for_notebooks(my_text):
    from catalog import open_run

    name = my_text().value["name"]
    documents = open_run(my_text.home, name).documents()
    assert documents.num_rows == 200
    assert sentence(17) in documents["text"].to_pylist()


def test_the_curated_folder_can_be_globbed(my_text):
    import duckdb

    name = my_text().value["name"]
    files = f"{my_text.home}/runs/{name}/curated/*.parquet"
    found = duckdb.sql(f"SELECT count(*), count(DISTINCT doc_id) FROM '{files}'")
    assert found.fetchall() == [(200, 200)]


def test_a_file_whose_name_is_no_utf_8_is_read_as_others_are(my_text, texts, millrace):
    shutil.copy(texts / "part-00.jsonl", texts / os.fsdecode(b"caf\xe9.jsonl"))
    first = my_text("--run", "first")
    assert first.code == 0, first.err
    assert computed(my_text("--run", "second").status)["ingest"] == 0
    assert millrace("verify", "--home", my_text.home).code == 0


@pytest.mark.parametrize("option", ["--only", "--force", "--from"])
@pytest.mark.parametrize(
    ("steps", "told"), [([""], "names no step"), (["split", "ingest"], "is given 2 times")]
)
def test_an_option_names_one_step(my_text, option, steps, told):
    """An empty one is what a shell makes of a variable that nobody set."""
    answer = my_text("--run", "first", *(word for step in steps for word in (option, step)))
    assert answer.code == 2
    assert f"{option} {told}" in answer.err


def test_a_run_is_looked_at_from_another_folder(millrace, texts, tmp_path, monkeypatch):
    home, elsewhere = str(tmp_path / "home"), tmp_path / "elsewhere"
    elsewhere.mkdir()
    monkeypatch.chdir(texts.parent)
    words = ("--set", f"ingest.path={texts.name}", "--set", "run.until=ingest")
    assert millrace("run", "my-text", *words, "--home", home, "--run", "first").code == 0
    monkeypatch.chdir(elsewhere)
    answer = millrace("status", "first", "--home", home)
    assert [step["state"] for step in answer.value["steps"]] == ["fresh"]
    assert millrace("explain", "ingest", "--home", home).code == 0
    texts.rename(tmp_path / "unmounted")
    answer = millrace("status", "first", "--home", home)
    (step,) = answer.value["steps"]
    assert (answer.code, step["state"], step["rows_kept"]) == (0, "stale", 200)
    assert "not compared with its sources: texts does not exist" in step["why"]
