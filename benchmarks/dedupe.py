"""Near-duplicates: what is found, what is joined by mistake, and what it costs.

    make peers
    .venv/bin/python -m benchmarks.dedupe --shared FOLDER [--only recall|labelled|speed]

FOLDER holds the public collections that `benchmarks.corpora` reads. *Recall*: pairs planted in real
text, by true similarity (`benchmarks.dedupe_pairs`). *Labelled*: pairs whose label is not their
similarity (`benchmarks.dedupe_labelled`). *Speed*: signatures and kept sets beside those of
datatrove, rensa and text-dedup (`benchmarks.dedupe_speed`). Pairs are a function of the seed, of
the collections and of numpy's generator.
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path

from benchmarks.dedupe_labelled import RULES, make_labelled, print_articles, print_labelled
from benchmarks.dedupe_pairs import print_recall
from benchmarks.dedupe_sources import read_sources
from benchmarks.dedupe_speed import Peers, on_one_core, print_kept, print_signatures
from pipelines.kernels.cache import use_cache_dir
from pipelines.kernels.minhash import FINEWEB, HIGH_RECALL

BANDINGS = {"14×8": FINEWEB, "18×6": HIGH_RECALL}


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--shared", type=Path, required=True)
    parser.add_argument("--only", choices=("recall", "labelled", "speed"))
    parser.add_argument("--pairs", type=int, default=2000, help="in each bin of similarity")
    parser.add_argument("--each", type=int, default=600, help="labelled pairs of each kind")
    parser.add_argument("--texts", type=int, default=1000, help="of each corpus, for signatures")
    parser.add_argument("--kept", type=int, default=4000, help="texts, for kept sets")
    parser.add_argument("--verify", choices=("strict", "jaccard"), default="strict")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--cache", type=Path, help="where compiled kernels lie (default: nowhere)")
    parser.add_argument("--peers", type=Path, default=Peers().python, help="has datatrove, rensa")
    parser.add_argument(
        "--text-dedup", type=Path, default=Peers().text_dedup, help="has text-dedup"
    )
    options = parser.parse_args()
    peers = Peers(options.peers, options.text_dedup)
    if options.only in (None, "speed") and not all(python.exists() for python in peers):
        raise SystemExit(
            f"`make peers` first: one of these is missing: {', '.join(map(str, peers))}"
        )
    with tempfile.TemporaryDirectory() as folder:
        cache = options.cache or Path(folder)
        use_cache_dir(cache)
        if options.only in (None, "recall"):
            print_recall(options.shared, options.pairs, options.seed, BANDINGS)
        if options.only in (None, "labelled"):
            pairs = make_labelled(read_sources(options.shared), options.each, options.seed)
            print_labelled(pairs, RULES)
            print_articles(options.shared, RULES)
        if options.only in (None, "speed"):
            on_one_core()
            print_signatures(Path(folder), options.shared, options.texts, peers)
            print_kept(Path(folder), options.shared, options.kept, peers, cache, options.verify)


if __name__ == "__main__":
    main()
