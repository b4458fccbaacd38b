"""How many addresses, numbers and keys of persons and services a text holds.

They are only counted here; `pipelines.kernels.pii.find_pii` gives where each stands. The rules are
in `pipelines.kernels.pii_addresses`, `pii_numbers` and `pii_keys`. E-mail and IPv4 are those of
datatrove's ``PIIFormatter`` (``pipeline/formatters/pii.py``), made stricter: an address stands by
itself, and a domain ends in letters.
"""

from collections.abc import Mapping

import numpy as np

from pipelines.kernels.decoded import TextBatch
from pipelines.signals.family import Family, SignalsConfig, count_field

_FIELDS = (
    count_field("num_emails", "addresses", "E-mail addresses: a dot-atom, @ and a domain name."),
    count_field("num_ipv4_addresses", "addresses", "IPv4 addresses, public or not."),
    count_field(
        "num_public_ipv4_addresses",
        "addresses",
        "IPv4 addresses that IANA's registry of special-purpose addresses does not reserve.",
    ),
    count_field(
        "num_ipv6_addresses", "addresses", "IPv6 addresses with at least one decimal digit."
    ),
    count_field(
        "num_phone_numbers",
        "numbers",
        "Telephone numbers: + and 8 to 15 digits, or North American ones with marks between.",
    ),
    count_field(
        "num_card_numbers",
        "numbers",
        "Payment card numbers of a known issuer's length with Luhn's check digit.",
    ),
    count_field("num_aws_keys", "keys", "AWS access key ids: AKIA or ASIA and 16 more."),
    count_field("num_github_tokens", "tokens", "GitHub tokens: ghp_ and its kin, github_pat_."),
    count_field("num_slack_tokens", "tokens", "Slack tokens: xoxb- and its kin."),
    count_field("num_json_web_tokens", "tokens", "JSON web tokens in three parts (RFC 7519)."),
    count_field(
        "num_assigned_secrets",
        "values",
        "Values of 16 or more characters, with letters and digits, assigned to a name that ends in "
        "a word such as password, token or api_key.",
    ),
    count_field("num_private_keys", "keys", "First lines of private keys in PEM or PGP armour."),
)


def _measure(texts: TextBatch, config: SignalsConfig) -> Mapping[str, np.ndarray]:
    from pipelines.kernels.pii import count_pii

    return {f"num_{kind}": counts for kind, counts in count_pii(texts.codes).items()}


FAMILY = Family("pii", _FIELDS, _measure, always=False)
