"""The rules against regular expressions and `ipaddress`, on short texts of their pieces."""

import ipaddress
import random
import re
from collections import Counter

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from pipelines.kernels.decoded import text_batch
from pipelines.signals.pii import FAMILY

ATOM = r"[A-Za-z0-9!#$%&'*+\-/=?^_`{|}~]"
LABEL = "[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?"
DOMAIN = re.compile(rf"(?:{LABEL}\.)+[A-Za-z]{{2,63}}(?![A-Za-z0-9-])")
OCTET = r"(?:25[0-5]|2[0-4][0-9]|1[0-9][0-9]|[1-9]?[0-9])"
IPV4 = re.compile(rf"(?<![0-9A-Za-z.])(?:{OCTET}\.){{3}}{OCTET}(?![0-9A-Za-z]|\.[0-9])")
IPV6_RUN = re.compile("[0-9A-Fa-f:]+")
INTERNATIONAL = re.compile(r"(?<![0-9A-Za-z+])\+[1-9](?:[ .\-/()]{0,2}[0-9])*+(?![0-9A-Za-z])")
AMERICAN = re.compile(
    r"(?<![0-9A-Za-z.+\-(])(?:1[ .-])?(?:\([2-9][0-9]{2}\) ?|[2-9][0-9]{2}[ .-])"
    r"[2-9][0-9]{2}[ .-][0-9]{4}(?![0-9A-Za-z]|[.-][0-9])"
)
CARD = re.compile(
    r"(?<![0-9A-Za-z.-])(?:[0-9]{13,19}|[0-9]{4}([ -])"
    r"(?:[0-9]{4}\1[0-9]{4}\1[0-9]{4}|[0-9]{6}\1[0-9]{4,5}))(?![0-9A-Za-z]|[.-][0-9])"
)
ISSUERS = re.compile(
    "4(?:.{12}|.{15}|.{18})|(?:5[1-5]..|222[1-9]|22[3-9].|2[3-6]..|27[01].|2720).{12}"
    "|3[47].{13}|(?:30[0-5]|36.|38.|39.).{11}|(?:35|6.).{14,17}"
)
NAME = "[A-Za-z0-9_-]"
ALONE = rf"(?<!{NAME})(?:%s)(?!{NAME})"
KEYS = {
    "aws_keys": re.compile(ALONE % "(?:AKIA|ASIA)[A-Z0-9]{16}"),
    "github_tokens": re.compile(
        ALONE % "gh[pousr]_[A-Za-z0-9]{36,255}|github_pat_[A-Za-z0-9_]{82}"
    ),
    "slack_tokens": re.compile(ALONE % "xox[abeoprs]-[A-Za-z0-9-]{10,250}"),
    "json_web_tokens": re.compile(
        rf"(?<![A-Za-z0-9_.-])eyJ{NAME}{{12,}}\.eyJ{NAME}{{7,}}\.{NAME}{{10,}}"
    ),
    "private_keys": re.compile("-----BEGIN [A-Z0-9 ]{0,30}?PRIVATE KEY(?: BLOCK)?-----"),
}
ASSIGNED = re.compile(rf"(?<!{NAME})({NAME}+)['\"]? {{0,2}}[:=] {{0,2}}['\"]?([A-Za-z0-9_+/.-]*)")
SECRETS = (
    "apikey",
    "secretkey",
    "accesskey",
    "privatekey",
    "secret",
    "token",
    "password",
    "passwd",
)


def emails(text):
    free = 0
    for at in (match.start() for match in re.finditer("@", text)):
        for start in range(max(free, at - 64), at):
            if re.fullmatch(rf"{ATOM}+(?:\.{ATOM}+)*", text[start:at]):
                break
        else:
            continue
        if found := DOMAIN.match(text, at + 1):
            free = found.end()
            yield start, free


def ipv6(text):
    for run in IPV6_RUN.finditer(text):
        start, end = run.span()
        found = run[0]
        if found.count(":") < 2 or re.match(r"[A-Za-z0-9]|\.[0-9]", text[end:]):
            continue
        if found[0] == ":" and found[1] != ":":
            start += 1
        elif re.search(r"[A-Za-z0-9.]\Z", text[:start]):
            continue
        end -= found[-1] == ":" and found[-2] != ":"
        try:
            ipaddress.IPv6Address(text[start:end])
        except ValueError:
            continue
        if re.search("[0-9]", text[start:end]):
            yield start, end


def phones(text):
    at = 0
    while at < len(text):
        found = INTERNATIONAL.match(text, at)
        if found and not 8 <= len(re.findall("[0-9]", found[0])) <= 15:
            found = None
        found = found or AMERICAN.match(text, at)
        if found:
            yield found.span()
        at = found.end() if found else at + 1


def cards(text):
    at = 0
    while at < len(text):
        found = CARD.match(text, at)
        if found and not is_card(re.sub("[ -]", "", found[0])):
            found = None
        if found:
            yield found.span()
        at = found.end() if found else at + 1


def is_card(digits):
    doubled = [sum(map(int, str(2 * int(digit)))) for digit in digits[-2::-2]]
    luhn = sum(doubled) + sum(map(int, digits[-1::-2]))
    return luhn % 10 == 0 and ISSUERS.fullmatch(digits) is not None


def assigned(text):
    free = at = 0
    while found := ASSIGNED.search(text, at):
        at = found.end(1)
        name = re.sub("[_-]", "", found[1]).lower()
        value = found[2]
        is_secret = len(value) >= 16 and re.search("[0-9]", value) and re.search("[A-Za-z]", value)
        if found.start() >= free and name.endswith(SECRETS) and is_secret:
            yield found.span(2)
            free = found.end(2)


def is_public(address):
    if address in ipaddress.ip_network("192.0.0.0/24"):
        return str(address) in {"192.0.0.9", "192.0.0.10"}
    return address.is_global


def oracle(text):
    ipv4 = [found.span() for found in IPV4.finditer(text)]
    public = [s for s in ipv4 if is_public(ipaddress.ip_address(text[slice(*s)]))]
    return {
        "emails": list(emails(text)),
        "ipv4_addresses": ipv4,
        "public_ipv4_addresses": public,
        "ipv6_addresses": list(ipv6(text)),
        "phone_numbers": list(phones(text)),
        "card_numbers": list(cards(text)),
        **{kind: [found.span() for found in rule.finditer(text)] for kind, rule in KEYS.items()},
        "assigned_secrets": list(assigned(text)),
    }


TOKENS = [
    "AKIAIOSFODNN7EXAMPLE", "ghp_" + "a1" * 18, "github_pat_" + "A_" * 41, "xoxb-1234567890-ab",
    "eyJhbGciOiJIUzI1NiJ9", "eyJzdWIiOiIxIn0", "c2lnbmF0dXJl_-", "-----BEGIN ", "RSA ",
    "PRIVATE KEY", " BLOCK", "-----", "api_key", "Password", "token", "s3cr3t-value/+x.y", "abcdef",
    "4111111111111111", "378282246310005", "4111 1111 1111 1111", "3782-822463-10005", "+49", "212",
    "555", "1234", "(212)", "1", "192.168.1.7", "8.8.8.8", "192.0.0.9", "100.64.0.1", "2001:db8",
    "::1", "::", "fe80", "1:2:3:4:5:6:7:8", "someone", "mail.example", "example.org", "co.uk",
    "007", "a.b@c.org", "@mail.example.org", "x@y.", "+1 (212) 555-0100", "212-555-",
    "+4930 123456",
    "-----BEGIN PRIVATE KEY-----", "api-key: ", "token='", '"Secret_Key" = "',
    "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.", "+12 34",
    "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.c2lnbmF0dXJl",
]  # fmt: skip
MARKS = [
    " ",
    "  ",
    ".",
    "-",
    ":",
    "=",
    '"',
    "'",
    "/",
    "@",
    "_",
    "+",
    "(",
    ")",
    "\n",
    "é",
    "\0",
    "x",
    "9",
]
NUMBERS = st.text(st.sampled_from("0123456789abcf:.+- ()@x"), max_size=24)


def found_in(texts):
    """The kernel's spans and the family's counts, as the oracle's form for each text."""
    from pipelines.kernels.pii import find_pii
    from pipelines.kernels.pii_found import KINDS

    batch = text_batch(pa.array(texts, pa.string()))
    spans = find_pii(batch.codes)
    found = [{kind: [] for kind in KINDS} for _ in texts]
    for row in range(len(texts)):
        for span in range(spans.offsets[row], spans.offsets[row + 1]):
            place = (int(spans.starts[span]), int(spans.ends[span]))
            found[row][KINDS[spans.kinds[span]]].append(place)
    counts = FAMILY.measure(batch, None)
    assert list(counts) == [field.name for field in FAMILY.fields]
    for kind in KINDS:
        assert counts[f"num_{kind}"].tolist() == [len(row[kind]) for row in found]
    return found


def drawn_texts(seed):
    """Texts of whole things and parts of them, more than Hypothesis builds in the time."""
    draw = random.Random(seed)
    kinds = [(draw.choice([TOKENS, MARKS]), draw.randrange(9)) for _ in range(60)]
    return ["".join(draw.choices(TOKENS + MARKS, k=k) + draw.choices(few, k=k)) for few, k in kinds]


@settings(max_examples=10, phases=[Phase.generate])
@given(st.integers(0, 2**32))
def test_spans_and_counts_are_those_of_regular_expressions(seed):
    touched = Counter()
    for base in range(3):
        texts = drawn_texts(seed + base)
        for text, found in zip(texts, found_in(texts), strict=True):
            expected = oracle(text)
            assert found == expected, text
            touched.update(kind for kind, spans in expected.items() if spans)
    assert len(touched) > 6, touched


def test_drawn_texts_have_something_of_every_kind():
    touched = Counter()
    for seed in range(30):
        for text in drawn_texts(seed):
            touched.update(kind for kind, spans in oracle(text).items() if spans)
    assert all(touched[kind] > 3 for kind in oracle("")), touched


@settings(max_examples=60)
@given(st.lists(NUMBERS, max_size=6))
def test_numbers_and_addresses_are_those_of_regular_expressions(texts):
    assert found_in(texts) == [oracle(text) for text in texts]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Write to ann.b+c@mail.example.org.", {"emails": ["ann.b+c@mail.example.org"]}),
        ("a@b.com@c.org, .x..y@z.net", {"emails": ["a@b.com", "y@z.net"]}),
        ("@handle a@b a@b.c a@-b.com a@b.c0 v@1.2.3.4", {"ipv4_addresses": ["1.2.3.4"],
         "public_ipv4_addresses": ["1.2.3.4"]}),
        ("v1.2.3.4 1.2.3.4.5 1.2.3.256 01.2.3.4 10.0.0.1.", {"ipv4_addresses": ["10.0.0.1"]}),
        ("at 12:30:45, std::a, a::b, 2001:db8::7: ok", {"ipv6_addresses": ["2001:db8::7"]}),
        ("[::ffff:0:1] 1::2::3 1:2:3:4:5:6:7:8:9", {"ipv6_addresses": ["::ffff:0:1"]}),
        ("call +1 (212) 555-0100 or 212.555.0100", {"phone_numbers":
         ["+1 (212) 555-0100", "212.555.0100"]}),
        ("2125550100 12-555-0100 +123 +1234567890123456", {}),
        ("4111 1111 1111 1111, 4111111111111112", {"card_numbers": ["4111 1111 1111 1111"]}),
        ('{"api-key" : "0123456789abcdef"}', {"assigned_secrets": ["0123456789abcdef"]}),
        ("password = aaaaaaaaaaaaaaaaaaaa; token: 1234567890123456", {}),
        ("-----BEGIN OPENSSH PRIVATE KEY-----\nxyz", {"private_keys":
         ["-----BEGIN OPENSSH PRIVATE KEY-----"]}),
        ("-----BEGIN PUBLIC KEY-----", {}),
        ("id=AKIAIOSFODNN7EXAMPLE; AKIAIOSFODNN7EXAMPLES", {"aws_keys": ["AKIAIOSFODNN7EXAMPLE"]}),
        ("x eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.c2lnbmF0dXJl y", {"json_web_tokens":
         ["eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.c2lnbmF0dXJl"]}),
    ],
)  # fmt: skip
def test_examples(text, expected):
    (found,) = found_in([text])
    spans = {kind: [text[slice(*s)] for s in places] for kind, places in found.items() if places}
    assert spans == expected


def test_limits_of_addresses():
    local, label = "a" * 64, "b" * 63
    long_domain = ".".join(["b" * 62 + "1"] * 3 + ["c" * 56 + "1"]) + ".com"
    assert len(long_domain) == 253
    texts = [f"{local}@b.org", f"x{local}@b.org", f"a@{label}.org", f"a@{label}b.org",
             f"a@{long_domain}", f"a@{long_domain}m"]  # fmt: skip
    found = [[text[slice(*s)] for s in row["emails"]] for text, row in
             zip(texts, found_in(texts), strict=True)]  # fmt: skip
    assert found == [[texts[0]], [texts[0]], [texts[2]], [], [texts[4]], []]


HOSTILE = ["@", "a@", "a.", "1.", "1.1.1.", ":", "1:", "::", "+1 ", "1-", "4111 ", "1", "eyJa.",
           "eyJ-", "xoxb-", "token=", "token=a/", "'token' : ", "-----BEGIN ", "-----BEGIN A", "_",
           "a", "\n", "中", "\U0001f600", "ghp_", "password:x1", "-", "(212) "]  # fmt: skip


@pytest.mark.parametrize("piece", HOSTILE)
def test_work_is_linear_on_hostile_texts(piece):
    """A quadratic rule would take minutes here, and the suite's time limit would say so."""
    (found,) = found_in([piece * (300_000 // len(piece))])
    assert sum(map(len, found.values())) < 300_000


def test_texts_that_are_no_utf8():
    from pipelines.kernels.decoded import Codes
    from pipelines.kernels.pii import count_pii

    codes = np.array([0xDCFF, *map(ord, "a@b.org"), 0xDCFE, *map(ord, "1.2.3.4"), 0xDC80], np.int32)
    counts = count_pii(Codes(np.array([0, codes.size]), codes))
    assert counts["emails"].tolist() == [1]
    assert counts["ipv4_addresses"].tolist() == [1]
