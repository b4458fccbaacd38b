"""Run datatrove's own filters over a Parquet file of texts; started with the peers' Python.

    .venv-peers/bin/python benchmarks/peers/datatrove_filters.py chain|rules TEXTS ANSWERS

``chain`` asks Gopher repetition, Gopher quality, C4 quality (any line ending, as FineWeb has it)
and FineWeb quality in FineWeb's order, until one drops the document; it writes the first reason,
null where all keep it, and prints the seconds as JSON. ``rules`` asks the rule that the column
``rule`` names with all others switched off, or each of them where there is no such column; it
writes a column of answers for each: dropped, kept, or null where the filter fails or was not asked.
One core is used.
"""

from __future__ import annotations

import json
import os
import sys
import time
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})

from datatrove.data import Document  # noqa: E402
from datatrove.pipeline.filters import (  # noqa: E402
    C4QualityFilter,
    FineWebQualityFilter,
    GopherQualityFilter,
    GopherRepetitionFilter,
)

NO_REPETITION = {
    "dup_line_frac": None,
    "dup_para_frac": None,
    "dup_line_char_frac": None,
    "dup_para_char_frac": None,
    "top_n_grams": (),
    "dup_n_grams": (),
}
TOP = {2: 0.2, 3: 0.18, 4: 0.16}
REPEATED = {5: 0.15, 6: 0.14, 7: 0.13, 8: 0.12, 9: 0.11, 10: 0.10}
NO_QUALITY = {
    "min_doc_words": None,
    "max_doc_words": None,
    "min_avg_word_length": None,
    "max_avg_word_length": None,
    "max_symbol_word_ratio": None,
    "max_bullet_lines_ratio": None,
    "max_ellipsis_lines_ratio": None,
    "max_non_alpha_words_ratio": None,
    "min_stop_words": None,
}
QUALITY = {
    "gopher_short_doc": {"min_doc_words": 50},
    "gopher_long_doc": {"max_doc_words": 100_000},
    "gopher_below_avg_threshold": {"min_avg_word_length": 3},
    "gopher_above_avg_threshold": {"max_avg_word_length": 10},
    "gopher_too_many_hashes": {"max_symbol_word_ratio": 0.1},
    "gopher_too_many_ellipsis": {"max_symbol_word_ratio": 0.1},
    "gopher_too_many_bullets": {"max_bullet_lines_ratio": 0.9},
    "gopher_too_many_end_ellipsis": {"max_ellipsis_lines_ratio": 0.3},
    "gopher_below_alpha_threshold": {"max_non_alpha_words_ratio": 0.8},
    "gopher_enough_stop_words": {"min_stop_words": 2},
}
NO_LINES = {
    "line_punct_thr": -1.0,
    "short_line_thr": 9.0,
    "char_duplicates_ratio": 9.0,
    "new_line_ratio": 1e9,
}
LINES = {
    "line_punct_ratio": {"line_punct_thr": 0.12},
    "short_line_ratio": {"short_line_thr": 0.67},
    "char_dup_ratio": {"char_duplicates_ratio": 0.01},
    "list_ratio": {"new_line_ratio": 0.3},
}


def single_rules() -> dict[str, tuple[object, str | None]]:
    """Return for each rule a filter that asks it alone, and its reason where it may give others."""
    rules: dict[str, tuple[object, str | None]] = {}
    for name, most in (
        ("dup_para_frac", 0.3),
        ("dup_para_char_frac", 0.2),
        ("dup_line_frac", 0.3),
        ("dup_line_char_frac", 0.2),
    ):
        rules[name] = GopherRepetitionFilter(**{**NO_REPETITION, name: most}), None
    for n, most in TOP.items():
        alone = {**NO_REPETITION, "top_n_grams": ((n, most),)}
        rules[f"top_{n}_gram"] = GopherRepetitionFilter(**alone), None
    for n, most in REPEATED.items():
        alone = {**NO_REPETITION, "dup_n_grams": ((n, most),)}
        rules[f"duplicated_{n}_n_grams"] = GopherRepetitionFilter(**alone), None
    for name, alone in QUALITY.items():
        rules[name] = GopherQualityFilter(**{**NO_QUALITY, **alone}), name
    for name in ("lorem_ipsum", "curly_bracket", "too_few_sentences"):
        rules[name] = C4QualityFilter(), name
    for name, alone in LINES.items():
        rules[name] = FineWebQualityFilter(**{**NO_LINES, **alone}), name
    return rules


def ask(filter_: object, text: str) -> str | None:
    """Return the reason for which a filter drops a text, None if it keeps it."""
    answer = filter_.filter(Document(text=text, id="0"))
    return None if answer is True else answer[1]


def chain(texts: list[str]) -> tuple[pa.Table, dict[str, float]]:
    """Ask the four filters in FineWeb's order; return first reasons, and the seconds it took."""
    filters = [
        GopherRepetitionFilter(),
        GopherQualityFilter(),
        C4QualityFilter(filter_no_terminal_punct=False),
        FineWebQualityFilter(),
    ]
    ask(filters[1], "Load the words of the language before the clock starts.")
    reasons, lengths = [], []
    started = time.perf_counter()
    for text in texts:
        document, reason = Document(text=text, id="0"), None
        for each in filters:
            answer = each.filter(document)
            if answer is not True:
                reason = answer[1]
                break
        reasons.append(reason)
        lengths.append(len(document.text))
    seconds = time.perf_counter() - started
    return pa.table({"reason": pa.array(reasons, pa.string()), "num_chars": lengths}), {
        "seconds": seconds
    }


def rules(texts: list[str], only: list[str] | None) -> tuple[pa.Table, dict[str, float]]:
    """Ask rules alone, each of them or the one named beside the text; one column a rule."""
    asked = single_rules()
    found: dict[str, list[bool | None]] = {name: [None] * len(texts) for name in asked}
    started = time.perf_counter()
    for row, text in enumerate(texts):
        for name in asked if only is None else [only[row]]:
            filter_, reason = asked[name]
            try:
                answer = ask(filter_, text)
            except ZeroDivisionError:
                continue
            found[name][row] = answer is not None if reason is None else answer == reason
    seconds = time.perf_counter() - started
    columns = {name: pa.array(answers, pa.bool_()) for name, answers in found.items()}
    return pa.table(columns), {"seconds": seconds}


if __name__ == "__main__":
    mode, source, target = sys.argv[1:]
    given = pq.read_table(source)
    given_texts = given["text"].to_pylist()
    if mode == "chain":
        table, told = chain(given_texts)
    else:
        names = given["rule"].to_pylist() if "rule" in given.column_names else None
        table, told = rules(given_texts, names)
    pq.write_table(table, Path(target))
    print(json.dumps(told))
