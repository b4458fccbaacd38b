"""Where a stream of bytes stands in its source: what a format reader is told besides the bytes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class Place:
    """A stream's ``uri`` relative to the source's root, with ``path!member`` for archive members.

    ``key`` stands before the ordinals of records that declare no key of their own; ``labels`` go to
    every record, below those that it declares itself.
    """

    uri: str
    key: str
    labels: Mapping[str, str]
