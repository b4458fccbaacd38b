"""What verifying a home found, as a value and as lines for people."""

from __future__ import annotations

from collections import Counter
from dataclasses import asdict, dataclass
from typing import Any, Literal

from store.hints import counted, human_bytes

Kind = Literal["damaged", "missing", "orphan", "unknown"]


@dataclass(frozen=True)
class Finding:
    """One thing that is not as it should be.

    ``kind`` is ``damaged`` (not what was written), ``missing`` (something names it and it is not
    there), ``orphan`` (rows without a receipt, which nobody reads) or ``unknown`` (not ours).
    ``moved_to`` are the files' new names if they were set aside.
    """

    kind: Kind
    name: str
    sentence: str
    moved_to: tuple[str, ...] = ()


@dataclass(frozen=True)
class VerifyReport:
    """What was looked at, and what is wrong with it. ``size_bytes`` is of all files read."""

    num_partitions: int
    num_manifests: int
    num_runs: int
    size_bytes: int
    findings: tuple[Finding, ...]

    def is_damaged(self) -> bool:
        """Return whether anything is damaged or missing and was not set aside.

        Orphans do no harm, and what was set aside is made anew by the next run.
        """
        return any(is_harm(finding) and not finding.moved_to for finding in self.findings)

    def plain(self) -> dict[str, Any]:
        """Return the report as plain JSON values."""
        findings = [{**asdict(one), "moved_to": list(one.moved_to)} for one in self.findings]
        return {**asdict(self), "findings": findings}


def format_report(report: VerifyReport) -> str:
    """Return the report as lines for people: one for each finding, then what was looked at."""
    counts = Counter(finding.kind for finding in report.findings)
    told = ", ".join(f"{counts[kind]} {kind}" for kind in sorted(counts)) or "all as written"
    looked_at = (
        f"{counted(report.num_partitions, 'partition')}, "
        f"{counted(report.num_manifests, 'dataset')} and {counted(report.num_runs, 'run')}, "
        f"{human_bytes(report.size_bytes)}: {told}."
    )
    sentences = [finding.sentence for finding in report.findings]
    return "\n".join([*sentences, looked_at, *_repair_lines(report)])


def _repair_lines(report: VerifyReport) -> list[str]:
    """Say what a repair came to, if there was one."""
    harm = [finding for finding in report.findings if is_harm(finding)]
    left = sum(not finding.moved_to for finding in harm)
    if left == len(harm):
        return []
    if left:
        return [f"Of {len(harm)} findings {left} could not be mended by setting aside; run again."]
    return ["All that was damaged is set aside; run again to have it made anew."]


def is_harm(finding: Finding) -> bool:
    """Return whether something is lost: orphans and unknown files only take room."""
    return finding.kind in ("damaged", "missing")
