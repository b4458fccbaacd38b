import dataclasses
import re
from collections import Counter
from dataclasses import dataclass, field

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from data_contracts.errors import RecipeError
from pipelines.kernels.decoded import text_batch
from pipelines.policies.urls import DIALECT
from pipelines.signals import urls as module
from pipelines.signals.family import SignalsConfig
from pipelines.signals.lists_config import ListsConfig
from pipelines.signals.urls import FAMILY

LISTS = {
    "blocked_domains": "bad.com\nsub.good.co.uk\n127.0.0.1\n",
    "blocked_urls": "http://ok.org/page\nnot a url\n",
    "banned_words": "casino\nBad-Word\n---\n18\n",
    "soft_banned_words": "bet\nbetting\ncasino\n",
    "banned_substrings": "free-slots\nslot\nslots\nabcab\n",
}


@dataclass(frozen=True)
class Config(SignalsConfig):
    lists: ListsConfig = field(default_factory=ListsConfig)


@pytest.fixture
def config(tmp_path):
    for name, content in LISTS.items():
        (tmp_path / name).write_text(content)
    return Config(lists=ListsConfig(**{name: str(tmp_path / name) for name in LISTS}))


def measure(urls, config):
    texts = pa.array(["text"] * len(urls), pa.string())
    columns = {"url": urls if isinstance(urls, pa.Array) else pa.array(urls, pa.string())}
    values = FAMILY.measure(text_batch(texts, columns), config)
    return [
        dict(zip(values, row, strict=True))
        for row in zip(*(column.tolist() for column in values.values()), strict=True)
    ]


def oracle(url):
    """Counts of words and substrings from the definition: sets, slices and `re`."""
    words = set(re.split("[^a-zA-Z0-9]+", url))
    squeezed = "".join(re.findall("[a-zA-Z0-9]", url)).lower()
    ends = [any(squeezed[:end].endswith(stretch) for stretch in ("freeslots", "slot", "slots",
            "abcab")) for end in range(1, len(squeezed) + 1)]  # fmt: skip
    return {
        "num_url_chars": len(url),
        "num_banned_url_words": len(words & {"casino", "badword", "18"}),
        "num_soft_banned_url_words": len(words & {"bet", "betting", "casino"}),
        "num_banned_url_substrings": sum(ends),
    }


PIECES = ["casino", "Casino", "badword", "18", "bet", "betting", "slot", "free", "s", "abc", "ab",
          "-", "/", ".", "?é=", "_", "\U0001f600", "http://", "SLOTS", "é"]  # fmt: skip


def test_words_and_substrings_are_those_of_the_definition(config):
    touched = Counter()

    @given(st.lists(st.lists(st.sampled_from(PIECES), max_size=12).map("".join), max_size=6))
    def check(urls):
        for array in (pa.array(urls, pa.string()), pa.array(urls, pa.string_view())):
            for url, found in zip(urls, measure(array, config), strict=True):
                expected = oracle(url)
                assert {name: found[name] for name in expected} == expected
                touched.update(name for name, value in expected.items() if value)

    check()
    assert len(touched) == 4, touched


@pytest.mark.parametrize(
    ("url", "found"),
    [
        ("http://www.bad.com/x", (1, 0, 0)),
        ("https://user:pass@bad.com:8080", (1, 1, 0)),
        ("BAD.com/x", (0, 0, 0)),  # entries and hosts are compared to the letter, as datatrove does
        ("http://sub.good.co.uk/", (0, 1, 0)),
        ("http://other.good.co.uk/", (0, 0, 0)),
        ("http://www.sub.good.co.uk/", (0, 0, 0)),
        ("http://127.0.0.1/", (0, 0, 0)),  # an address has no domain
        ("http://ok.org/page", (0, 0, 1)),
        ("http://ok.org/page/", (0, 0, 0)),
        ("not a url", (0, 0, 1)),
        ("", (0, 0, 0)),
        (None, (0, 0, 0)),
    ],
)
def test_domains_hosts_and_urls(config, url, found):
    (row,) = measure([url], config)
    names = ("num_blocked_domains", "num_blocked_hosts", "num_blocked_urls")
    assert tuple(row[name] for name in names) == found


def test_without_a_column_of_urls_or_without_lists_nothing_is_found(config):
    values = FAMILY.measure(text_batch(pa.array(["a", "b"])), config)
    assert {tuple(column.tolist()) for column in values.values()} == {(0, 0)}
    (row,) = measure(["http://www.bad.com/casino"], SignalsConfig())
    assert row.pop("num_url_chars") == 25
    assert set(row.values()) == {0}


HOSTILE = [
    "a." * 500_000,
    "http://" + "/" * 10**6,
    "xn--" * 300_000 + ".com",
    "slot" * 200_000,
    "@" * 10**6,
    "http://[" + ":" * 10**6,
    "\x00" * 9,
    "http://" + "中." * 10**5,
    "%" * 10**6,
]


@pytest.mark.parametrize("url", HOSTILE)
def test_hostile_urls(config, url):
    (row,) = measure([url], config)
    assert row["num_url_chars"] == len(url)
    assert row["num_banned_url_substrings"] == (399_999 if "slot" in url else 0)


def test_urls_that_are_no_utf8(config):
    raw = b"http://\xff\xfe.bad.com/casino \xf0"
    offsets = pa.py_buffer(pa.array([0, len(raw)], pa.int32()).buffers()[1])
    broken = pa.Array.from_buffers(pa.string(), 1, [None, offsets, pa.py_buffer(raw)])
    (row,) = measure(broken, config)
    assert row["num_url_chars"] == len(raw)
    assert (row["num_blocked_domains"], row["num_banned_url_words"]) == (1, 1)


def test_too_many_banned_words_are_refused(config, monkeypatch, tmp_path):
    monkeypatch.setattr(module, "MAX_LISTED_CHARS", 3)
    lists = dataclasses.replace(config.lists, digests=(("other", "x"),))
    with pytest.raises(RecipeError, match="more than 3 characters"):
        measure(["http://a.org"], Config(lists=lists))


def test_rules_mention_signals_of_the_family():
    names = {field.name for field in FAMILY.fields} - {"num_url_chars"}
    assert [rule.condition.split()[0] for rule in DIALECT.rules] == [
        field.name for field in FAMILY.fields if field.name in names
    ]
