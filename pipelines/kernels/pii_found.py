"""What the rules of `pipelines.kernels.pii` find, how it is noted, and the characters they know."""

from typing import Any

import numpy as np

from pipelines.kernels.compiled import compiled

KINDS = (
    "emails",
    "ipv4_addresses",
    "public_ipv4_addresses",  # each of them is an IPv4 address, too
    "ipv6_addresses",
    "phone_numbers",
    "card_numbers",
    "aws_keys",
    "github_tokens",
    "slack_tokens",
    "json_web_tokens",
    "assigned_secrets",
    "private_keys",
)
# numba compiles a function again for each literal number that it is called with; these are none.
_PLACES: list[Any] = [np.int64(place) for place in range(len(KINDS))]
ZERO: Any = np.int64(0)
(
    EMAIL,
    IPV4,
    PUBLIC_IPV4,
    IPV6,
    PHONE,
    CARD,
    AWS,
    GITHUB,
    SLACK,
    JSON_WEB,
    ASSIGNED,
    PRIVATE,
) = _PLACES
TOTAL = len(KINDS)  # the place of the sum, behind the counts of the kinds
SPACE, HYPHEN, DOT, COLON, UNDERSCORE, PLUS = (ord(char) for char in " -.:_+")


@compiled
def note(kind: int, start: int, end: int, counts: np.ndarray, spans: np.ndarray) -> None:
    """Count one, and write where it stands if there is room for spans."""
    if counts[TOTAL] < spans.shape[0]:
        span = spans[counts[TOTAL]]
        span[0], span[1], span[2] = start, end, kind
    counts[kind] += 1
    counts[TOTAL] += 1


@compiled
def is_digit(code: int) -> bool:
    """0 to 9."""
    return 0x30 <= code <= 0x39


@compiled
def is_letter(code: int) -> bool:
    """A to Z and a to z."""
    return 0x41 <= code <= 0x5A or 0x61 <= code <= 0x7A


@compiled
def is_upper(code: int) -> bool:
    """A to Z."""
    return 0x41 <= code <= 0x5A


@compiled
def is_alphanumeric(code: int) -> bool:
    """ASCII letters and digits."""
    return is_digit(code) or is_letter(code)


@compiled
def is_hex(code: int) -> bool:
    """0 to 9, A to F, a to f."""
    return is_digit(code) or 0x41 <= code <= 0x46 or 0x61 <= code <= 0x66
