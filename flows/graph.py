"""The wiring: which step reads what from which, as one graph per recipe."""

from __future__ import annotations

from dataclasses import replace

from data_contracts.errors import RecipeError
from flows.conversations import packing_conversations
from flows.machine import with_threads
from flows.recipe import Recipe
from flows.repeats_graph import dropping_repeats
from flows.source_tables import ingesting, with_priorities
from flows.variants import (
    finetuning,
    finetuning_variants,
    instructing,
    pretraining,
    pretraining_variants,
    step_name,
)
from pipelines.apply_policy import STEP as APPLY_POLICY
from pipelines.compute_signals import STEP as COMPUTE_SIGNALS
from pipelines.compute_signals import STEP_WITH_EDITS as MEASURE_BOTH
from pipelines.dedupe.choose_kept import STEP as CHOOSE_KEPT
from pipelines.dedupe.choose_kept import STEP_PINNED as CHOOSE_KEPT_PINNED
from pipelines.dedupe.compare_candidates import STEP as COMPARE_CANDIDATES
from pipelines.dedupe.compare_candidates import CompareConfig
from pipelines.dedupe.compute_signatures import STEP as COMPUTE_SIGNATURES
from pipelines.dedupe.find_candidates import STEP as FIND_CANDIDATES
from pipelines.dedupe.guard_heldout import STEP as GUARD_HELDOUT
from pipelines.dedupe.index_heldout import STEP as INDEX_HELDOUT
from pipelines.dedupe.link_duplicates import STEP as LINK_DUPLICATES
from pipelines.dedupe.link_duplicates import LinkConfig
from pipelines.dedupe.read_published import STEP as READ_PUBLISHED
from pipelines.dedupe.read_published import PublishedConfig
from pipelines.dedupe.sign_bands import STEP as SIGN_BANDS
from pipelines.edit_texts import STEP as EDIT_TEXTS
from pipelines.labels.pack_labels import STEP as PACK_LABELS
from pipelines.labels.read_labels import STEP as READ_LABELS
from pipelines.labels.score_baseline import STEP as SCORE_BASELINE
from pipelines.materialize import STEP as MATERIALIZE
from pipelines.remove_requested import STEP as REMOVE_REQUESTED
from pipelines.remove_requested import with_digest
from pipelines.signals.lists_config import with_digests
from pipelines.split import STEP as SPLIT
from pipelines.tokenizer.given_model import with_model_digests
from pipelines.tokenizer.train_tokenizer import STEP as TRAIN_TOKENIZER
from pipelines.tokens.pack_tokens import STEP as PACK_TOKENS
from pipelines.tokens.pack_tokens import PackConfig
from store.graph import Graph, Node
from store.hints import nearest
from training.steps.evaluate import step_with as evaluate_with
from training.steps.sample_texts import STEP as SAMPLE_TEXTS
from training.steps.score_heldout import STEP as SCORE_HELDOUT
from training.steps.score_masked import STEP_MASKED as SCORE_MASKED


def build_graph(recipe: Recipe, home: str = "") -> Graph:
    """Return the steps of a recipe in running order, up to its ``run.until``.

    ``home`` is where a recipe that pins what it published finds that; a graph that is only looked
    at needs none.

    Raises:
        RecipeError: if ``run.until`` is no step of the recipe.
    """
    nodes = [*_curating(recipe, home), *_tokenizing(recipe)]
    nodes += [*packing_conversations(recipe), *_labelling(recipe)]
    until = recipe.run.until
    if until not in [node.name for node in nodes]:
        nodes += [*_training(recipe), *_judging(recipe)]
    names = [node.name for node in nodes]
    if until and until not in names:
        raise RecipeError(f"run.until is {until!r}, no step of the recipe; {nearest(until, names)}")
    return Graph(nodes[: names.index(until) + 1] if until else nodes)


def _curating(recipe: Recipe, home: str) -> list[Node]:
    """Raw text to curated Parquet."""
    given = "remove_requested" if recipe.removals.is_used() else "ingest"
    read = "drop_repeats" if recipe.repeats.use else given
    texts = "edit_texts" if recipe.edits.use else read  # what is read from there on
    return [
        ingesting(recipe),
        *_removing(recipe),
        *dropping_repeats(recipe.repeats, given),
        *_measuring(recipe, read),
        Node(APPLY_POLICY, recipe.policy, {"signals": "compute_signals"}),
        *_deduplicating(recipe, texts, home),
        *_publishing(recipe, texts),
    ]


def _removing(recipe: Recipe) -> list[Node]:
    """What was requested to go, before anything reads a text."""
    if not recipe.removals.is_used():
        return []
    return [Node(REMOVE_REQUESTED, with_digest(recipe.removals), {"documents": "ingest"})]


def _deduplicating(recipe: Recipe, texts: str, home: str) -> list[Node]:
    """Edges of equal documents and pairs of similar ones, then the choice among both."""
    link = LinkConfig(recipe.signatures.num_buckets)
    signatures = {"signatures": "compute_signatures"}
    documents = {"documents": texts}
    return [
        Node(COMPUTE_SIGNATURES, recipe.signatures, documents),
        Node(LINK_DUPLICATES, link, signatures),
        Node(SIGN_BANDS, recipe.near.bands(), {**documents, **signatures}),
        Node(FIND_CANDIDATES, recipe.near.candidates(), {"bands": "sign_bands"}),
        Node(
            COMPARE_CANDIDATES,
            CompareConfig(),
            {"candidates": "find_candidates", **signatures, **documents},
        ),
        *_choosing(recipe, home),
    ]


def _choosing(recipe: Recipe, home: str) -> list[Node]:
    """The choice among duplicates, after what was published if that is pinned."""
    inputs = {
        "decisions": "apply_policy",
        "signals": "compute_signals",
        "edges": "link_duplicates",
        "pairs": "compare_candidates",
    }
    config = with_priorities(recipe)
    if not config.pin_kept:
        return [Node(CHOOSE_KEPT, config, inputs)]
    return [
        Node(READ_PUBLISHED, PublishedConfig(home, recipe.name)),
        Node(CHOOSE_KEPT_PINNED, config, {**inputs, "published": "read_published"}),
    ]


def _publishing(recipe: Recipe, texts: str) -> list[Node]:
    """Train and held-out, train without what is near held-out, and the Parquet of both."""
    documents, splits = {"documents": texts}, {"splits": "split"}
    drawn = {"signatures": "compute_signatures", "choices": "choose_kept"}
    guarded = {**documents, **splits, "index": "index_heldout"}
    written = {**documents, "signals": "compute_signals", "splits": "guard_heldout"}
    materialize = replace(recipe.materialize, edited=bool(recipe.edits.use))
    return [
        Node(SPLIT, recipe.split, drawn),
        Node(INDEX_HELDOUT, recipe.guard.index(), {**splits, **documents}),
        Node(GUARD_HELDOUT, recipe.guard, guarded),
        Node(MATERIALIZE, materialize, written),
    ]


def _measuring(recipe: Recipe, read: str) -> list[Node]:
    """The signals, of the edited text too where a recipe edits it.

    What lists, tables and models hold counts, so they are looked at before anything is planned.
    """
    documents, signals = {"documents": read}, recipe.signals
    signals = replace(signals, lists=with_digests(signals.lists, signals.families))
    if not recipe.edits.use:
        return [Node(COMPUTE_SIGNALS, signals, documents)]
    return [
        Node(EDIT_TEXTS, recipe.edits, documents),
        Node(MEASURE_BOTH, signals, {**documents, "edited": "edit_texts"}),
    ]


def _tokenizing(recipe: Recipe) -> list[Node]:
    """Curated text to token shards. A model that the recipe names is known by its content."""
    tokenizer = with_model_digests(recipe.tokenizer)
    return [
        Node(TRAIN_TOKENIZER, tokenizer, {"curated": "materialize"}),
        Node(PACK_TOKENS, PackConfig(), {"curated": "materialize", "tokenizer": "train_tokenizer"}),
    ]


def _training(recipe: Recipe) -> list[Node]:
    """Token shards to a model, how well it predicts, and what it writes; variants of it."""
    read = {"model": "pretrain", "tokenizer": "train_tokenizer"}
    tokens = {"model": "pretrain", "tokens": "pack_tokens"}
    score = with_threads(recipe.heldout)
    judging = {  # a model of labels is no language model: its scores stand in its curve
        "causal": [
            Node(SCORE_HELDOUT, score, tokens),
            Node(SAMPLE_TEXTS, with_threads(recipe.samples), read),
        ],
        "masked": [Node(SCORE_MASKED, score, {**tokens, **read})],
        "supervised": [],
    }
    nodes = [pretraining(recipe.pretrain), *judging[recipe.pretrain.objective]]
    taught = [instructing(recipe.instruct)] if recipe.conversations.path else []
    return [*nodes, *taught, *pretraining_variants(recipe)]


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
    finetuned = [finetuning(recipe), *finetuning_variants(recipe)]
    variants = [name for name, _ in recipe.variants]
    evaluate = evaluate_with(variants)
    evaluate_inputs = {
        "finetuned": "finetune",
        "baseline": "score_baseline",
        "labelled": "pack_labels",
        **{f"finetuned_{name}": step_name("finetune", name) for name in variants},
    }
    return [*finetuned, Node(evaluate, recipe.evaluate, evaluate_inputs)]
