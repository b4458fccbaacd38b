"""What a person sees of a run beside its loss: a text, bits by source, the use of the machine."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from training.config import PretrainConfig
from training.heldout import DocumentScores
from training.loop import OnProgress
from training.metrics import Progress, bits_per_byte
from training.model import Transformer
from training.precision import Precision
from training.ranks import Ranks
from training.rates import peak_flops, token_flop
from training.sample import generate, load_processor
from training.sampling import Sampling
from training.tensorboard import Events

BY_SOURCE = "heldout_bits_per_byte/"
TOKENIZER, SOURCES = "tokenizer.model", "sources.json"


@dataclass(frozen=True)
class Seen:
    """What that needs: a SentencePiece model's bytes, the source of each held-out document [N].

    Either may be absent: then there is no sample, or no score by source. ``train_sources`` are
    those of the documents to learn from, [N], where they are mixed by weight.
    """

    tokenizer: bytes | None = None
    sources: Sequence[str] | None = None
    train_sources: Sequence[str] | None = None

    def write(self, folder: Path) -> None:
        """Write it for other processes."""
        (folder / TOKENIZER).write_bytes(self.tokenizer or b"")
        known = (self.sources, self.train_sources)
        (folder / SOURCES).write_text(json.dumps([None if n is None else [*n] for n in known]))


NOTHING_SEEN = Seen()


def read_seen(folder: Path) -> Seen:
    """Return what `Seen.write` wrote."""
    tokenizer = (folder / TOKENIZER).read_bytes() or None
    return Seen(tokenizer, *json.loads((folder / SOURCES).read_bytes()))


def scores_by_source(scores: DocumentScores, sources: Sequence[str]) -> Mapping[str, float]:
    """Return the bits per byte of each source, named `BY_SOURCE` and its name, in their order.

    ``sources`` are those of all held-out documents, of which some were scored. Bytes are those of
    the texts.
    """
    names, places_N = np.unique([sources[i] for i in scores.indexes_N], return_inverse=True)
    sums = [
        np.bincount(places_N, values_N.astype(np.float64), len(names))
        for values_N in (scores.nats_N, scores.num_bytes_N)
    ]
    return {
        f"{BY_SOURCE}{name}": bits_per_byte(float(nats), float(num_bytes))
        for name, nats, num_bytes in zip(names, *sums, strict=True)
        if num_bytes
    }


def sample_writer(
    config: PretrainConfig, model: Transformer, seen: Seen
) -> Callable[[], str] | None:
    """Return the function by which the model writes a sample; None: it does not, or cannot.

    An equal model writes the same. Only one that learns the causal objective can.
    """
    if seen.tokenizer is None or not config.sample_tokens or config.objective != "causal":
        return None
    processor = load_processor(seen.tokenizer)
    sampling = Sampling(max_tokens=config.sample_tokens, seed=config.seed)
    return lambda: generate(model, processor, config.sample_prompt, sampling)


@contextmanager
def shown(config: PretrainConfig, progress: OnProgress, ranks: Ranks) -> Iterator[OnProgress]:
    """Give who is told of progress: the caller and, where it is asked for, TensorBoard's events."""
    if config.tensorboard_folder is None or not ranks.is_first:
        yield progress
        return
    with closing(Events(Path(config.tensorboard_folder))) as events:

        def tell(after: Progress) -> None:
            events.add(after)
            progress(after)

        yield tell


def utilisation_of(
    model: Transformer,
    precision: Precision,
    device: torch.device,
    ranks: Ranks,
    head_ratio: float = 1.0,
) -> Callable[[float], float]:
    """Return the function from tokens a second, of all ranks, to the MFU.

    ``head_ratio`` is the share of tokens that go through the model's head.
    """
    possible = peak_flops(device, precision) * ranks.count / token_flop(model, head_ratio)
    return lambda tokens_per_second: tokens_per_second / possible
