"""``millrace export``: a run's token shards, laid out for another trainer."""

from __future__ import annotations

import tempfile
from argparse import ArgumentParser, Namespace
from pathlib import Path
from typing import Any

from catalog import open_run
from flows.commands.context import existing_home
from pipelines.tokens.export_shards import LAYOUTS, export_shards
from pipelines.tokens.pack_tokens import SPLITS
from store.datasets import StoredPart
from training.steps.token_shards import open_parts

TEXTS = "texts"
STEPS = {TEXTS: "pack_tokens", "conversations": "pack_messages"}


def add_arguments(parser: ArgumentParser) -> None:
    """Add the command's arguments."""
    parser.add_argument("folder", metavar="FOLDER", type=Path, help="a new folder for the files")
    parser.add_argument("--to", required=True, choices=sorted(LAYOUTS), help="whose layout")
    parser.add_argument("--run", metavar="NAME", help="name of a run (default: the latest)")
    parser.add_argument(
        "--of",
        choices=sorted(STEPS),
        default=TEXTS,
        help=f"what to lay out (default: {TEXTS}); conversations go to datatrove, with their mask",
    )
    parser.add_argument(
        "--split", choices=SPLITS, default=SPLITS[0], help=f"which side (default: {SPLITS[0]})"
    )


def execute(options: Namespace) -> tuple[dict[str, Any], str]:
    """Write the files; the value names them."""
    opened = open_run(existing_home(options).url, options.run)
    receipts = opened.dataset(STEPS[options.of]).parts
    parts = [StoredPart(opened.storage, receipt, receipt.key) for receipt in receipts]
    with tempfile.TemporaryDirectory(prefix="millrace-") as folder:
        shards = open_parts(parts, options.split, Path(folder))
        files = export_shards(shards, options.folder, options.to)
        num_tokens = shards.num_tokens
    value = {
        "run": opened.name,
        "of": options.of,
        "split": options.split,
        "layout": options.to,
        "num_tokens": num_tokens,
        "files": [str(path) for path in files],
    }
    return (
        value,
        f"{num_tokens:,} tokens of {options.split} in {len(files)} files: {options.folder}",
    )
