"""The wiring: which step reads what from which, as one graph per recipe."""

from __future__ import annotations

from dataclasses import replace

from data_contracts.errors import RecipeError
from flows.machine import on_this_machine, with_threads
from flows.recipe import Recipe
from pipelines.apply_policy import STEP as APPLY_POLICY
from pipelines.compute_signals import STEP as COMPUTE_SIGNALS
from pipelines.compute_signals import STEP_WITH_EDITS as MEASURE_BOTH
from pipelines.dedupe.choose_kept import STEP as CHOOSE_KEPT
from pipelines.dedupe.compute_signatures import STEP as COMPUTE_SIGNATURES
from pipelines.dedupe.link_duplicates import STEP as LINK_DUPLICATES
from pipelines.dedupe.link_duplicates import LinkConfig
from pipelines.edit_texts import STEP as EDIT_TEXTS
from pipelines.ingest.ingest import STEP as INGEST
from pipelines.labels.pack_labels import STEP as PACK_LABELS
from pipelines.labels.read_labels import STEP as READ_LABELS
from pipelines.labels.score_baseline import STEP as SCORE_BASELINE
from pipelines.materialize import STEP as MATERIALIZE
from pipelines.signals.lists_config import with_digests
from pipelines.split import STEP as SPLIT
from pipelines.tokenizer.train_tokenizer import STEP as TRAIN_TOKENIZER
from pipelines.tokens.pack_tokens import STEP as PACK_TOKENS
from pipelines.tokens.pack_tokens import PackConfig
from store.graph import Graph, Node
from store.hints import nearest
from training.steps.evaluate import STEP as EVALUATE
from training.steps.finetune import STEP as FINETUNE
from training.steps.pretrain import STEP as PRETRAIN
from training.steps.sample_texts import STEP as SAMPLE_TEXTS
from training.steps.score_heldout import STEP as SCORE_HELDOUT


def build_graph(recipe: Recipe) -> Graph:
    """Return the steps of a recipe in running order, up to its ``run.until``.

    Raises:
        RecipeError: if ``run.until`` is no step of the recipe.
    """
    nodes = [*_curating(recipe), *_tokenizing(recipe), *_labelling(recipe)]
    until = recipe.run.until
    if until not in [node.name for node in nodes]:
        nodes += [*_training(recipe), *_judging(recipe)]
    names = [node.name for node in nodes]
    if until and until not in names:
        raise RecipeError(f"run.until is {until!r}, no step of the recipe; {nearest(until, names)}")
    return Graph(nodes[: names.index(until) + 1] if until else nodes)


def _curating(recipe: Recipe) -> list[Node]:
    """Raw text to curated Parquet."""
    choice_inputs = {
        "decisions": "apply_policy",
        "signals": "compute_signals",
        "edges": "link_duplicates",
    }
    split_inputs = {"signatures": "compute_signatures", "choices": "choose_kept"}
    texts = "edit_texts" if recipe.edits.use else "ingest"  # what is read from there on
    materialize_inputs = {"documents": texts, "signals": "compute_signals", "splits": "split"}
    materialize = replace(recipe.materialize, edited=bool(recipe.edits.use))
    link = LinkConfig(recipe.signatures.num_buckets)
    return [
        Node(INGEST, recipe.ingest),
        *_measuring(recipe),
        Node(APPLY_POLICY, recipe.policy, {"signals": "compute_signals"}),
        Node(COMPUTE_SIGNATURES, recipe.signatures, {"documents": texts}),
        Node(LINK_DUPLICATES, link, {"signatures": "compute_signatures"}),
        Node(CHOOSE_KEPT, recipe.dedupe, choice_inputs),
        Node(SPLIT, recipe.split, split_inputs),
        Node(MATERIALIZE, materialize, materialize_inputs),
    ]


def _measuring(recipe: Recipe) -> list[Node]:
    """The signals, of the edited text too where a recipe edits it.

    What lists, tables and models hold counts, so they are looked at before anything is planned.
    """
    documents, signals = {"documents": "ingest"}, recipe.signals
    signals = replace(signals, lists=with_digests(signals.lists, signals.families))
    if not recipe.edits.use:
        return [Node(COMPUTE_SIGNALS, signals, documents)]
    return [
        Node(EDIT_TEXTS, recipe.edits, documents),
        Node(MEASURE_BOTH, signals, {**documents, "edited": "edit_texts"}),
    ]


def _tokenizing(recipe: Recipe) -> list[Node]:
    """Curated text to token shards."""
    return [
        Node(TRAIN_TOKENIZER, recipe.tokenizer, {"curated": "materialize"}),
        Node(PACK_TOKENS, PackConfig(), {"curated": "materialize", "tokenizer": "train_tokenizer"}),
    ]


def _training(recipe: Recipe) -> list[Node]:
    """Token shards to a model, how well it predicts, and what it writes."""
    pretrain = on_this_machine(recipe.pretrain)
    score = with_threads(recipe.heldout)
    sample_inputs = {"model": "pretrain", "tokenizer": "train_tokenizer"}
    return [
        Node(PRETRAIN, pretrain, {"tokens": "pack_tokens"}),
        Node(SCORE_HELDOUT, score, {"model": "pretrain", "tokens": "pack_tokens"}),
        Node(SAMPLE_TEXTS, with_threads(recipe.samples), sample_inputs),
    ]


def _labelling(recipe: Recipe) -> list[Node]:
    """A labelled task, if the recipe has one: before training, so that what is wrong is found."""
    if recipe.labels.kind == "none":
        return []
    from_files = recipe.labels.kind == "files"
    reading = [Node(READ_LABELS, recipe.labels.reading())] if from_files else []
    labelled = "read_labels" if from_files else "materialize"
    pack_inputs = {"labelled": labelled, "tokenizer": "train_tokenizer"}
    return [
        *reading,
        Node(PACK_LABELS, recipe.labels, pack_inputs),
        Node(SCORE_BASELINE, recipe.baseline, {"labelled": "pack_labels"}),
    ]


def _judging(recipe: Recipe) -> list[Node]:
    """The model and its twin from scratch, fine-tuned on the task and compared."""
    if recipe.labels.kind == "none":
        return []
    finetune = with_threads(recipe.finetune)
    finetune_inputs = {
        "labelled": "pack_labels",
        "model": "pretrain",
        "tokenizer": "train_tokenizer",
    }
    evaluate_inputs = {
        "finetuned": "finetune",
        "baseline": "score_baseline",
        "labelled": "pack_labels",
    }
    return [
        Node(FINETUNE, finetune, finetune_inputs),
        Node(EVALUATE, recipe.evaluate, evaluate_inputs),
    ]
