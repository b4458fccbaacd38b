"""Pre-training as the page tells it: what was learnt, how it was scored, all of a run's models."""

from __future__ import annotations

from typing import Any

from catalog.report.facts import Pretraining, Variant
from catalog.report.section_trained import pretraining_view
from catalog.report.verdict import arm_name

CURVE = {"step": (1, 2), "num_tokens": (10, 20), "loss": (3.0, 2.0), "learning_rate": (0.1, 0.1)}


def view_of(facts: dict[str, Any], **more: Any) -> dict[str, Any]:
    view = pretraining_view(Pretraining(facts, {}, CURVE, None, (), **more))
    assert view is not None
    return view


def test_a_masked_model_has_no_bits_per_byte_and_writes_nothing() -> None:
    view = view_of(
        {"objective": "masked", "shape": "modernbert", "loss": 2.0},
        scored={"masked_accuracy": 0.25, "masked_loss": 4.5},
    )
    assert "hidden tokens" in view["objective"]
    assert "writes no texts" in view["objective"]
    assert view["score"] == "25.0 % of hidden tokens guessed, 4.500 nats a guess"
    assert view["target"] == "hidden token"
    facts = dict(view["facts"])
    assert facts["objective"] == "masked"
    assert facts["train loss"] == "2 nats a hidden token"
    assert view["heldout"] is None


def test_a_supervised_model_is_told_by_its_labels() -> None:
    facts = {"objective": "supervised", "label_columns": ["kind"], "heldout_accuracy": 0.5}
    view = view_of(facts)
    assert "(kind)" in view["objective"]
    assert view["score"] == "50.0 % of labels right"


def test_a_causal_model_is_told_as_before() -> None:
    view = view_of({"loss": 2.0, "heldout_accuracy": None})
    assert (view["objective"], view["score"], view["target"]) == ("", "", "token")
    assert view["variants"] == []


def test_the_packing_plan_is_told_with_what_it_came_to() -> None:
    packed = {"cut_tokens": 1234, "padding_ratio": 0.064, "loss": 2.0}
    trained = Pretraining(packed, {"packing": "best_fit"}, CURVE, None, ())
    view = pretraining_view(trained)
    assert view is not None
    assert dict(view["facts"])["packing"] == "best fit, 1,234 tokens in no row, 6.4 % padding"
    assert "packing" not in dict(view_of({"loss": 2.0})["facts"])


def test_all_pre_trainings_of_a_run_stand_in_one_table() -> None:
    curve = {"num_tokens": (100, 200), "loss": (5.0, 4.0), "heldout_loss": (None, 4.5)}
    variants = (
        Variant("masked", {"objective": "masked", "heldout_accuracy": 0.25, "loss": 4.0}, curve),
        Variant("kind", {"objective": "supervised", "heldout_accuracy": 0.5, "loss": 0.25}, {}),
    )
    first = {"objective": "causal", "heldout_bits_per_byte": 1.5, "loss": 3.0, "num_tokens": 800}
    view = view_of(first, variants=variants)
    rows = view["variants"]
    assert [(row["name"], row["score"]) for row in rows] == [
        ("pre-trained", "1.500 bits per byte"),
        ("masked", "25.0 % of hidden tokens right"),
        ("kind", "50.0 % of labels right"),
    ]
    assert rows[0]["tokens"] == "800"
    assert rows[2]["loss"] == "0.2500 nats a label"
    (title, masked), (_, kind) = view["variant_losses"]
    assert title == "masked: loss, nats a hidden token"
    assert masked.count("<polyline") + masked.count("<path") >= 1
    assert kind == ""


def test_arms_of_variants_have_names() -> None:
    assert arm_name("masked") == "masked"
    assert arm_name("scratch_masked") == "from scratch, as masked"
    assert arm_name("scratch") == "from scratch"
