"""Further pre-trainings of a recipe, ``[variants.NAME]``: each judged beside the first.

A variant is ``[pretrain]`` with some settings of its own. Its model is fine-tuned on the recipe's
task like the first one, and evaluated in the same table.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from data_contracts.errors import RecipeError
from flows.machine import on_this_machine, with_threads
from store.graph import Node
from training.config import PretrainConfig, foreign_names
from training.finetune_config import ARMS as FINETUNED_ARMS
from training.start import with_start
from training.steps.evaluate import ARMS
from training.steps.finetune import STEP as FINETUNE
from training.steps.instruct import STEP as INSTRUCT
from training.steps.pretrain import STEP as PRETRAIN

if TYPE_CHECKING:
    from flows.recipe import Recipe

PER_VARIANT = ("pretrain", "finetune")  # the steps that each variant has for itself

_NAME = re.compile("[a-z][a-z0-9]*")
_OF_ONE_OBJECTIVE = {"objective", "shape"}
_OF_TEXT = {"packing", "source_weights", "init_from", "init_digest", "tensorboard_folder"}


def inherit(plain: dict[str, Any]) -> dict[str, Any]:
    """Return a recipe's plain values with each variant's settings above those of ``[pretrain]``.

    What belongs to one objective alone is not taken over by a variant of another. Where there are
    conversations, ``[instruct]`` takes over what it lacks, but for what `_OF_TEXT` names.
    """
    variants = plain.get("variants")
    base = plain.get("pretrain", {})
    own = plain.get("instruct", {})
    if not isinstance(base, dict):
        return plain
    if plain.get("conversations") and isinstance(own, dict):
        taken = {k: v for k, v in base.items() if k not in _OF_TEXT}
        plain = {**plain, "instruct": {"packing": "best_fit", **taken, **own}}
    if not isinstance(variants, dict):
        return plain
    merged = {}
    for name, own in variants.items():
        if not isinstance(own, dict):
            return plain
        objective = own.get("objective", base.get("objective", "causal"))
        dropped = foreign_names(str(objective))
        if objective != base.get("objective", "causal"):
            dropped |= _OF_ONE_OBJECTIVE
        merged[name] = {**{k: v for k, v in base.items() if k not in dropped}, **own}
    return {**plain, "variants": merged}


def check_variants(recipe: Recipe) -> None:
    """Raise RecipeError for a name that cannot be one, or variants without a task to compare on."""
    for name, _ in recipe.variants:
        if not _NAME.fullmatch(name) or name in (*ARMS, "scratch", "baseline"):
            raise RecipeError(
                f"variants.{name} cannot be called that: use small letters and digits, and none of "
                f"{', '.join(ARMS)}."
            )
    if recipe.variants and recipe.labels.kind == "none":
        raise RecipeError(
            "The recipe has [variants] and no [labels], so there is nothing to compare them on; "
            "give it a labelled task, or leave them out."
        )
    for name, config in (("pretrain", recipe.pretrain), *recipe.variants):
        where = name if name == "pretrain" else f"variants.{name}"
        if config.objective == "masked" and not _has_mask(recipe):
            raise RecipeError(
                f"{where}.objective is 'masked', but tokenizer.control_symbols has no '<mask>'; "
                "put it in, or give another objective."
            )
        if recipe.labels.kind != "none" and config.context_tokens < recipe.labels.max_tokens:
            raise RecipeError(
                f"labels.max_tokens is {recipe.labels.max_tokens}, more than "
                f"{where}.context_tokens, {config.context_tokens}; lower it, so that models and "
                "baseline read the same words."
            )


def _has_mask(recipe: Recipe) -> bool:
    """Tell whether the tokenizer will have a mask; of a given model that is seen later."""
    return recipe.tokenizer.model is not None or bool(
        {"<mask>", "[MASK]"} & set(recipe.tokenizer.control_symbols)
    )


def pretraining(config: PretrainConfig, variant: str = "") -> Node:
    """Return the step that pre-trains, under a variant's name if it is one's."""
    inputs = {
        "tokens": "pack_tokens",
        "tokenizer": "train_tokenizer",
        "curated": "materialize",
    }
    named = replace(PRETRAIN, name=step_name(PRETRAIN.name, variant))
    return Node(named, on_this_machine(with_start(config)), inputs)


def instructing(config: PretrainConfig) -> Node:
    """Return the step that teaches the recipe's model to answer."""
    inputs = {"tokens": "pack_messages", "tokenizer": "train_tokenizer", "model": "pretrain"}
    return Node(INSTRUCT, on_this_machine(config), inputs)


def pretraining_variants(recipe: Recipe) -> list[Node]:
    """Return the pre-trainings of all variants."""
    return [pretraining(config, name) for name, config in recipe.variants]


def finetuning(recipe: Recipe, variant: str = "", arms: tuple[str, ...] = FINETUNED_ARMS) -> Node:
    """Return the step that fine-tunes the model of a pre-training, and its twin from scratch."""
    config = replace(with_threads(recipe.finetune), arms=arms)
    inputs = {
        "labelled": "pack_labels",
        "model": step_name("pretrain", variant),
        "tokenizer": "train_tokenizer",
    }
    return Node(replace(FINETUNE, name=step_name(FINETUNE.name, variant)), config, inputs)


def finetuning_variants(recipe: Recipe) -> list[Node]:
    """Return the fine-tunings of all variants; one of the first model's shape has its twin."""
    nodes = []
    for name, config in recipe.variants:
        alike = _model_of(config) == _model_of(recipe.pretrain)
        nodes.append(finetuning(recipe, name, FINETUNED_ARMS[:1] if alike else FINETUNED_ARMS))
    return nodes


def _model_of(config: PretrainConfig) -> tuple[Any, ...]:
    """Return what a model's shape depends on."""
    return config.model_shape, config.depth, config.context_tokens, config.model


def step_name(step: str, variant: str) -> str:
    """Return the name of a variant's own step."""
    return f"{step}_{variant}" if variant else step


def with_variants(steps: Iterable[str], recipe: Recipe) -> list[str]:
    """Return the names of steps, those that each variant has for itself among them."""
    names = []
    for step in steps:
        names.append(step)
        if step in PER_VARIANT:
            names += [step_name(step, name) for name, _ in recipe.variants]
    return names
