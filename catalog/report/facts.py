"""What the report says, as plain values: read from a run's records, then shown by the page.

Every part that a run may lack is ``None`` or empty. A share is in [0, 1], times are in seconds,
sizes in bytes.
"""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any

from catalog.piece_use import PieceUse
from data_contracts.results import RuleResult

if TYPE_CHECKING:
    from catalog.capped_keys import Capped
    from catalog.clusters import Clusters
    from catalog.near_pairs import NearPairs
    from catalog.opened import OpenedRun


@dataclass(frozen=True)
class RunFacts:
    """The run's record. ``recipe`` is the resolved one; ``machine`` what trained or else the host.

    ``last_step`` is the last step that has an output.
    """

    name: str
    recipe_name: str
    description: str
    state: str
    error: str | None
    started_at: str
    finished_at: str | None
    seconds: float
    machine: str
    previous: str | None
    last_step: str | None
    recipe: dict[str, Any]
    versions: dict[str, str]


@dataclass(frozen=True)
class StepFacts:
    """A row of the table of steps; ``rows_*`` count documents. ``dataset`` is its fingerprint."""

    step: str
    state: str
    why: str
    rows_in: int
    rows_kept: int
    rows_dropped: int
    rows_quarantined: int
    partitions: int
    partitions_computed: int
    seconds: float
    size_bytes: int
    dataset: str | None


@dataclass(frozen=True)
class Score:
    """A row of `data_contracts.labels.SCORES`."""

    arm: str
    against: str | None
    metric: str
    value: float
    low: float
    high: float
    num_documents: int
    num_seeds: int
    verdict: str | None


@dataclass(frozen=True)
class ClassCount:
    """Labelled documents of one class by partition."""

    name: str
    train: int
    dev: int
    test: int


@dataclass(frozen=True)
class Confusion:
    """True classes down, predicted ones across, counted on test documents over all seeds."""

    arm: str
    classes: tuple[str, ...]
    counts: tuple[tuple[int, ...], ...]


@dataclass(frozen=True)
class Task:
    """What the classifiers learn. ``left_out`` counts documents by why they are not used."""

    classes: tuple[ClassCount, ...]
    num_groups: int
    left_out: dict[str, int]
    settings: dict[str, Any]  # of the recipe, as they stand there
    facts: dict[str, Any]  # small values that the step recorded


@dataclass(frozen=True)
class Comparison:
    """The judged part of a run: arms, their differences, and how they were trained."""

    scores: tuple[Score, ...]
    confusions: tuple[Confusion, ...]
    trials: tuple[dict[str, Any], ...]
    curves: tuple[dict[str, Any], ...]
    settings: dict[str, Any]  # of the recipe, as they stand there
    facts: dict[str, Any]
    baseline: dict[str, Any]  # what the baseline's step recorded
    judging: dict[str, Any]  # what the evaluation recorded


@dataclass(frozen=True)
class Group:
    """Held-out documents of one package or source, or of all the smallest ones together."""

    name: str
    num_documents: int
    num_bytes: int
    bits_per_byte: float


@dataclass(frozen=True)
class Heldout:
    """How well the model predicts held-out text: overall, and by ``grouped_by``."""

    num_documents: int
    num_bytes: int
    bits_per_byte: float
    grouped_by: str
    groups: tuple[Group, ...]


@dataclass(frozen=True)
class Sample:
    """A text that the model wrote, ``prompt`` being its beginning."""

    prompt: str
    text: str
    temperature: float
    seed: int


@dataclass(frozen=True)
class Variant:
    """A further pre-training: its name in the recipe, the facts of its receipt, its curve."""

    name: str
    facts: dict[str, Any]
    curve: dict[str, tuple[float | None, ...]]


@dataclass(frozen=True)
class Pretraining:
    """The trained model: ``facts`` of its receipt, ``description`` of its file, curve by column.

    ``heldout`` is of a causal model. ``scored`` are the facts of the step that scored it on
    held-out documents, whatever its objective.
    """

    facts: dict[str, Any]
    description: dict[str, Any]
    curve: dict[str, tuple[float | None, ...]]
    heldout: Heldout | None
    samples: tuple[Sample, ...]
    scored: dict[str, Any] = field(default_factory=dict)
    variants: tuple[Variant, ...] = ()


@dataclass(frozen=True)
class ConversationSide:
    """Packed conversations of one split; a model is asked for ``num_asked`` of the tokens."""

    split: str
    num_conversations: int
    num_samples: int
    num_tokens: int
    num_asked: int


@dataclass(frozen=True)
class ConversationFacts:
    """What a model learnt to answer by: conversations read, packed, and the training on them.

    ``errors`` count records in quarantine by reason, ``left_out`` conversations by the reason why
    nothing of them is packed, ``aside`` exchanges of packed ones that are in no sample.
    ``settings`` are the recipe's, ``differences`` what its training has otherwise than the
    pre-training. ``taught`` has no description, no samples and no held-out texts.
    """

    num_read: int
    errors: dict[str, int]
    left_out: dict[str, int]
    sides: tuple[ConversationSide, ...]
    aside: dict[str, int]
    settings: dict[str, Any]
    differences: dict[str, Any]
    taught: Pretraining | None


@dataclass(frozen=True)
class TokenizerFacts:
    """The tokenizer: its receipt's facts, a text in pieces, its longest pieces, their use."""

    facts: dict[str, Any]
    uri: str | None
    pieces: tuple[str, ...]
    longest: tuple[str, ...]
    use: tuple[PieceUse, ...] = ()  # by source and language, most bytes first


@dataclass(frozen=True)
class Side:
    """Documents of one split; bytes and tokens are known once they are measured and packed."""

    split: str
    num_documents: int
    num_bytes: int | None
    num_tokens: int | None


@dataclass(frozen=True)
class Stage:
    """What a deciding step took in and what it let go, by reason. Bytes are None if unmeasured."""

    step: str
    num_documents: int
    num_bytes: int | None
    reasons: dict[str, int]
    quarantined: int
    reason_bytes: dict[str, int]


@dataclass(frozen=True)
class SourceCount:
    """Documents of one package or source: read, curated, held out; bytes of the curated ones."""

    name: str
    num_read: int
    num_curated: int
    num_heldout: int
    num_bytes: int | None


@dataclass(frozen=True)
class Data:
    """What became of the documents that were read."""

    stages: tuple[Stage, ...]
    sides: tuple[Side, ...]
    grouped_by: str
    sources: tuple[SourceCount, ...]
    lengths: tuple[int, ...]  # of curated documents, in `length_unit`
    length_unit: str
    quarantine_errors: dict[str, int]
    lower_block_texts: int | None
    changed_texts: int | None
    whole_texts: int | None
    whole_because: str | None
    passed_over: dict[str, int] = field(default_factory=dict)


@dataclass(frozen=True)
class DuplicateFacts:
    """Which documents went together, pairs of similar ones, and what the search left out.

    ``settings`` are the recipe's, as they stand there; ``capped`` is None if there was no search.
    """

    clusters: Clusters
    near: NearPairs
    capped: Capped | None
    settings: dict[str, Any]


@dataclass(frozen=True)
class ContractFacts:
    """What a dataset's contract came to. ``name`` is the dataset's, ``step`` makes it.

    ``state`` is passed, warned or stopped, or missing or damaged if the result cannot be read;
    ``anchor`` is its place in the page of validation results. ``broken`` are its broken rules,
    those that stop first, each with a few samples.
    """

    step: str
    name: str
    state: str
    anchor: str
    version: str = ""
    num_passed: int = 0
    num_skipped: int = 0
    broken: tuple[RuleResult, ...] = ()


@dataclass(frozen=True)
class ReportFacts:
    """All that the report says of a run; ``rules`` are the policy's conditions by their reasons."""

    run: RunFacts
    task: Task | None
    comparison: Comparison | None
    pretraining: Pretraining | None
    tokenizer: TokenizerFacts | None
    data: Data | None
    steps: tuple[StepFacts, ...] = field(default=())
    contracts: tuple[ContractFacts, ...] = field(default=())
    rules: dict[str, str] = field(default_factory=dict)
    duplicates: DuplicateFacts | None = None
    conversations: ConversationFacts | None = None

    def to_json(self) -> dict[str, Any]:
        """Return the same as plain JSON; numbers that JSON cannot hold become null."""
        value: dict[str, Any] = _plain(asdict(self))
        return value


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value if isinstance(value, str | int | float | None) else str(value)


def report_facts(opened: OpenedRun) -> ReportFacts:
    """Read what the report says from a run's records and rows.

    Raises:
        Damaged: if a record or a partition is not what was written.
    """
    from catalog.report.read_contracts import read_contracts
    from catalog.report.read_conversations import read_conversations
    from catalog.report.read_data import read_data, read_tokenizer
    from catalog.report.read_duplicates import read_duplicates
    from catalog.report.read_models import read_comparison, read_pretraining, read_task
    from catalog.report.read_run import read_run, read_steps

    return ReportFacts(
        run=read_run(opened),
        task=read_task(opened),
        comparison=read_comparison(opened),
        pretraining=read_pretraining(opened),
        tokenizer=read_tokenizer(opened),
        data=read_data(opened),
        steps=read_steps(opened),
        contracts=read_contracts(opened),
        duplicates=read_duplicates(opened),
        conversations=read_conversations(opened),
    )
