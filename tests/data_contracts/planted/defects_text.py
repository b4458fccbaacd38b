"""Defects of documents and signals: what was read, and what was measured of it."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from typing import Any

from planting import PARTITIONS, QUARANTINED, Planted, baseline_with, defect, resampled, skew

MILD, STRONG, WHOLE = 0.7, 0.8, 1.0  # shares of the smaller half: indices of 0.17, 0.42, over 2

COUNTS = [
    "num_bytes",
    "num_chars",
    "num_words",
    "max_word_chars",
    "num_stop_words",
    "num_lines",
    "num_nonblank_lines",
    "num_paragraphs",
    "num_sentences",
]
MEANS = ["mean_word_chars", "hash_words_ratio", "ellipsis_words_ratio"]


@defect("documents", "text.clean", 3)
def controls(planted: Planted) -> Sequence[str]:
    for row, mark in zip(planted.rows, "\x00\x0b\x1f", strict=False):
        row["text"] = f"be{mark}fore"
    planted.rows[7]["text"] = "\tafter\n"
    return [row["doc_id"] for row in planted.rows[:3]]


@defect("documents", "text.clean")
def no_text(planted: Planted) -> Sequence[str]:
    planted.rows[5]["text"] = ""
    return [planted.rows[5]["doc_id"]]


@defect("documents", "documents_read", also=["something_read"])
def nothing_read(planted: Planted) -> Sequence[str]:
    planted.rows.clear()
    for number in range(3):
        planted.tell(number, records_framed=2)
    planted.recount()
    return []


@defect("documents", "records_conserved", 2)
def rows_lost(planted: Planted) -> Sequence[str]:
    del planted.rows[3:5]
    return [planted.view(PARTITIONS)[0]["part"], "documents=328"]


@defect("documents", "records_conserved", 1)
def quarantine_lost(planted: Planted) -> Sequence[str]:
    lost = planted.view(QUARANTINED).pop()
    return [lost["part"], "quarantined=1"]


@defect("documents", "records_conserved", 4)
def passed_over_and_not_told(planted: Planted) -> Sequence[str]:
    framed = planted.facts()["records_framed"]
    planted.tell(0, records_framed=framed + 7, records_skipped=3)
    return [planted.view(PARTITIONS)[0]["part"], "passed_over=3"]


@defect("documents", "records_conserved", 333)
def framing_not_told(planted: Planted) -> Sequence[str]:
    planted.view(PARTITIONS)[1]["facts"] = "{}"
    return [planted.view(PARTITIONS)[1]["part"]]


@defect("documents", "few_quarantined")
def some_quarantined(planted: Planted) -> Sequence[str]:
    planted.view(PARTITIONS)[0]["quarantined"] = 20
    return ["file-0.jsonl", "empty text", "records=1"]


@defect("documents", "not_mostly_quarantined", also=["few_quarantined"])
def many_quarantined(planted: Planted) -> Sequence[str]:
    planted.view(PARTITIONS)[0]["quarantined"] = 300
    return ["file-0.jsonl", "empty text", "records=1"]


@defect("documents", "something_read")
def source_all_quarantined(planted: Planted) -> Sequence[str]:
    planted.tell(0, source="other")
    planted.view(PARTITIONS)[0] |= {"kept": 0, "quarantined": 3, "num_in": 3}
    return ["file-0.jsonl", "empty text", "records=1"]


@defect("documents", "repairs_drift")
def fewer_repairs(planted: Planted) -> Sequence[str]:
    baseline_with(planted, num_repairs=[number % 2 for number, _ in enumerate(planted.rows)])
    return ["num_repairs"]


def _shares(planted: Planted) -> list[str]:
    shares = [field.name for field in planted.schema if b"most" in (field.metadata or {})]
    return shares[:11]  # those of the families that every run has


@defect("edited", "documents_conserved", 3)
def document_lost_in_editing(planted: Planted) -> Sequence[str]:
    lost = planted.rows.pop(3)
    planted.rows[5]["doc_id"] = "0" * 32
    planted.recount()
    return [lost["doc_id"], "0" * 32]


@defect("edited", "only_texts_edited", 5)
def more_than_texts_edited(planted: Planted) -> Sequence[str]:
    changes = {"source": "other", "url": None, "labels": [("topic", "none")], "num_repairs": 9}
    for row, (name, value) in zip(planted.rows, changes.items(), strict=False):
        row[name] = value
    planted.rows[9]["meta"] = "{}"
    return [planted.rows[0]["doc_id"], "other"]


@defect("edited", "hashes_follow_texts", 2)
def hash_of_another_text(planted: Planted) -> Sequence[str]:
    planted.rows[2]["text"] += " more"
    planted.rows[4]["text_hash"] = "0" * 32
    return [planted.rows[2]["doc_id"], planted.rows[4]["doc_id"]]


@defect(
    "signals",
    "values_as_declared",
    len(COUNTS),
    also=["bytes_fit_chars", "lines_fit", "words_fit"],
)
def negative_counts(planted: Planted) -> Sequence[str]:
    for row, name in zip(planted.rows, COUNTS, strict=False):
        row[name] = -1
    return [
        f"doc_id={row['doc_id']!r}, signal={name!r}, value=-1"
        for row, name in zip(planted.rows, COUNTS, strict=False)
    ]


@defect("signals", "values_as_declared", 11)
def negative_ratios(planted: Planted) -> Sequence[str]:
    for row, name in zip(planted.rows, _shares(planted), strict=False):
        row[name] = -0.25
    return ["_ratio', value=-0.25"]


@defect("signals", "values_as_declared", 11, also=["classes_disjoint"])
def large_ratios(planted: Planted) -> Sequence[str]:
    for row, name in zip(planted.rows, _shares(planted), strict=False):
        row[name] = 1.25
    return ["_ratio', value=1.25"]


@defect("signals", "values_as_declared", also=["classes_disjoint"])
def ratio_is_no_number(planted: Planted) -> Sequence[str]:
    planted.rows[4]["digit_chars_ratio"] = float("nan")
    return [planted.rows[4]["doc_id"], "digit_chars_ratio", "nan"]


@defect("signals", "values_as_declared", 6, also=["words_fit"])
def means_are_no_numbers(planted: Planted) -> Sequence[str]:
    for number, name in enumerate(MEANS):
        planted.rows[number][name] = -1.0
        planted.rows[number + 3][name] = float("inf")
    return [*MEANS, "inf", "-1.0"]


@defect("signals", "bytes_fit_chars", 2)
def bytes_unlike_chars(planted: Planted) -> Sequence[str]:
    first, second = planted.rows[:2]
    first["num_bytes"] = first["num_chars"] - 1
    second["num_bytes"] = 4 * second["num_chars"] + 1
    return [first["doc_id"], second["doc_id"]]


@defect("signals", "lines_fit", 2)
def lines_unlike_lines(planted: Planted) -> Sequence[str]:
    first, second = planted.rows[:2]
    first["num_nonblank_lines"] = first["num_lines"] + 1
    second["num_paragraphs"] = second["num_nonblank_lines"] + 1
    return [first["doc_id"], second["doc_id"]]


@defect("signals", "words_fit", 5)
def words_unlike_words(planted: Planted) -> Sequence[str]:
    pairs = [
        ("num_words", "num_chars"),
        ("max_word_chars", "num_chars"),
        ("mean_word_chars", "max_word_chars"),
        ("num_stop_words", "num_words"),
        ("num_sentences", "num_chars"),
    ]
    for row, (small, large) in zip(planted.rows, pairs, strict=False):
        row[small] = row[large] + 1
    return [row["doc_id"] for row in planted.rows[:5]]


@defect("signals", "classes_disjoint")
def classes_overlap(planted: Planted) -> Sequence[str]:
    planted.rows[2] |= {"alphabetic_chars_ratio": 0.8, "symbol_chars_ratio": 0.8}
    return [planted.rows[2]["doc_id"]]


def _stop_words(row: dict[str, Any]) -> float:
    return float(row["num_stop_words"] / row["num_words"])


DRIFTING: dict[str, Callable[[dict[str, Any]], Any]] = {
    "num_words": lambda row: row["num_words"],
    "word_length": lambda row: row["mean_word_chars"],
    "letters": lambda row: row["alphabetic_chars_ratio"],
    "stop_words": _stop_words,
    "language": lambda row: row["language"],
}


def _speak_two_languages(planted: Planted) -> None:
    for number, row in enumerate(planted.rows):
        row["language"] = ("en", "fr")[number % 2]


def _move(planted: Planted, name: str, low_share: float) -> Sequence[str]:
    """Set a baseline in which one quantity is distributed otherwise and the others as they are."""
    _speak_two_languages(planted)
    values = resampled([DRIFTING[name](row) for row in planted.rows], low_share)
    rates = [_stop_words(row) for row in planted.rows]
    if name == "num_words":
        stop_words = [rate * words for rate, words in zip(rates, values, strict=True)]
        baseline_with(planted, num_words=values, num_stop_words=stop_words)
    elif name == "stop_words":
        words = [row["num_words"] for row in planted.rows]
        stop_words = [rate * words for rate, words in zip(values, words, strict=True)]
        baseline_with(planted, num_stop_words=stop_words)
    else:
        column = {"letters": "alphabetic_chars_ratio"}.get(name, name)
        baseline_with(planted, **{column: values})
    return [" = 0."]


def _decorrelate(planted: Planted) -> None:
    """Give rows the quantities of different others, so that moving one moves no other."""
    _speak_two_languages(planted)
    quantities = {name: [value(row) for row in planted.rows] for name, value in DRIFTING.items()}
    for seed, values in enumerate(quantities.values()):
        random.Random(seed).shuffle(values)
    large = dict.fromkeys(("num_bytes", "num_chars", "max_word_chars"), 1_000_000)
    none = ("digit_chars_ratio", "whitespace_chars_ratio", "symbol_chars_ratio")
    for number, row in enumerate(planted.rows):
        words = 100 * int(quantities["num_words"][number])
        row |= {**large, **dict.fromkeys(none, 0.0), "num_words": words}
        row["mean_word_chars"] = quantities["word_length"][number]
        row["alphabetic_chars_ratio"] = quantities["letters"][number]
        row["num_stop_words"] = round(quantities["stop_words"][number] * words)
        row["language"] = quantities["language"][number]


def _move_new(planted: Planted, name: str, low_share: float) -> Sequence[str]:
    """Make one partition new, and one quantity in it unlike the whole."""
    _decorrelate(planted)
    skew(planted, DRIFTING[name], low_share)
    return [" rows", "330"]


def _register(name: str) -> None:
    levels: dict[str, tuple[Any, float, list[str]]] = {
        "drift": (_move, MILD, []),
        "drift_large": (_move, STRONG, ["drift"]),
        "drift_new": (_move_new, STRONG, []),
        "drift_new_large": (_move_new, WHOLE, ["drift_new"]),
    }
    for level, (move, share, others) in levels.items():

        def plant(planted: Planted, move: Any = move, share: float = share) -> Sequence[str]:
            found: Sequence[str] = move(planted, name, share)
            return found

        defect("signals", f"{name}_{level}", 1, [f"{name}_{other}" for other in others])(plant)


for _name in DRIFTING:
    if _name != "word_length":  # held still with the others, asked by no rule
        _register(_name)
