"""``millrace generate``: a run's pre-trained model goes on from a prompt."""

from __future__ import annotations

import sys
import tempfile
from argparse import ArgumentParser, Namespace
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from catalog import OpenedRun, open_run
from catalog.report.words import visible
from data_contracts.tokenizer import tokenizer_of
from flows.commands.context import existing_home
from training.sampling import Sampling, check_prompt
from training.steps.model_parts import open_writer


def add_arguments(parser: ArgumentParser) -> None:
    """Add the command's arguments."""
    usual = Sampling()
    parser.add_argument("prompt", metavar="PROMPT", help="text to go on from; '' begins a document")
    parser.add_argument("--run", metavar="NAME", help="name of a run (default: the latest)")
    parser.add_argument(
        "--max-tokens",
        type=int,
        default=usual.max_tokens,
        metavar="N",
        help=f"most tokens to add (default: {usual.max_tokens})",
    )
    parser.add_argument(
        "--temperature",
        type=float,
        default=usual.temperature,
        metavar="T",
        help=f"0 takes the likeliest token each time (default: {usual.temperature})",
    )
    parser.add_argument(
        "--top-k",
        type=int,
        default=usual.top_k,
        metavar="K",
        help=f"draw among the K likeliest tokens (default: {usual.top_k})",
    )
    parser.add_argument(
        "--seed", type=int, default=usual.seed, help="the same seed draws the same text"
    )


def execute(options: Namespace) -> tuple[dict[str, Any], str]:
    """Write the prompt and, as it comes, what the model adds; the value holds both.

    What a terminal would take for a command is spelt out.
    """
    check_prompt(options.prompt)
    sampling = Sampling(options.max_tokens, options.temperature, options.top_k, options.seed)
    opened = open_run(existing_home(options).url, options.run)
    pieces = []
    for piece in _pieces(opened, options.prompt, sampling):
        pieces.append(piece)
        if not options.json:
            sys.stdout.write(visible(piece))
            sys.stdout.flush()
    added = "".join(pieces[1:])
    return {"run": opened.name, "prompt": options.prompt, "added": added}, ""


def _pieces(opened: OpenedRun, prompt: str, sampling: Sampling) -> Iterator[str]:
    """Yield the prompt, once the model is there, then the pieces that it adds."""
    tokenizer = tokenizer_of(opened.table("train_tokenizer"))
    part = opened.part("pretrain")
    with tempfile.TemporaryDirectory(prefix="millrace-") as folder:
        model = open_writer(part, tokenizer.vocabulary.tokenizer_digest, Path(folder))
    from training.sample import generate_stream, load_processor

    stream = generate_stream(model, load_processor(tokenizer.model), prompt, sampling)
    yield prompt
    yield from stream
