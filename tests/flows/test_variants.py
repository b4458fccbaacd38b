"""Further pre-trainings of a recipe: what they take over, which steps they have, bad input."""

from __future__ import annotations

from typing import Any

import pytest

from data_contracts.errors import RecipeError
from flows.graph import build_graph
from flows.recipe import Recipe, recipe_from_plain, with_settings
from flows.variants import with_variants
from store.graph import Graph

FIRST = {"num_steps": 40, "warm_up_steps": 4, "dtype": "float32"}
VARIANTS = {
    "masked": {"objective": "masked", "mask_rate": 0.3},
    "labels": {"objective": "supervised", "label_columns": ["kind"], "num_steps": 30},
}


def recipe_of(**sections: Any) -> Recipe:
    given = {"pretrain": FIRST, "labels": {"kind": "corpus"}, **sections}
    return recipe_from_plain({"name": "r", **given})


def graph_of(**sections: Any) -> Graph:
    return build_graph(recipe_of(**sections))


def test_a_variant_is_the_first_with_settings_of_its_own() -> None:
    masked, labels = (config for _, config in recipe_of(variants=VARIANTS).variants)
    assert (masked.num_steps, masked.warm_up_steps, masked.mask_rate) == (40, 4, 0.3)
    assert (labels.num_steps, labels.label_columns, labels.model_shape) == (30, ("kind",), "llama")
    first = {**FIRST, "objective": "masked", "mask_rate": 0.2}
    causal, rarer = (
        config
        for _, config in recipe_of(
            pretrain=first, variants={"causal": {"objective": "causal"}, "seed": {"seed": 1}}
        ).variants
    )
    assert (causal.objective, causal.model_shape) == ("causal", "llama")
    assert (rarer.objective, rarer.mask_rate, rarer.seed) == ("masked", 0.2, 1)


def test_a_recorded_recipe_gives_the_same_variants_again() -> None:
    recipe = recipe_of(variants=VARIANTS)
    assert recipe_from_plain(recipe.plain()) == recipe
    seeded = with_settings(recipe.plain(), ["variants.masked.seed=7"])
    assert dict(seeded.variants)["masked"].seed == 7
    assert dict(seeded.variants)["labels"] == dict(recipe.variants)["labels"]


def test_each_variant_has_steps_of_its_own_and_one_table() -> None:
    graph = graph_of(variants=VARIANTS)
    assert dict(graph["pretrain_masked"].inputs) == dict(graph["pretrain"].inputs)
    assert graph["pretrain_masked"].config.objective == "masked"
    assert graph["finetune_masked"].inputs["model"] == "pretrain_masked"
    assert graph["finetune_masked"].config.arms == ("pretrained", "scratch")
    assert graph["finetune_labels"].config.arms == (
        "pretrained",
    )  # the first one's twin is its own
    assert dict(graph["evaluate"].inputs) == {
        "finetuned": "finetune",
        "finetuned_masked": "finetune_masked",
        "finetuned_labels": "finetune_labels",
        "baseline": "score_baseline",
        "labelled": "pack_labels",
    }


def test_stages_hold_the_steps_of_variants() -> None:
    recipe = recipe_of(variants=VARIANTS)
    found = with_variants(("pretrain", "score_heldout"), recipe)
    assert found == ["pretrain", "pretrain_masked", "pretrain_labels", "score_heldout"]
    names = build_graph(recipe).names()
    stages = with_variants(("pretrain", "score_heldout", "sample_texts"), recipe)
    stages += with_variants(("finetune", "evaluate"), recipe)
    assert set(stages) <= set(names)
    assert {name for name in names if name.startswith(("pretrain", "finetune"))} <= set(stages)


def test_only_what_a_model_can_do_is_asked_of_it() -> None:
    causal = graph_of().names()
    assert {"score_heldout", "sample_texts"} <= set(causal)
    masked = graph_of(pretrain={**FIRST, "objective": "masked"})
    assert "sample_texts" not in masked.names()
    assert set(masked["score_heldout"].inputs) == {"model", "tokens", "tokenizer"}
    columns = {"objective": "supervised", "label_columns": ["kind"]}
    supervised = graph_of(pretrain={**FIRST, **columns}).names()
    assert not {"score_heldout", "sample_texts"} & set(supervised)


@pytest.mark.parametrize(
    ("sections", "match"),
    [
        ({"variants": {"Masked": {}}}, r"variants.Masked cannot be called that"),
        ({"variants": {"scratch": {}}}, r"variants.scratch cannot be called that"),
        ({"variants": VARIANTS, "labels": {"kind": "none"}}, r"nothing to compare them on"),
        ({"variants": {"a": {"mask_rate": 0.3}}}, r"variants.a.mask_rate is set, but"),
        ({"variants": {"a": {"num_step": 3}}}, r"variants.a.num_step is no key"),
        ({"variants": {"a": {"context_tokens": 32}}}, r"variants.a.context_tokens, 32; lower"),
        ({"variants": {"a": 3}}, r"variants.a is 3; it must be a table"),
        (
            {"variants": VARIANTS, "tokenizer": {"control_symbols": []}},
            r"variants.masked.objective is 'masked', but tokenizer.control_symbols has no '<mask>'",
        ),
        ({"pretrain": {**FIRST, "objective": "supervised"}}, r"pretrain.label_columns is empty"),
    ],
)
def test_bad_settings_are_named_before_anything_runs(sections: dict[str, Any], match: str) -> None:
    with pytest.raises(RecipeError, match=match):
        recipe_of(**sections)
