"""The steps from documents to choices, run on tables in memory one after the other."""

import random
from pathlib import Path

import pyarrow as pa
from memory_part import MemoryPart

from data_contracts.documents import CHOICES, DECISIONS, PAIRS, hash_text
from pipelines.dedupe.choose_kept import ChoiceConfig, choose_kept
from pipelines.dedupe.compare_candidates import CompareConfig, compare_candidates
from pipelines.dedupe.compute_signatures import SignaturesConfig, compute_signatures
from pipelines.dedupe.find_candidates import find_candidates
from pipelines.dedupe.link_duplicates import LinkConfig, link_duplicates
from pipelines.dedupe.near_config import NearConfig
from pipelines.dedupe.sign_bands import sign_bands
from store.step import Inputs


def random_texts(seed, num_families=4):
    """Return families of texts that are much alike, equal, or equal but for case."""
    rng = random.Random(seed)
    words = [f"word{number}" for number in range(60)]
    texts = []
    for _ in range(num_families):
        base = rng.choices(words, k=rng.randrange(3, 40))
        for _ in range(rng.randrange(1, 6)):
            member = list(base)
            for _ in range(rng.randrange(0, 4)):
                member[rng.randrange(len(member))] = rng.choice(words)
            text = " ".join(member[rng.randrange(0, 2) :])
            texts.append(text)
            if rng.random() < 0.2:
                texts.append(text.upper())
    rng.shuffle(texts)
    return {f"{rng.randrange(16**8):08x}{number}": text for number, text in enumerate(texts)}


def documents_of(texts):
    """Return ids and texts, given as a mapping, as a table."""
    ids, values = list(texts), list(texts.values())
    hashes = [hash_text(text) for text in values]
    columns = {"doc_id": pa.array(ids, pa.string()), "text": pa.array(values, pa.string())}
    return pa.table({**columns, "text_hash": pa.array(hashes, pa.string())})


def parts_of(tables):
    return tuple(MemoryPart(f"part-{number}", table) for number, table in enumerate(tables))


def in_buckets(parts, num_buckets):
    """Return for each bucket the slices of it that partitions have."""
    sliced = []
    for bucket in range(num_buckets):
        mine = [part.rows.filter(pa.compute.equal(part.rows["bucket"], bucket)) for part in parts]
        sliced.append(tuple(MemoryPart(str(bucket), table) for table in mine if len(table)))
    return sliced


def signatures_of(documents):
    config = SignaturesConfig(num_buckets=2)
    return parts_of(
        compute_signatures(Inputs("p", {"documents": (part,)}), config).rows for part in documents
    )


def bands_of(documents, signatures, near):
    return parts_of(
        sign_bands(Inputs("p", {"documents": (d,), "signatures": (s,)}), near.bands()).rows
        for d, s in zip(documents, signatures, strict=True)
    )


def candidates_of(bands, near, folder):
    """Return the candidates of each bucket."""
    buckets = in_buckets(bands, near.num_buckets)
    tables = []
    for number, bands_in in enumerate(buckets):
        scratch = Path(folder) / f"bucket-{number}"
        scratch.mkdir(parents=True, exist_ok=True)
        inputs = Inputs("b", {"bands": bands_in}, bucket=number, scratch=scratch)
        tables.append(find_candidates(inputs, near.candidates()).rows)
    return parts_of(tables)


def pairs_of(candidates, signatures, documents, folder, previous=None):
    """Return the output of comparing candidates."""
    given = {"candidates": candidates, "signatures": signatures, "documents": documents}
    scratch = Path(folder) / "shelf"
    scratch.mkdir(parents=True, exist_ok=True)
    inputs = Inputs("all", given, scratch=scratch, previous=previous)
    output = compare_candidates(inputs, CompareConfig())
    output.rows = pa.Table.from_batches(output.rows, PAIRS)
    return output


def choices_of(documents, signatures, pairs, config, kept=None):
    """Choose among documents that a policy kept (all but those that ``kept`` leaves out)."""
    ids = [part.rows["doc_id"].to_pylist() for part in documents]
    decisions = [
        pa.Table.from_pylist(
            [{"doc_id": one, "keep": kept is None or one in kept} for one in mine], DECISIONS
        )
        for mine in ids
    ]
    sizes = [pa.compute.utf8_length(part.rows["text"]).cast(pa.int64()) for part in documents]
    signals = parts_of(
        pa.table({"doc_id": part.rows["doc_id"], "num_chars": size})
        for part, size in zip(documents, sizes, strict=True)
    )
    edges = parts_of(
        link_duplicates(Inputs("b", {"signatures": mine}), LinkConfig()).rows
        for mine in in_buckets(signatures, 2)
    )
    given = {"decisions": parts_of(decisions), "signals": signals, "edges": edges}
    inputs = Inputs("all", {**given, "pairs": (MemoryPart("all", pairs),)})
    return pa.Table.from_batches(choose_kept(inputs, config).rows, CHOICES)


def near_run(tables, folder, near=None, config=None, previous=None, kept=None):
    """Run all steps on partitions of documents; return the pairs' output and the choices."""
    near, config = near or NearConfig(num_buckets=3), config or ChoiceConfig()
    documents = parts_of(tables)
    signatures = signatures_of(documents)
    candidates = candidates_of(bands_of(documents, signatures, near), near, folder)
    output = pairs_of(candidates, signatures, documents, folder, previous)
    return output, choices_of(documents, signatures, output.rows, config, kept)
