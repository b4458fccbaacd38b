"""Row conservation, proved: every document that went into a step came out of it, once.

The proof is an anti-join over the ids that lie in the written files, never over the counters of
the step that wrote them: ids(in) is the disjoint union of ids(kept), ids(dropped) and
ids(quarantined), and each id stands in the partition that it came from. A source's records are held
against the number that its framing counted before any of them was parsed. What is proved is noted
under ``checks/``, so that an unchanged dataset is not proved again.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass

from catalog.accounts import Finding, Tally, check_documents, check_source
from catalog.edge_accounts import check_edges
from data_contracts.errors import RowsUnaccounted
from store.datasets import Dataset
from store.graph import Node
from store.identity import fingerprint
from store.storage import Storage

RULES_VERSION = 1  # of what is proved: a higher one proves everything again


@dataclass(frozen=True)
class Proof:
    """What was proved of one dataset. ``checked`` is False where a step passes no documents on.

    Counts are of documents in the written files; ``fingerprint`` is of the step, its dataset and
    the datasets that it read; ``seconds`` is what proving took.
    """

    step: str
    fingerprint: str
    checked: bool
    num_in: int = 0
    kept: int = 0
    dropped: int = 0
    quarantined: int = 0
    edges: int = 0
    seconds: float = 0.0


def prove_step(
    storage: Storage, node: Node, dataset: Dataset, inputs: Mapping[str, Dataset]
) -> Proof:
    """Prove that a step's output accounts for every document of its input.

    ``inputs`` maps the step's input names to the datasets that it read.

    Raises:
        RowsUnaccounted: naming the step, what became of the rows, how many and up to ten ids.
        Damaged: if a partition cannot be read.
    """
    started = time.perf_counter()
    tally, findings = _check(storage, node, dataset, inputs)
    if findings:
        raise RowsUnaccounted(
            f"{node.name} does not account for its rows: {'; '.join(map(str, findings))}. "
            f"{_remedy(node)}"
        )
    seconds = round(time.perf_counter() - started, 4)
    identity = proof_fingerprint(node, dataset, inputs)
    checked = node.step.emits != "model"
    return Proof(node.name, identity, checked, **asdict(tally), seconds=seconds)


def prove_and_record(
    storage: Storage, node: Node, dataset: Dataset, inputs: Mapping[str, Dataset]
) -> Proof | None:
    """Prove a step's output and note it; return ``None`` if it was proved and noted before.

    Raises what `prove_step` raises; then nothing is noted.
    """
    if proof_exists(storage, node, dataset, inputs):
        return None
    proof = prove_step(storage, node, dataset, inputs)
    record_proof(storage, proof)
    return proof


def record_proof(storage: Storage, proof: Proof) -> None:
    """Note a proof under ``checks/conservation``, unless it stands there already."""
    storage.create_json(_proof_name(proof.step, proof.fingerprint), asdict(proof))


def proof_exists(
    storage: Storage, node: Node, dataset: Dataset, inputs: Mapping[str, Dataset]
) -> bool:
    """Return whether this very dataset, made of these very inputs, was proved before."""
    return storage.exists(_proof_name(node.name, proof_fingerprint(node, dataset, inputs)))


def proof_fingerprint(node: Node, dataset: Dataset, inputs: Mapping[str, Dataset]) -> str:
    """Return the fingerprint of a proof: of the step, its dataset and the datasets it read."""
    return fingerprint(
        {
            "rules": RULES_VERSION,
            "step": node.name,
            "dataset": dataset.fingerprint,
            "quarantined": [part.quarantine_digest for part in dataset.parts],
            "inputs": {name: inputs[name].fingerprint for name in sorted(inputs)},
        }
    )


def _check(
    storage: Storage, node: Node, dataset: Dataset, inputs: Mapping[str, Dataset]
) -> tuple[Tally, list[Finding]]:
    accounts_for = node.step.accounts_for
    if node.step.emits == "model":
        return Tally(), []
    if node.step.kind == "source":
        return check_source(storage, dataset)
    if accounts_for is None:
        raise TypeError(f"{node.name} reads documents and does not say which it accounts for")
    if node.step.emits == "edges":
        return check_edges(storage, node.step, dataset, inputs[accounts_for])
    return check_documents(storage, node.step, dataset, inputs[accounts_for])


def _remedy(node: Node) -> str:
    if node.step.kind == "source":
        return (
            "If two files declare one id, rename it in one of them; otherwise run "
            "`millrace verify --repair` and run again."
        )
    return (
        "Run `millrace verify --repair` and run again; if it comes back, the step's code loses or "
        "repeats rows: mend it and raise its VERSION."
    )


def _proof_name(step: str, identity: str) -> str:
    return f"checks/conservation/{step}/{identity}.json"
