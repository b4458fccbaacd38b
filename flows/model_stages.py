"""The stages from curated text to a judged model: one flow each, like those of `flows.stages`.

A recipe may end before a stage or leave it out (no labelled task); its flow then does nothing.
"""

from __future__ import annotations

from collections.abc import Sequence

from prefect import flow

from flows.deployed_run import run_name_of_flow_run
from flows.session import DEFAULT_HOME
from flows.stages import run_stage

TOKENIZE = ("train_tokenizer", "pack_tokens", "read_conversations", "pack_messages")
LABEL = ("read_labels", "pack_labels", "score_baseline")
PRETRAIN = ("pretrain", "score_heldout", "sample_texts", "instruct")
JUDGE = ("finetune", "evaluate")


@flow(name="tokenize", flow_run_name=run_name_of_flow_run)
def tokenize_documents(
    recipe: str = "quickstart",
    home: str = DEFAULT_HOME,
    settings: Sequence[str] = (),
    run: str | None = None,
) -> None:
    """Train a tokenizer and pack token shards, of conversations too."""
    run_stage(TOKENIZE, recipe, home, settings, run)


@flow(name="label", flow_run_name=run_name_of_flow_run)
def label_documents(
    recipe: str = "quickstart",
    home: str = DEFAULT_HOME,
    settings: Sequence[str] = (),
    run: str | None = None,
) -> None:
    """Make the labelled task, and see how far a simple baseline comes."""
    run_stage(LABEL, recipe, home, settings, run)


@flow(name="pretrain", flow_run_name=run_name_of_flow_run)
def pretrain_model(
    recipe: str = "quickstart",
    home: str = DEFAULT_HOME,
    settings: Sequence[str] = (),
    run: str | None = None,
) -> None:
    """Train a model on the shards, score it on held-out text, let it write, teach it to answer."""
    run_stage(PRETRAIN, recipe, home, settings, run)


@flow(name="judge", flow_run_name=run_name_of_flow_run)
def judge_model(
    recipe: str = "quickstart",
    home: str = DEFAULT_HOME,
    settings: Sequence[str] = (),
    run: str | None = None,
) -> None:
    """Fine-tune the model and its twin from scratch on the task, and compare."""
    run_stage(JUDGE, recipe, home, settings, run)
