"""Results: their states, their sentences, and that they come back from JSON."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from data_contracts.results import (
    STATES,
    CheckResult,
    RuleResult,
    counted_rows,
    from_plain,
    rule_from_plain,
    worst,
)

SHORT = st.text(max_size=5)
RULES = st.builds(
    RuleResult,
    rule=SHORT,
    severity=st.sampled_from(["stop", "warn"]),
    description=SHORT,
    expectation=SHORT,
    state=st.sampled_from(STATES),
    num_checked=st.integers(0, 5000),
    num_broken=st.integers(0, 5000),
    observed=st.none() | SHORT,
    samples=st.lists(SHORT, max_size=3).map(tuple),
    why=st.none() | SHORT,
    remedy=st.none() | SHORT,
)


def result(*rules: RuleResult) -> CheckResult:
    names = ("things", "ingest", "dataset", "1.0.0", "contract", "owner", None)
    return CheckResult(*names, rules=tuple(rules))


def rule(state: str, severity: str = "stop", **more) -> RuleResult:
    return RuleResult("r", severity, "", "expect_it()", state, **more)  # type: ignore[arg-type]


@given(st.lists(RULES, max_size=5))
def test_results_come_back_from_json(rules):
    whole = result(*rules)
    assert from_plain(json.loads(json.dumps(whole.plain()))) == whole
    for one in whole.plain()["rules"]:
        assert rule_from_plain(json.loads(json.dumps(one))) in rules


@given(st.lists(RULES, max_size=6))
def test_the_state_is_the_worst_that_happened(rules):
    broken = [r for r in rules if r.state == "broken"]
    stops = [r for r in broken if r.severity == "stop"]
    whole = result(*rules)
    assert whole.state == ("stopped" if stops else "warned" if broken else "passed")
    assert sorted(map(id, whole.broken())) == sorted(map(id, broken))
    assert all(r.stops for r in whole.broken()[: len(stops)])
    counts = {state: sum(r.state == state for r in rules) for state in STATES}
    assert whole.summary() == ", ".join(f"{n} {state}" for state, n in counts.items() if n)


def test_the_worst_of_several_is_found():
    passed, warned, stopped = rule("passed"), rule("broken", "warn"), rule("broken")
    results = [result(passed), result(passed, warned), result(stopped)]
    assert [worst(results[:n]) for n in range(4)] == ["passed", "passed", "warned", "stopped"]
    assert worst(results[::-1]) == "stopped"


@pytest.mark.parametrize(
    ("broken", "sentence"),
    [
        (
            rule("broken", num_checked=2000, num_broken=1234, observed="1,234", samples=("a", "b")),
            "r (expect_it()) is broken by 1,234 of 2,000 values, observed 1,234, such as a, b",
        ),
        (
            rule("broken", num_checked=1, num_broken=1, why="it gave None"),
            "r (expect_it()) is broken (it gave None)",
        ),
        (
            rule("broken", num_checked=1, num_broken=7, samples=("a",)),
            "r (expect_it()) is broken by 7, such as a",
        ),
        (
            rule("broken", num_checked=3, num_broken=1, observed="x"),
            "r (expect_it()) is broken by 1 of 3 values, observed x",
        ),
    ],
)
def test_a_broken_rule_is_told_in_one_sentence(broken, sentence):
    assert broken.sentence() == sentence


@pytest.mark.parametrize(
    ("newest_at", "fresh_seconds", "stale"),
    [
        ("2026-03-01T00:00:00+00:00", 3600.0, 7200.0),
        ("2026-03-01T00:00:00+00:00", 10_800.0, None),
        ("2026-03-01T04:00:00+02:00", 3600.0, None),
        ("2026-03-01T00:00:00+00:00", None, None),
        (None, 3600.0, None),
    ],
)
def test_data_are_stale_by_what_their_age_exceeds_the_promise(newest_at, fresh_seconds, stale):
    whole = replace(result(), newest_at=newest_at, fresh_seconds=fresh_seconds)
    assert whole.stale_seconds(datetime(2026, 3, 1, 3, tzinfo=UTC)) == stale


def test_numbers_of_values_are_written_for_people():
    written = [counted_rows(n) for n in (0, 1, 999, 1000, 1234567)]
    assert written == ["0 values", "1 value", "999 values", "1,000 values", "1,234,567 values"]
