"""The model's card: on whose texts it was trained, how, and what came of it, in Markdown.

Stands beside the report. What the recipe says of each source (licence, consent, priority, labels)
travels here; the front matter is that of model cards on the Hugging Face hub, as far as it is
known: https://huggingface.co/docs/hub/model-cards#model-card-metadata. Nothing is computed anew but
counts of documents.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from catalog.opened import CURATED, INGEST, OpenedRun
from catalog.report import words
from catalog.report.facts import ConversationFacts, Pretraining, ReportFacts, Score
from catalog.report.read_data import asking
from catalog.report.read_run import has
from catalog.report.section_conversations import sentences

NOT_SAID = "not said"
MAX_CELL_CHARS = 300

_LICENCE_ID = re.compile(r"[a-z0-9][a-z0-9.-]{1,40}")  # as the hub spells them: cc-by-sa-4.0
_HUB_PATH = re.compile(r"hf://datasets/([\w.-]+/[\w.-]+)(?:[@/].*)?")
_SIGNS = str.maketrans({sign: f"\\{sign}" for sign in "\\`*_[]<>|#"})


@dataclass(frozen=True)
class CardSource:
    """A source: what the recipe says of it, and its documents, read, in train and held out."""

    name: str
    settings: Mapping[str, Any]
    num_read: int
    num_train: int | None
    num_heldout: int | None


def read_sources(opened: OpenedRun) -> tuple[CardSource, ...]:
    """Return the sources of a run by name; of splits None where nothing was curated."""
    if not has(opened, INGEST):
        return ()
    said = _settings_of(opened.run.recipe)
    with asking(opened) as ask:
        read = {r["source"]: r["n"] for r in ask(_COUNT_SQL.format(f"{INGEST} GROUP BY ALL"))}
        curated = {}
        if has(opened, CURATED):
            for split in ("train", "heldout"):
                where = f"{CURATED} WHERE split = '{split}' GROUP BY ALL"
                curated[split] = {r["source"]: r["n"] for r in ask(_COUNT_SQL.format(where))}
    train, heldout = curated.get("train"), curated.get("heldout")
    return tuple(
        CardSource(
            name,
            said.get(name, {}),
            read.get(name, 0),
            None if train is None else train.get(name, 0),
            None if heldout is None else heldout.get(name, 0),
        )
        for name in sorted({*said, *read})
    )


_COUNT_SQL = "SELECT source, count(*) AS n FROM {}"


def _settings_of(recipe: Mapping[str, Any]) -> dict[str, Mapping[str, Any]]:
    """Return what a resolved recipe says of each source, by the name that rows know it by."""
    if sources := recipe.get("sources"):
        return dict(sources)
    one = recipe.get(INGEST) or {}
    return {str(one.get("source") or one.get("kind")): one} if one else {}


def write_card(facts: ReportFacts, sources: Sequence[CardSource]) -> str:
    """Return the card of a run as Markdown; the same facts give the same card.

    Names and texts that are not ours stand escaped.
    """
    parts = [
        _front_matter(sources),
        f"# {_cell(facts.run.recipe_name)}",
        _cell(facts.run.description) or "A model trained by Millrace.",
        *_section("Texts", _sources_table(sources)),
        *_section("Tokens", _tokens(facts)),
        *_section("Training", _training(facts.pretraining)),
        *_section("Held-out text", _heldout(facts.pretraining)),
        *_section("Conversations", _conversations(facts.conversations)),
        *_section("Scores", _scores(facts.comparison.scores if facts.comparison else ())),
        *_section("Contracts", _contracts(facts)),
        *_section("Lineage", _lineage(facts)),
    ]
    return "\n\n".join(parts) + "\n"


def _front_matter(sources: Sequence[CardSource]) -> str:
    """Return what the hub reads; YAML takes JSON's strings as they are."""
    licences = {str(source.settings.get("licence") or "") for source in sources}
    lines = []
    if len(licences) == 1 and _LICENCE_ID.fullmatch(only := "".join(licences)):
        lines.append(f"license: {json.dumps(only)}")
    elif licences - {""}:
        lines.append("license: other")
    for key, values in (("language", _languages(sources)), ("datasets", _datasets(sources))):
        if values:
            lines += [f"{key}:", *(f"- {json.dumps(value)}" for value in values)]
    return "\n".join(["---", *lines, "tags:", "- millrace", "---"])


def _languages(sources: Iterable[CardSource]) -> list[str]:
    """Return the languages that the recipe's labels name."""
    found = {dict(_labels(source)).get("language", "") for source in sources}
    return sorted(code for code in found if re.fullmatch("[a-z]{2,3}", code))


def _datasets(sources: Iterable[CardSource]) -> list[str]:
    """Return the names of the hub's datasets that were read."""
    found = (_HUB_PATH.fullmatch(str(source.settings.get("path") or "")) for source in sources)
    return sorted({match[1] for match in found if match})


def _labels(source: CardSource) -> Iterator[tuple[str, str]]:
    labels = source.settings.get("labels") or {}
    pairs = labels.items() if isinstance(labels, Mapping) else labels
    yield from ((str(name), str(value)) for name, value in pairs)


def _sources_table(sources: Sequence[CardSource]) -> str:
    names = ("source", "licence", "consent", "priority", "labels", "read", "train", "held out")
    return _table(
        names,
        (
            (
                source.name,
                source.settings.get("licence") or NOT_SAID,
                source.settings.get("consent") or NOT_SAID,
                source.settings.get("priority", 0),
                ", ".join(f"{name}: {value}" for name, value in _labels(source)),
                words.count(source.num_read),
                words.count(source.num_train),
                words.count(source.num_heldout),
            )
            for source in sources
        ),
    )


def _tokens(facts: ReportFacts) -> str:
    rows = [
        (side.split, words.count(side.num_documents), words.count(side.num_bytes),
         words.count(side.num_tokens))
        for side in (facts.data.sides if facts.data else ())
    ]  # fmt: skip
    table = _table(("split", "documents", "bytes", "tokens"), rows) if rows else ""
    tokenizer = _plain_values(facts.tokenizer.facts) if facts.tokenizer else {}
    return "\n\n".join(filter(None, [table, _table(("tokenizer", ""), tokenizer.items())]))


def _training(trained: Pretraining | None) -> str:
    if trained is None:
        return ""
    model = trained.description.get("model")
    described = {**trained.description, **(model if isinstance(model, Mapping) else {})}
    values = {**_plain_values(described), **_plain_values(trained.facts)}
    return _table(("setting", "value"), sorted(values.items()))


def _heldout(trained: Pretraining | None) -> str:
    if trained is None or trained.heldout is None:
        return ""
    found = trained.heldout
    return (
        f"{found.bits_per_byte:.3f} bits a byte over {words.count(found.num_documents)} documents "
        f"({words.count(found.num_bytes)} bytes)."
    )


def _conversations(found: ConversationFacts | None) -> str:
    return "" if found is None else " ".join(sentences(found))


def _scores(scores: Iterable[Score]) -> str:
    rows = [
        (score.arm, score.against or "", score.metric, f"{score.value:.4f}",
         f"{score.low:.4f} to {score.high:.4f}", score.num_documents, score.verdict or "")
        for score in scores
    ]  # fmt: skip
    names = ("arm", "against", "metric", "value", "interval", "documents", "verdict")
    return _table(names, rows) if rows else ""


def _contracts(facts: ReportFacts) -> str:
    rows = [(found.step, found.name, found.version, found.state) for found in facts.contracts]
    return _table(("step", "contract", "version", "state"), rows) if rows else ""


def _lineage(facts: ReportFacts) -> str:
    run = facts.run
    ours = [("run", run.name), ("recipe", run.recipe_name), ("finished", run.finished_at or "")]
    ours += [("machine", run.machine), *sorted(run.versions.items())]
    steps = [(step.step, step.dataset or "") for step in facts.steps]
    return "\n\n".join([_table(("what", ""), ours), _table(("step", "dataset"), steps)])


def _plain_values(values: Mapping[str, Any]) -> dict[str, Any]:
    """Return the values that fit a cell: numbers, texts, truth values."""
    return {name: value for name, value in values.items() if isinstance(value, str | int | float)}


def _section(name: str, body: str) -> list[str]:
    return [f"## {name}", body] if body else []


def _table(names: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    lines = [[_cell(value) for value in row] for row in rows]
    if not lines:
        return ""
    shown = [list(names), ["---"] * len(names), *lines]
    return "\n".join(f"| {' | '.join(line)} |" for line in shown)


def _cell(value: object) -> str:
    """Return a value as a cell of a table, whatever it holds."""
    text = " ".join(words.visible(str(value)).split())
    return words.clipped(text, MAX_CELL_CHARS).translate(_SIGNS)
