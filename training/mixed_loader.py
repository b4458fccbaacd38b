"""Batches of rows of several sources, mixed by weight; the other `training.loader.Loader`.

Each source's documents make rows by themselves, so that no row holds two sources; which rows a step
reads is `training.mixing`'s to say.

Shapes: B rows of a batch, S tokens of a row.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from data_contracts.errors import InputError
from data_contracts.shards import Shard, ShardSet
from training.loader import Loader, Rows, read_sums
from training.mixing import Mixture


class MixedLoader:
    """Draws batches of ``batch_rows`` rows from sources, by name, in proportion to weights.

    Rows are numbered through the sources in their order. Raises InputError if a source does not
    fill one row, and what `Mixture` and `Loader` raise.
    """

    def __init__(
        self,
        sources: Mapping[str, ShardSet],
        weights: Mapping[str, float],
        context_tokens: int,
        batch_rows: int,
        seed: int,
        packing: str = "concat",
    ):
        self.context_tokens, self.batch_rows = context_tokens, batch_rows
        self.loaders = [
            Loader(shards, context_tokens, 1, seed, packing) for shards in sources.values()
        ]
        sizes = [loader.plan.num_rows for loader in self.loaders]
        self.mixture = Mixture(dict(zip(sources, sizes, strict=True)), weights, seed)

    def __call__(self, step: int) -> Rows:
        """Return the rows of a step, of any source at each place."""
        row_ids_B, epochs_B = self.mixture.rows(self.places(step))
        sources_B = np.searchsorted(self.mixture.starts, row_ids_B, side="right") - 1
        tokens_BS = np.empty((self.batch_rows, self.context_tokens + 1), np.int64)
        documents_BS, asked_BS = np.empty_like(tokens_BS), np.ones(tokens_BS.shape, np.bool_)
        for source in np.unique(sources_B):
            mine_B, loader = sources_B == source, self.loaders[source]
            own_ids = row_ids_B[mine_B] - self.mixture.starts[source]
            rows = loader.stream.rows(loader.plan, own_ids, self.context_tokens)
            assert rows.documents_BS is not None
            tokens_BS[mine_B], documents_BS[mine_B] = rows.tokens_BS, rows.documents_BS
            if rows.asked_BS is not None:
                asked_BS[mine_B] = rows.asked_BS
        return Rows(tokens_BS, row_ids_B, documents_BS, asked_BS, epochs_B)

    def places(self, step: int) -> NDArray[np.int64]:
        """Return the places [B] of a step in the mixture, in order."""
        return np.arange(self.batch_rows, dtype=np.int64) + step * self.batch_rows

    def tokens_read(self, positions: Sequence[int]) -> NDArray[np.int64]:
        """Return how many tokens were read, as `Loader.tokens_read` does."""
        lengths_R = np.concatenate([loader.plan.lengths_R for loader in self.loaders])
        lengths_R = lengths_R.clip(max=self.context_tokens)
        return read_sums(lengths_R, lambda step: self.mixture.rows(self.places(step))[0], positions)

    def facts(self) -> dict[str, float]:
        """Return how the sources' plans fill rows, as `Loader.facts` does of one."""
        told = [loader.facts() for loader in self.loaders]
        rows = sum(facts["rows_per_epoch"] for facts in told)
        padding = sum(facts["padding_ratio"] * facts["rows_per_epoch"] for facts in told) / rows
        cut = {name: sum(facts[name] for facts in told) for name in ("cut_documents", "cut_tokens")}
        return {"rows_per_epoch": rows, "padding_ratio": padding, **cut}


def sources_fingerprint(sources: Sequence[str]) -> str:
    """Return 32 hex digits that change with the source of any document."""
    return hashlib.sha256(json.dumps(list(sources)).encode()).hexdigest()[:32]


def split_by_source(shards: ShardSet, sources: Sequence[str]) -> dict[str, ShardSet]:
    """Return the shards of each source, in the order of names, without copying a token.

    ``sources`` names that of each document, in the order of the shards. Neighbours of one source
    make a shard of their own. Raises InputError if they are not as many as the documents.
    """
    if len(sources) != shards.num_documents:
        raise InputError(
            f"there are {shards.num_documents:,} documents to learn from and {len(sources):,} "
            "names of sources; give one for each"
        )
    found: dict[str, list[Shard]] = {name: [] for name in sorted(set(sources))}
    first = 0
    for shard in shards.shards:
        names = np.array(sources[first : first + len(shard.num_bytes)], dtype=object)
        first += len(names)
        cuts = np.flatnonzero(names[1:] != names[:-1]) + 1
        for begin, end in zip([0, *cuts], [*cuts, len(names)], strict=True):
            if begin < end:
                found[str(names[begin])].append(part_of(shard, int(begin), int(end)))
    return {name: ShardSet(shards.vocabulary, tuple(parts)) for name, parts in found.items()}


def part_of(shard: Shard, begin: int, end: int) -> Shard:
    """Return some neighbouring documents of a shard as a shard; their tokens are not copied."""
    offsets = shard.offsets[begin : end + 1]
    return Shard(
        f"{shard.name}[{begin}:{end}]",
        shard.tokens[offsets[0] : offsets[-1]],
        offsets - offsets[0],
        shard.num_bytes[begin:end],
        None if shard.mask is None else shard.mask[offsets[0] : offsets[-1]],
    )
