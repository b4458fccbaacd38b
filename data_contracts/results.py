"""What checking a dataset against its contract came to, as plain values."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any, Literal

from data_contracts.contract import Severity
from store.hints import counted

MAX_SAMPLES = 10

State = Literal["passed", "broken", "skipped"]


@dataclass(frozen=True)
class RuleResult:
    """One rule's result.

    ``expectation`` is what Great Expectations was asked; ``num_checked`` and ``num_broken`` count
    rows, or values of a fact; ``observed`` is what was seen, for people; ``samples`` are up to ten
    broken rows or values; ``why`` says why a rule was skipped or could not be checked;
    ``compares`` is true of a rule that looks at the baseline.
    """

    rule: str
    severity: Severity
    description: str
    expectation: str
    state: State
    num_checked: int = 0
    num_broken: int = 0
    observed: str | None = None
    samples: tuple[str, ...] = ()
    why: str | None = None
    remedy: str | None = None
    compares: bool = False

    @property
    def stops(self) -> bool:
        """Whether the run ends here."""
        return self.state == "broken" and self.severity == "stop"

    def sentence(self) -> str:
        """Say what is broken: the rule, what was expected, how many rows, up to ten of them."""
        rows = f" by {self.num_broken:,} of {counted_rows(self.num_checked)}"
        if self.num_checked < max(self.num_broken, 2):  # one fact was looked at
            rows = f" by {self.num_broken:,}" if self.num_broken > 1 else ""
        seen = f", observed {self.observed}" if self.observed is not None else ""
        named = f", such as {', '.join(self.samples)}" if self.samples else ""
        reason = f" ({self.why})" if self.why else ""
        return f"{self.rule} ({self.expectation}) is broken{rows}{seen}{named}{reason}"


@dataclass(frozen=True)
class CheckResult:
    """One contract held against one dataset.

    ``step`` and ``dataset`` are those of the store (for a folder: "" and its path); ``name`` is
    what the contract calls it; ``baseline`` is the dataset compared with; ``num_parts_checked``
    counts partitions that were read now, the others' results were there. ``seconds`` is what
    checking took, ``checked_at`` UTC. ``newest_at`` is when the newest data were made, and the
    contract promises that they are at most ``fresh_seconds`` old.
    """

    name: str
    step: str
    dataset: str
    version: str
    contract: str
    owner: str
    baseline: str | None
    rules: tuple[RuleResult, ...]
    num_rows: int = 0
    num_parts: int = 0
    num_parts_checked: int = 0
    seconds: float = 0.0
    checked_at: str = ""
    newest_at: str | None = None
    fresh_seconds: float | None = None

    @property
    def state(self) -> Literal["passed", "warned", "stopped"]:
        """The worst that happened."""
        if any(rule.stops for rule in self.rules):
            return "stopped"
        return "warned" if any(rule.state == "broken" for rule in self.rules) else "passed"

    def broken(self) -> list[RuleResult]:
        """Return the broken rules, those that stop first."""
        broken = [rule for rule in self.rules if rule.state == "broken"]
        return sorted(broken, key=lambda rule: rule.severity)

    def summary(self) -> str:
        """Count the rules by what became of them: ``14 passed, 1 broken, 2 skipped``."""
        states = [rule.state for rule in self.rules]
        return ", ".join(f"{states.count(state)} {state}" for state in STATES if state in states)

    def stale_seconds(self, at: datetime) -> float | None:
        """Return by how much the newest data were older than promised at a time; None if not."""
        if self.newest_at is None or self.fresh_seconds is None:
            return None
        age = (at - datetime.fromisoformat(self.newest_at)).total_seconds()
        return age - self.fresh_seconds if age > self.fresh_seconds else None

    def plain(self) -> dict[str, Any]:
        """Return plain values, from which `from_plain` makes the result again."""
        return {**asdict(self), "state": self.state}


STATES: tuple[State, ...] = ("passed", "broken", "skipped")


def from_plain(value: dict[str, Any]) -> CheckResult:
    """Make a result out of the plain values of `CheckResult.plain`."""
    body = {key: item for key, item in value.items() if key not in ("state", "rules", "format")}
    return CheckResult(**body, rules=tuple(map(rule_from_plain, value["rules"])))


def rule_from_plain(value: dict[str, Any]) -> RuleResult:
    """Make a rule's result out of its plain values."""
    return RuleResult(**{**value, "samples": tuple(value["samples"])})


def counted_rows(number: int) -> str:
    """Return a number of rows or values in words: ``1 value``, ``2,000 values``."""
    return counted(number, "value") if number < 1000 else f"{number:,} values"


def worst(results: Iterable[CheckResult]) -> str:
    """Return the worst state of some results; "passed" of none."""
    order = ("passed", "warned", "stopped")
    return max((result.state for result in results), key=order.index, default="passed")
