"""What a dialect is: ordered rules with a name, a version, and where each of them comes from."""

from typing import NamedTuple


class Rule(NamedTuple):
    """Documents for which the SQL ``condition`` over signals holds are dropped for ``reason``.

    ``source`` says where rule and threshold stand (paper and section, or file and name).
    """

    reason: str
    condition: str
    source: str


class Dialect(NamedTuple):
    """A named policy; ``name`` ends in the version it has, as ``fineweb@datatrove-0.10``."""

    name: str
    description: str
    rules: tuple[Rule, ...]
