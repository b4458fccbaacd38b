"""The one sentence that a reader came for: did pre-training help, and what does a baseline reach?

Said from `SCORES` alone, no better than they are: where the measures disagree, both are told.
"""

from __future__ import annotations

from collections.abc import Sequence

from catalog.report.facts import ReportFacts, Score
from catalog.report.words import count, digits, is_number, score, short

ARM_NAMES = {"pretrained": "pre-trained", "scratch": "from scratch", "tfidf": "TF-IDF"}
_TWIN = "scratch_"  # of a further pre-training whose model has another shape
METRIC_NAMES = {"accuracy": "accuracy", "macro_f1": "macro-F1"}

_CLAIMS = {
    "better": "Pre-training made the classifier better",
    "equal": "Pre-training made no difference that can be told from chance",
    "worse": "Pre-training made the classifier worse",
}
_BASELINE = {
    "better": "the TF-IDF baseline, at {0}, is behind the pre-trained model",
    "equal": "the TF-IDF baseline, at {0}, cannot be told from the pre-trained model",
    "worse": "the TF-IDF baseline, at {0}, is ahead of the pre-trained model",
}


def arm_name(arm: str) -> str:
    """Return what a person calls an arm of the comparison."""
    if arm.startswith(_TWIN):
        return f"from scratch, as {arm.removeprefix(_TWIN)}"
    return ARM_NAMES.get(arm, arm)


def metric_name(metric: str) -> str:
    """Return what a person calls a measure."""
    return METRIC_NAMES.get(metric, metric)


def headline(facts: ReportFacts) -> str:
    """Return one or two sentences on how far the run came and what it showed."""
    ended = _ended_badly(facts)
    return f"{ended} {_showed(facts)}" if ended else _showed(facts)


def _ended_badly(facts: ReportFacts) -> str:
    failed = next((step.step for step in facts.steps if step.state == "failed"), None)
    where = f" in {failed}" if failed else ""
    if facts.run.state in ("failed", "crashed"):
        return f"This run {facts.run.state}{where}; what it had made until then is below."
    return "This run is not finished." if facts.run.state == "running" else ""


def _showed(facts: ReportFacts) -> str:
    scores = facts.comparison.scores if facts.comparison else ()
    judged = judgement(scores)
    if judged:
        return judged
    if facts.pretraining:
        return _pretrained_only(facts)
    return _data_only(facts)


def judgement(scores: Sequence[Score]) -> str:
    """Return the verdict in a sentence, "" if there are no scores."""
    metrics = [name for name in METRIC_NAMES if find(scores, "pretrained", None, name)]
    verdicts = {name: find(scores, "pretrained", "scratch", name) for name in metrics}
    told = {name: row for name, row in verdicts.items() if row is not None and row.verdict}
    if not told:
        return _only_arms(scores)
    if len({row.verdict for row in told.values()}) == 1:
        metric, row = next(iter(told.items()))
        claim = _CLAIMS.get(row.verdict or "", f"Pre-training: {row.verdict}")
        return f"{claim}: {_against(scores, metric)}{_baseline(scores, metric)}."
    parts = [f"{_against(scores, name)} ({row.verdict})" for name, row in told.items()]
    metric = next(iter(told))
    claim = "What pre-training did depends on the measure"
    return f"{claim}: {', '.join(parts)}{_baseline(scores, metric)}."


def find(scores: Sequence[Score], arm: str, against: str | None, metric: str) -> Score | None:
    """Return a row of the scores, or None."""
    wanted = (arm, against, metric)
    return next((row for row in scores if (row.arm, row.against, row.metric) == wanted), None)


def _against(scores: Sequence[Score], metric: str) -> str:
    mine, other = (find(scores, arm, None, metric) for arm in ("pretrained", "scratch"))
    name = metric_name(metric)
    if mine is None or other is None:
        return name
    return f"{name} {score(mine.value)} against {score(other.value)} from scratch"


def _baseline(scores: Sequence[Score], metric: str) -> str:
    base = find(scores, "tfidf", None, metric)
    if base is None:
        return ""
    row = find(scores, "pretrained", "tfidf", metric)
    words = _BASELINE.get((row.verdict if row else None) or "", "the TF-IDF baseline reaches {0}")
    return "; " + words.format(score(base.value))


def _only_arms(scores: Sequence[Score]) -> str:
    arms = [row for row in scores if row.against is None and row.metric == "accuracy"]
    arms = arms or [row for row in scores if row.against is None]
    if not arms:
        return ""
    told = [f"{arm_name(row.arm)} {score(row.value)}" for row in arms]
    return (
        f"{metric_name(arms[0].metric).capitalize()} on test documents: {', '.join(told)}; "
        f"no pre-trained model was compared with one from scratch."
    )


def _pretrained_only(facts: ReportFacts) -> str:
    trained = facts.pretraining
    assert trained is not None
    bits = trained.heldout.bits_per_byte if trained.heldout else None
    if bits is None and is_number(trained.facts.get("heldout_bits_per_byte")):
        bits = trained.facts["heldout_bits_per_byte"]
    size = trained.facts.get("num_parameters")
    what = f"A model of {short(size)} parameters" if is_number(size) else "A model"
    reach = f" to {digits(bits)} bits per byte of held-out text" if bits is not None else ""
    return f"{what} was pre-trained{reach}; no classifier has been judged in this run."


def _data_only(facts: ReportFacts) -> str:
    if facts.data is None:
        return "This run has read no documents."
    read = facts.data.stages[0].num_documents if facts.data.stages else 0
    curated = sum(side.num_documents for side in facts.data.sides)
    if not facts.data.sides:
        return f"{count(read)} documents were read; they have not been curated in this run."
    return (
        f"{count(curated)} of {count(read)} documents were kept; no model has been trained in "
        f"this run."
    )
