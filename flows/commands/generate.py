"""``millrace generate``: a run's model goes on from a prompt, or answers it."""

from __future__ import annotations

import sys
import tempfile
from argparse import ArgumentParser, Namespace
from collections.abc import Iterator
from itertools import chain
from pathlib import Path
from typing import Any

from catalog import OpenedRun, open_run
from catalog.report.words import visible
from data_contracts.errors import UsageError
from data_contracts.tokenizer import Tokenizer, tokenizer_of
from flows.commands.context import existing_home
from pipelines.messages.chat import ChatConfig, ChatTemplate
from pipelines.messages.conversations import Turn
from training.sampling import Sampling, check_prompt
from training.steps.model_parts import open_writer

PRETRAINED, TAUGHT = "pretrain", "instruct"


def add_arguments(parser: ArgumentParser) -> None:
    """Add the command's arguments."""
    usual = Sampling()
    parser.add_argument("prompt", metavar="PROMPT", help="text to go on from; '' begins a document")
    parser.add_argument("--run", metavar="NAME", help="name of a run (default: the latest)")
    parser.add_argument(
        "--model",
        choices=(PRETRAINED, TAUGHT),
        help="whose model (default: the one that conversations taught, if the run has it)",
    )
    parser.add_argument(
        "--chat", action="store_true", help="PROMPT is what a user says; write the answer alone"
    )
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
    """Write the prompt and, as it comes, what the model adds; of a chat the answer alone.

    What a terminal would take for a command is spelt out. The value holds both.
    """
    check_prompt(options.prompt)
    sampling = Sampling(options.max_tokens, options.temperature, options.top_k, options.seed)
    opened = open_run(existing_home(options).url, options.run)
    step = options.model or (TAUGHT if TAUGHT in opened.steps() else PRETRAINED)
    stream = _stream(opened, step, options.prompt, options.chat, sampling)
    pieces = []
    for piece in stream if options.chat else chain([options.prompt], stream):
        pieces.append(piece)
        if not options.json:
            sys.stdout.write(visible(piece))
            sys.stdout.flush()
    added = "".join(pieces if options.chat else pieces[1:])
    return {"run": opened.name, "model": step, "prompt": options.prompt, "added": added}, ""


def _stream(
    opened: OpenedRun, step: str, prompt: str, is_chat: bool, sampling: Sampling
) -> Iterator[str]:
    """Load the model of a step, and return the pieces that it adds."""
    tokenizer = tokenizer_of(opened.table("train_tokenizer"))
    template = _template(opened, step, tokenizer) if is_chat else None
    part = opened.part(step)
    with tempfile.TemporaryDirectory(prefix="millrace-") as folder:
        model = open_writer(part, tokenizer.vocabulary.tokenizer_digest, Path(folder))
    from training.sample import answer_stream, generate_stream, load_processor

    processor = load_processor(tokenizer.model)
    if template is None:
        return generate_stream(model, processor, prompt, sampling)
    ids = template.prompt((Turn("user", prompt),))
    return answer_stream(model, processor, ids, template.end_id, sampling)


def _template(opened: OpenedRun, step: str, tokenizer: Tokenizer) -> ChatTemplate:
    """Return the template that a run's conversations were packed with.

    Raises:
        UsageError: if the model read no conversations.
    """
    if step != TAUGHT:
        raise UsageError(
            f"The model of {step} has read no conversations; leave out --chat, or choose a run of "
            f"a recipe with [conversations]."
        )
    return ChatTemplate(tokenizer, ChatConfig(**opened.run.recipe["conversations"]["marks"]))
