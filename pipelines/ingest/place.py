"""Where a stream of a source stands, told to whatever reads it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class Place:
    """What a reader knows of the stream that it is given.

    ``uri`` is relative to the source's root, ``path!member`` within a container. ``key`` stands
    before the ordinals of records that declare no id. ``labels`` are those of every record in it.
    """

    uri: str
    key: str
    labels: Mapping[str, str]
