"""Which sections the page has, and in plain words what this run lacks."""

from __future__ import annotations

from collections.abc import Iterator

from catalog.report.facts import ReportFacts


def contents(facts: ReportFacts) -> list[tuple[str, str]]:
    """Return the sections that there is something to say in: anchors and titles, in order."""
    trained = facts.pretraining
    there = (
        ("comparison", "Comparison", facts.comparison or facts.task),
        ("pretraining", "Pre-training", trained),
        ("samples", "Samples", trained and trained.samples),
        ("conversations", "Conversations", facts.conversations),
        ("tokenizer", "Tokenizer", facts.tokenizer),
        ("contracts", "Contracts", facts.contracts),
        ("data", "Data", facts.data),
        ("duplicates", "Duplicates", facts.duplicates),
        ("made", "How it was made", True),
    )
    return [(name, title) for name, title, found in there if found]


def missing(facts: ReportFacts) -> list[str]:
    """Return a sentence for each thing that this run does not have."""
    return [
        *_missing_judged(facts),
        *_missing_trained(facts),
        *_missing_conversations(facts),
        *_missing_data(facts),
        *_missing_contracts(facts),
    ]


def _missing_judged(facts: ReportFacts) -> Iterator[str]:
    if facts.task is None:
        yield "No documents were labelled for a classifier in this run."
    if facts.comparison is None:
        yield "No classifier was trained or judged in this run."
    elif not facts.comparison.scores:
        yield "Classifiers were trained, but have not been evaluated in this run."


def _missing_trained(facts: ReportFacts) -> Iterator[str]:
    if facts.pretraining is None:
        yield "No model was pre-trained in this run."
        return
    if facts.pretraining.heldout is None:
        yield "The held-out documents were not scored one by one in this run."
    if not facts.pretraining.samples:
        yield "No samples were drawn in this run."


def _missing_conversations(facts: ReportFacts) -> Iterator[str]:
    """Say what was not done with the recipe's conversations; nothing, if it has none."""
    settings = facts.run.recipe.get("conversations")
    if not isinstance(settings, dict) or not settings.get("path"):
        return
    if facts.conversations is None:
        yield "No conversations were read in this run."
    elif not facts.conversations.sides:
        yield "The conversations were not packed in this run."
    elif facts.conversations.taught is None:
        yield "No model was taught by the conversations in this run."


def _missing_data(facts: ReportFacts) -> Iterator[str]:
    if facts.tokenizer is None:
        yield "No tokenizer was trained in this run."
    if facts.data is None:
        yield "No documents were read in this run."
        return
    if facts.duplicates is None:
        yield "No choice among duplicates was made in this run."
    if not facts.data.sides:
        yield "The documents have not been curated in this run."
    elif all(side.num_tokens is None for side in facts.data.sides):
        yield "The documents were not turned into tokens in this run."


def _missing_contracts(facts: ReportFacts) -> Iterator[str]:
    """Say that nothing was checked; a recipe from before there were contracts has no such table."""
    settings = facts.run.recipe.get("contracts")
    if facts.contracts or not isinstance(settings, dict):
        return
    if settings.get("enabled") is False:
        yield "No dataset was held against its contract: the recipe turns contracts off."
    else:
        yield "No dataset was held against its contract in this run."
