"""The gate: expectations in, judgements of Great Expectations out. The one file that imports it.

A suite runs on one frame: rows of one partition with just the columns that it needs, or one row of
facts that DuckDB computed (Great Expectations' own SQL engine returns empty metrics on DuckDB). The
library is imported at the first use, which takes seconds; it writes no file, calls nobody and
prints nothing.
"""

from __future__ import annotations

import logging
import math
import os
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.types as at

from data_contracts.errors import ContractError
from data_contracts.results import MAX_SAMPLES

_OF_VALUES = ("expect_column_values_to_be_between", "expect_column_values_to_be_in_set")
CATEGORIES = 10_000  # strings of fewer different values go to pandas as categories: 10 times faster


_WIDENED = {
    **dict.fromkeys(
        (pa.int8(), pa.int16(), pa.int32(), pa.uint8(), pa.uint16(), pa.uint32()), pa.int64()
    ),
    **dict.fromkeys((pa.float16(), pa.float32()), pa.float64()),
}


@dataclass(frozen=True)
class Expectation:
    """What is asked of a frame: the rule it stands for, the expectation's type and arguments."""

    rule: str
    type: str
    kwargs: Mapping[str, Any]

    def __str__(self) -> str:
        arguments = ", ".join(f"{name}={value!r}" for name, value in self.kwargs.items())
        return f"{self.type}({arguments})"


@dataclass(frozen=True)
class Judgement:
    """What Great Expectations found: ``rows`` are the positions of up to ten unexpected values.

    ``num_broken`` is 1 where the expectation is of the frame as a whole. ``problem`` says why it
    could not be judged, which counts as broken.
    """

    rule: str
    kept: bool
    num_checked: int
    num_broken: int
    values: tuple[Any, ...] = ()
    rows: tuple[int, ...] = ()
    observed: Any = None
    problem: str | None = None


def judge(frame: pa.Table, expectations: Sequence[Expectation]) -> list[Judgement]:
    """Hold a frame against expectations, in their order.

    Raises:
        ContractError: if there is no such expectation, or its arguments do not fit it.
    """
    if not expectations:
        return []
    suite = _suite(expectations)
    batch = _batches().get_batch({"dataframe": _pandas(frame)})
    found = batch.validate(
        suite,
        result_format={
            "result_format": "SUMMARY",
            "partial_unexpected_count": MAX_SAMPLES,
        },
    )
    by_rule = {result.expectation_config.meta["rule"]: result for result in found.results}
    return [_judged_nan(_judgement(by_rule[e.rule], len(frame)), frame, e) for e in expectations]


def check_expectations(expectations: Sequence[Expectation]) -> None:
    """Raise ContractError if one of them is not an expectation of Great Expectations."""
    if expectations:
        _suite(expectations)


@cache
def library_version() -> str:
    """Return the version of Great Expectations, without importing it."""
    from importlib.metadata import version

    return version("great-expectations")


def _suite(expectations: Sequence[Expectation]) -> Any:
    library = _library()
    wanted = [
        {"type": e.type, "kwargs": dict(e.kwargs), "meta": {"rule": e.rule}} for e in expectations
    ]
    try:
        suite = library.ExpectationSuite(name="contract", expectations=wanted)
        made = {expectation.meta["rule"] for expectation in suite.expectations}
        for e in expectations:
            if e.rule not in made:  # an unknown type is only logged
                raise ValueError(f"{e.type} is no expectation")
        return suite
    except Exception as error:  # its own tree and pydantic's have no common root
        names = ", ".join(f"{e.rule} ({e.type})" for e in expectations)
        raise ContractError(
            f"Great Expectations does not take one of {names}: {' '.join(str(error).split())[:300]}"
        ) from error


def _judgement(result: Any, num_rows: int) -> Judgement:
    rule, raised = result.expectation_config.meta["rule"], _raised(result.exception_info)
    if raised is not None:
        return Judgement(rule, False, num_rows, num_rows, problem=raised)
    found = result.result
    is_of_rows = "unexpected_count" in found
    return Judgement(
        rule=rule,
        kept=bool(result.success),
        num_checked=int(found["element_count"]) if is_of_rows else 1,
        num_broken=int(found["unexpected_count"]) if is_of_rows else int(not result.success),
        values=tuple(found.get("partial_unexpected_list") or ())[:MAX_SAMPLES],
        rows=tuple(found.get("partial_unexpected_index_list") or ())[:MAX_SAMPLES],
        observed=found.get("observed_value"),
    )


def _judged_nan(found: Judgement, frame: pa.Table, asked: Expectation) -> Judgement:
    """Count NaN among the broken, which pandas takes for a null and so for one to be left out."""
    name = asked.kwargs.get("column")
    if (
        asked.type not in _OF_VALUES
        or "row_condition" in asked.kwargs
        or found.problem is not None
        or not at.is_floating(frame[name].type)
    ):
        return found
    nan = np.flatnonzero(pc.fill_null(pc.is_nan(frame[name]), False).to_numpy())
    if not len(nan):
        return found
    num_broken = found.num_broken + len(nan)
    broken_ratio = num_broken / (len(frame) - frame[name].null_count)
    first = [*zip(found.rows, found.values, strict=True), *((int(i), math.nan) for i in nan)]
    rows, values = zip(*sorted(first, key=lambda pair: pair[0])[:MAX_SAMPLES], strict=True)
    kept = 1 - broken_ratio >= asked.kwargs.get("mostly", 1)
    return replace(found, kept=kept, num_broken=num_broken, values=values, rows=rows)


def _raised(info: Mapping[str, Any]) -> str | None:
    """Return the message of what an expectation raised, which comes nested by metric or flat."""
    entries = [info] if "raised_exception" in info else list(info.values())
    for entry in entries:
        if entry.get("raised_exception"):
            return " ".join(str(entry.get("exception_message")).split())[:300]
    return None


def _pandas(frame: pa.Table) -> Any:
    """Return a frame as Great Expectations is fastest on it.

    Numbers of 64 bits: it compares all others one by one in Python. Few strings as categories.
    """
    columns = {}
    for name in frame.schema.names:
        column = frame[name]
        if column.type in _WIDENED:
            column = column.cast(_WIDENED[column.type])
        if at.is_string(column.type) and len(column) > 1000:
            encoded = column.dictionary_encode()
            if sum(len(chunk.dictionary) for chunk in encoded.chunks) <= CATEGORIES:
                column = encoded.unify_dictionaries()
        columns[name] = column
    # Whole numbers with nulls stay whole: as floats the large ones would be others.
    return pa.table(columns).to_pandas(integer_object_nulls=True)


@cache
def _library() -> Any:
    """Import Great Expectations, silently."""
    os.environ.setdefault("GX_ANALYTICS_ENABLED", "false")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import great_expectations

    logging.getLogger("great_expectations").setLevel(logging.CRITICAL)
    return great_expectations


@cache
def _batches() -> Any:
    """Return a definition of batches that takes any frame, of a context that lives in memory."""
    library = _library()
    from great_expectations.data_context.types.base import ProgressBarsConfig

    context = library.get_context(mode="ephemeral")
    context.variables.progress_bars = ProgressBarsConfig(globally=False)
    asset = context.data_sources.add_pandas("frames").add_dataframe_asset("frame")
    return asset.add_batch_definition_whole_dataframe("whole")
