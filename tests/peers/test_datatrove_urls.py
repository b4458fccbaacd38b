"""The dialect of URLs against datatrove 0.10's own filter, with the words that it ships."""

import json
import random
import subprocess
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

import duckdb
import pyarrow as pa
import pytest

from pipelines.kernels.cache import use_cache_dir
from pipelines.kernels.decoded import text_batch
from pipelines.policies.urls import DIALECT
from pipelines.signals.family import SignalsConfig
from pipelines.signals.lists_config import URL_LISTS, ListsConfig
from pipelines.signals.urls import FAMILY

pytestmark = pytest.mark.peer

REPOSITORY = Path(__file__).parents[2]
PEERS = REPOSITORY / ".venv-peers"
NUM_URLS = 20_000
DOMAINS = [
    "bad.com",
    "sub.good.co.uk",
    "evil.org",
    "xn--bcher-kva.example",
    "blog.spam.net",
    "b.tk",
]
HOSTS = [
    *DOMAINS, "www.bad.com", "good.co.uk", "a.sub.good.co.uk", "bücher.example", "127.0.0.1",
    "[2001:db8::1]", "spam.net", "localhost", "BAD.com", "a..bad.com", "bad.com.", "github.io",
    "x.github.io", "co.uk", "bad。com", "user@bad.com", "bad.com:80", "u:p@evil.org:80",
]  # fmt: skip
URLS = ["http://ok.org/page", "https://ok.org/?a=b#c"]

PROGRAM = """
import importlib.metadata, json, sys
from datatrove.data import Document
from datatrove.pipeline.filters.url_filter import URLFilter
from tldextract import TLDExtract

assert importlib.metadata.version("datatrove") == "0.10.0"
lists, urls = json.load(sys.stdin)
one = URLFilter(
    use_integrated_lists=False,
    extra_domains=lists["blocked_domains"],
    extra_urls=lists["blocked_urls"],
    banned_words=lists["banned_words"],
    soft_banned_words=lists["soft_banned_words"],
    banned_subwords=lists["banned_substrings"],
)
one.tldextractor = TLDExtract(suffix_list_urls=(), cache_dir=None)
answers = [one.filter(Document(text="x", id="", metadata={"url": url})) for url in urls]
json.dump([None if kept is True else kept[1] for kept in answers], sys.stdout)
"""


@dataclass(frozen=True)
class Config(SignalsConfig):
    lists: ListsConfig = field(default_factory=ListsConfig)


@pytest.fixture(scope="module", autouse=True)
def cache_kernels(request):
    use_cache_dir(request.config.rootpath / ".pytest_cache" / "kernels")


@pytest.fixture
def lists(tmp_path):
    (assets,) = PEERS.glob("lib/python3*/site-packages/datatrove/assets")
    read = {name: (assets / f"{name}.txt").read_text("utf-8").split("\n") for name in
            ("banned_words", "soft_banned_words", "banned_subwords")}  # fmt: skip
    found = {
        "blocked_domains": DOMAINS,
        "blocked_urls": URLS,
        "banned_words": read["banned_words"],
        "soft_banned_words": read["soft_banned_words"],
        "banned_substrings": read["banned_subwords"],
    }
    found = {name: [entry for entry in found[name] if entry.strip()] for name in URL_LISTS}
    for name, entries in found.items():
        (tmp_path / name).write_text("\n".join(entries), "utf-8")
    return found


def some_urls(lists):
    draw = random.Random(5)
    words = [*lists["banned_words"], *lists["soft_banned_words"] * 3, *lists["banned_substrings"],
             "river", "mill", "Wheel", "news", "2024", "é", "x"]  # fmt: skip
    marks = ["/", "-", "_", ".", "?", "=", "&", "%20", ""]
    urls = list(URLS)
    while len(urls) < NUM_URLS:
        num_parts = draw.choice([0, 1, 1, 2, 3])
        few = words if draw.random() < 0.5 else words[-7:]
        path = "".join(draw.choice(few) + draw.choice(marks) for _ in range(num_parts))
        path = path.upper() if draw.random() < 0.1 else path
        scheme = draw.choice(["http://", "https://", "HTTP://", "//", "", "ftp://"])
        host = draw.choice(HOSTS if draw.random() < 0.3 else ["ok.org", "www.mill.example"])
        urls.append(f"{scheme}{host}/{path}")
    return urls


def reasons(urls, config):
    batch = text_batch(pa.array(["x"] * len(urls)), {"url": pa.array(urls)})
    signals = pa.table(FAMILY.measure(batch, config))
    cases = " ".join(f"WHEN {rule.condition} THEN '{rule.reason}'" for rule in DIALECT.rules)
    with duckdb.connect() as connection:
        connection.register("signals", signals)
        rows = connection.sql(f"SELECT CASE {cases} END FROM signals").fetchall()
    return [reason and reason.removeprefix("urls.") for (reason,) in rows]


def test_decisions_are_those_of_datatrove(lists, tmp_path):
    urls = some_urls(lists)
    asked = json.dumps([lists, urls])
    command = [str(PEERS / "bin" / "python"), "-c", PROGRAM]
    done = subprocess.run(command, input=asked, capture_output=True, text=True, check=True)
    theirs = json.loads(done.stdout)
    ours = reasons(urls, Config(lists=ListsConfig(**{n: str(tmp_path / n) for n in URL_LISTS})))
    wrong = [row for row in zip(urls, ours, theirs, strict=True) if row[1] != row[2]]
    assert wrong == []
    counts = Counter(theirs)
    assert set(counts) == {None, *(rule.reason.removeprefix("urls.") for rule in DIALECT.rules)}
    assert min(counts.values()) >= 2, counts
