"""The conversations of a recipe: checked before anything runs, then read and packed."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from data_contracts.errors import RecipeError
from pipelines.messages.pack_messages import STEP as PACK_MESSAGES
from pipelines.messages.read_conversations import STEP as READ_CONVERSATIONS
from store.graph import Node

if TYPE_CHECKING:
    from flows.recipe import Recipe

_SHAPE = ("depth", "context_tokens", "shape", "objective")


def packing_conversations(recipe: Recipe) -> list[Node]:
    """Return the steps from files of conversations to token shards, none if there are no files."""
    config = recipe.conversations
    if not config.path:
        return []
    if not config.max_tokens:
        config = replace(config, max_tokens=recipe.instruct.context_tokens + 1)
    inputs = {"conversations": "read_conversations", "tokenizer": "train_tokenizer"}
    return [
        Node(READ_CONVERSATIONS, config.reading()),
        Node(PACK_MESSAGES, config, inputs),
    ]


def check_conversations(recipe: Recipe) -> None:
    """Raise RecipeError for conversations that the recipe's tokenizer or model cannot take."""
    config, instruct = recipe.conversations, recipe.instruct
    if not config.path:
        return
    marks = set(vars(config.marks).values())
    missing = sorted(marks.difference(recipe.tokenizer.control_symbols))
    if missing and recipe.tokenizer.model is None:
        raise RecipeError(
            f"The recipe has [conversations], but tokenizer.control_symbols lacks "
            f"{', '.join(missing)}; put the marks in, or name others in conversations.marks."
        )
    if recipe.pretrain.objective != "causal":
        raise RecipeError(
            f"The recipe has [conversations], but pretrain.objective is "
            f"{recipe.pretrain.objective!r}, whose models write nothing; give 'causal'."
        )
    for name in _SHAPE:
        if getattr(instruct, name) != getattr(recipe.pretrain, name):
            raise RecipeError(
                f"instruct.{name} is {getattr(instruct, name)!r}, not that of pretrain, whose "
                f"model it begins with; leave it out."
            )
    if instruct.init_from or instruct.source_weights:
        raise RecipeError(
            "instruct.init_from and instruct.source_weights have no meaning: it begins with the "
            "model of pretrain, and reads all conversations alike; leave them out."
        )
    if config.max_tokens > instruct.context_tokens + 1:
        raise RecipeError(
            f"conversations.max_tokens is {config.max_tokens}, more than a row holds: "
            f"context_tokens + 1 = {instruct.context_tokens + 1}; lower it, or leave it out."
        )
