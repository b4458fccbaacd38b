"""Approval at the command line: exit 4, nothing after the step, on again under the same name."""

from __future__ import annotations

import json
from dataclasses import replace
from types import SimpleNamespace

import pytest
from small_texts import write_lines

from data_contracts.errors import MillraceError
from flows import deployed_run
from flows.approval import find_decision, refuse_rejected, write_decision
from flows.recipe import load_recipe
from flows.session import Order
from store.runs import get_run
from store.storage import Storage

pytestmark = pytest.mark.usefixtures("prefect_api")
BEFORE = ["ingest", "compute_signals", "apply_policy"]
SETTINGS = ["ingest.max_bundle_file_bytes=1", "contracts.enabled=false"]
NEW_RULE = "policy.rules.a.b=num_chars > 72"


@pytest.fixture
def home(tmp_path):
    return tmp_path / "home"


@pytest.fixture
def run(millrace, home, texts):
    """Run my-text on three files with an approval after apply_policy."""
    for number in range(3, 20):
        (texts / f"part-{number:02d}.jsonl").unlink()
    base = ["run", "my-text", "--home", str(home)]
    for setting in (f"ingest.path={texts}", *SETTINGS):
        base += ["--set", setting]

    def call(name, *more, after="apply_policy"):
        return millrace(*base, "--run", name, "--set", f"approval.after={after}", *more)

    call.settings = (f"ingest.path={texts}", *SETTINGS, "approval.after=apply_policy")
    return call


@pytest.fixture
def approve(millrace, home):
    return lambda *words: millrace("approve", *words, "--home", str(home))


def record(home, name, file="run.json"):
    return json.loads((home / "runs" / name / file).read_text())


def computed(run):
    return {s["step"]: s["partitions_computed"] for s in run["steps"] if s["partitions_computed"]}


@pytest.mark.slow
def test_a_run_waits_goes_on_when_approved_and_is_not_asked_again(run, approve, home, texts):
    waits = run("first")
    assert waits.code == 4
    for told in ("first waits for approval of apply_policy", "millrace status first", "--reject"):
        assert told in waits.err
    assert f"millrace approve first --home {home}" in waits.err
    waiting = record(home, "first")
    assert waiting["state"] == "waiting"
    assert waiting["error"] in waits.err
    assert [step["step"] for step in waiting["steps"]] == BEFORE
    assert (home / "runs" / "first" / "report.html").is_file()

    again = run("first")
    assert (again.code, computed(record(home, "first"))) == (4, {})

    write_lines(texts / "part-03.jsonl", range(30, 40))
    done = approve("first", "--comment", "looks right")
    assert (done.code, done.value["state"]) == (0, "done")
    decision = record(home, "first", "approval.json")
    assert decision["dataset"] == waiting["steps"][-1]["dataset"]
    assert (decision["approved"], decision["comment"]) == (True, "looks right")
    assert "@" in decision["by"]
    went_on = record(home, "first")
    assert went_on["state"] == "done"
    assert not set(computed(went_on)) & set(BEFORE)  # what was approved, not the file that came
    assert computed(went_on)["materialize"] == 3

    new = run("second")
    assert new.code == 4
    assert computed(record(home, "second")) == dict.fromkeys(BEFORE, 1)
    (texts / "part-03.jsonl").unlink()
    assert run("third").code == 0
    assert record(home, "third", "approval.json")["run"] == "first"

    for words, said in [
        (["first"], "does not wait for an approval: it is done; apply_policy was approved by"),
        (["nosuch"], "There is no run 'nosuch'"),
    ]:
        refused = approve(*words)
        assert refused.code == 2
        assert said in refused.err
        assert refused.err.count("\n") == 1


@pytest.mark.slow
def test_a_rejection_ends_the_run_and_another_dataset_is_asked_about(run, approve, home):
    assert run("bad").code == 4
    rejected = approve("--reject", "--comment", "too little kept")
    assert rejected.code == 0
    ended = record(home, "bad")
    assert ended["state"] == "failed"
    assert "apply_policy was rejected by" in ended["error"]
    assert "too little kept" in ended["error"]
    assert approve("bad", "--reject").code == 2
    assert "No run waits" in approve().err

    assert run("anew").code == 4
    assert run("other", "--set", NEW_RULE).code == 4
    assert "Name the run: anew, other wait." in approve().err
    assert approve("other").code == 0
    assert run("anew").code == 4


@pytest.mark.slow
def test_a_night_does_not_ask_again_what_was_rejected_and_a_person_may_change_her_mind(
    run, approve, home
):
    assert run("bad").code == 4
    assert approve("--reject", "--comment", "too little kept").code == 0
    storage = Storage(str(home))
    order = Order("my-text", str(home), "night", run.settings)

    def night():
        return deployed_run._look_and_carry_out(storage, order, lambda _: "was asked")

    for told in ("apply_policy was rejected by", "too little kept", "`millrace approve bad`"):
        assert told in night().message
    assert (night().name, night().type.value) == ("Rejected", "COMPLETED")
    assert not (home / "runs" / "night").exists()
    recipe, bad = load_recipe("my-text", run.settings), get_run(storage, "bad")
    refuse_rejected(SimpleNamespace(storage=storage, recipe=recipe, run=bad))  # it did ask
    night_run = replace(bad, name="night")
    with pytest.raises(MillraceError, match="apply_policy was rejected by"):
        refuse_rejected(SimpleNamespace(storage=storage, recipe=recipe, run=night_run))

    approved = approve("bad", "--comment", "it is enough")
    assert (approved.code, approved.value["state"]) == (0, "done"), approved.err
    dataset = record(home, "bad", "approval.json")["dataset"]
    found = find_decision(storage, "apply_policy", dataset)
    assert (found.approved, found.comment) == (True, "it is enough")
    later = replace(found, run="another", approved=False, at="9999-01-01T00:00:00+00:00")
    write_decision(storage, "another", later)
    assert night().name == "Rejected"


def test_an_approval_after_the_last_step_of_a_stage_and_of_the_run(run, approve, home):
    assert run("link", after="link_duplicates").code == 4
    assert [s["step"] for s in record(home, "link")["steps"]][-1] == "link_duplicates"
    assert run("end", after="materialize").code == 4
    assert approve("end").value["state"] == "done"
    assert run("again", after="materialize").code == 0


@pytest.mark.slow
def test_a_recipe_that_changed_meanwhile_is_asked_about_again(run, approve, home, texts, millrace):
    recipe = texts.parent / "mine.toml"
    lines = ['[run]\nuntil = "materialize"', f'[ingest]\nkind = "files"\npath = "{texts}"']
    lines += ['[approval]\nafter = "apply_policy"', '[policy.rules]\n"a.b" = "num_chars > 1000"']
    recipe.write_text("\n".join(lines))
    words = ["run", str(recipe), "--home", str(home), "--run", "mine"]
    assert millrace(*words).code == 4
    recipe.write_text("\n".join(lines).replace("1000", "72"))
    answer = approve("mine")
    assert answer.code == 4
    assert "mine waits for approval" in answer.err
    assert approve("mine").code == 0


@pytest.mark.parametrize(
    ("setting", "said"),
    [("aply_policy", "did you mean 'apply_policy'"), ("pretrain", "no step of the recipe")],
)
def test_a_step_that_is_not_there_is_told_before_anything_runs(run, home, setting, said):
    answer = run("x", after=setting)
    assert answer.code == 2
    assert said in answer.err
    assert not (home / "runs").exists()


def test_a_stage_and_a_step_by_themselves_do_not_wait(run, home, texts):
    from flows.api import run_stage_alone

    settings = [f"ingest.path={texts}", "ingest.max_bundle_file_bytes=1"]
    settings += ["approval.after=compute_signals"]
    for stage in ("ingest", "filter"):
        run_stage_alone(stage, "my-text", str(home), settings, run=stage)
    assert record(home, "filter")["state"] == "done"
    assert run("step", "--only", "compute_signatures", after="compute_signals").code == 0
