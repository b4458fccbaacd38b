from __future__ import annotations

import bz2
import io
import json
import re
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipelines.ingest.config import IngestConfig
from pipelines.ingest.place import Place
from pipelines.ingest.rows import Item, Record, Unreadable
from pipelines.ingest.wikipedia import read

HEAD = """<mediawiki xml:lang="de"><siteinfo><dbname>dewiki</dbname>
<base>https://de.wikipedia.org/wiki/Wikipedia:Hauptseite</base>
<namespaces><namespace key="6" case="x">Datei</namespace><namespace key="0"/>
<namespace key="14" case="x">Kategorie</namespace></namespaces></siteinfo>
"""


def page(at: int, text: str = "Die ''Mühle'' am Fluss.", more: str = "", ns: int = 0) -> str:
    return f"""<page><title>Mühle {at}</title><ns>{ns}</ns><id>{at}</id>{more}
<revision><id>9{at}</id><timestamp>2020-02-03T04:05:06Z</timestamp><model>wikitext</model>
<text xml:space="preserve">{text}</text></revision></page>
"""


def read_all(xml: str | bytes, **config: Any) -> tuple[list[Item], dict[str, Any]]:
    facts: dict[str, Any] = {"records_framed": 0}
    stream = io.BytesIO(xml.encode() if isinstance(xml, str) else xml)
    place = Place("dewiki.xml.bz2", "dewiki.xml.bz2", {})
    items = list(read(stream, place, IngestConfig(**config), facts))
    assert facts["records_framed"] == len(items) + facts.get("records_skipped", 0)
    return items, facts


def dump(*pages: str) -> str:
    return HEAD + "".join(pages) + "</mediawiki>"


def test_an_article_is_a_document_with_what_the_dump_knows() -> None:
    xml = dump(page(7, "[[Datei:a.jpg|b]]Die ''Mühle''.[[Kategorie:X]]"))
    (item,), facts = read_all(xml)
    assert isinstance(item, Record)
    assert (item.text, item.key) == ("Die Mühle.", "dewiki:7")
    assert item.url == "https://de.wikipedia.org/wiki/M%C3%BChle_7"
    assert item.published_at == datetime(2020, 2, 3, 4, 5, 6, tzinfo=UTC)
    assert json.loads(item.meta or "") == {
        "language": "de",
        "revision": "97",
        "title": "Mühle 7",
    }
    assert item.origin.position == xml.encode().index(b"<page>")
    assert facts == {"records_framed": 1}


@pytest.mark.parametrize(
    ("skipped", "reason"),
    [
        (page(1, more='<redirect title="Rad"/>'), "wikipedia.redirect"),
        (page(1, ns=4), "wikipedia.namespace"),
        (page(1).replace("<model>wikitext", "<model>javascript"), "wikipedia.model"),
        (page(1).replace("<text ", '<text deleted="deleted" '), "wikipedia.deleted"),
    ],
)
def test_what_is_no_article_is_passed_over_and_counted(skipped: str, reason: str) -> None:
    items, facts = read_all(dump(skipped, page(2), skipped))
    assert [item.key for item in items] == ["dewiki:2"]
    assert facts == {"records_framed": 3, "records_skipped": 2, "skipped": {reason: 2}}


@pytest.mark.parametrize(
    ("bad", "error"),
    [
        (page(1).replace("</title>", "</titel>"), "not XML"),
        (page(1, "&undeclared;"), "not XML"),
        (page(1, "{{nur eine Vorlage}}"), "the page holds no prose"),
        (page(1, "x" * 5000), "over max_page_bytes = 2000"),
        (page(1).replace("</page>", ""), "the page has no end"),
        ("<page><title>leer</title></page>", "the page has no revision"),
    ],
)
def test_a_bad_page_costs_no_other(bad: str, error: str) -> None:
    items, _ = read_all(dump(page(5), bad, page(6)), max_page_bytes=2000)
    assert [item.key for item in items if isinstance(item, Record)] == ["dewiki:5", "dewiki:6"]
    (failed,) = (item for item in items if isinstance(item, Unreadable))
    assert error in failed.error
    assert failed.origin.position == dump(page(5)).encode().index(b"</mediawiki>")
    assert bad.encode().startswith(failed.raw[:100])


def test_entities_of_a_dump_are_never_expanded() -> None:
    bomb = '<!DOCTYPE m [<!ENTITY a "ha"><!ENTITY b "&a;&a;&a;&a;">]>'
    items, _ = read_all(bomb + dump(page(1, "&b;"), page(2)))
    assert isinstance(items[0], Unreadable)
    assert items[1].key == "dewiki:2"


def test_the_last_revision_is_read() -> None:
    old = "<revision><id>1</id><text>alt</text></revision>"
    (item,), _ = read_all(dump(page(1, more=old)))
    assert item.text == "Die Mühle am Fluss."


@given(st.integers(0, 3000))
def test_of_a_dump_that_is_cut_off_all_pages_before_are_read(num_bytes: int) -> None:
    xml = dump(*(page(at) for at in range(1, 6))).encode()
    whole = min(num_bytes, len(xml))
    items, _ = read_all(xml[:whole])
    num_pages = xml[:whole].count(b"</page>")
    assert [item.key for item in items if isinstance(item, Record)] == [
        f"dewiki:{at}" for at in range(1, num_pages + 1)
    ]
    lost = [item for item in items if isinstance(item, Unreadable)]
    assert len(lost) == (not xml[:whole].endswith(b"</mediawiki>"))
    if lost:
        assert re.search("cut off within a page|ends without </mediawiki>", lost[0].error)


def test_a_break_in_the_compressed_file_is_one_record_more() -> None:
    data = bz2.compress(dump(*(page(at) for at in range(1, 9))).encode())
    facts: dict[str, Any] = {"records_framed": 0}
    with bz2.open(io.BytesIO(data[:-8])) as stream:
        items = list(read(stream, Place("a.xml.bz2", "a", {}), IngestConfig(), facts))
    assert "cut off or damaged" in items[-1].error
    assert facts["records_framed"] == len(items)


def test_a_page_of_any_size_is_passed_over_within_bounded_memory() -> None:
    class Endless(io.RawIOBase):
        num_left = 400

        def read(self, size: int = -1) -> bytes:
            self.num_left -= 1
            return (
                (HEAD + "<page>").encode()
                if self.num_left == 399
                else b"x" * 65_536 * (self.num_left > 0)
            )

    facts: dict[str, Any] = {"records_framed": 0}
    config = IngestConfig(max_page_bytes=100_000)
    (item,) = read(Endless(), Place("a.xml", "a", {}), config, facts)  # type: ignore[arg-type]
    assert isinstance(item, Unreadable)
    assert item.raw.startswith(b"<page>xxx")


def test_real_dumps_are_accounted_for_to_the_last_page(shared_data: Path) -> None:
    num_rows, num_redirects, texts = 0, 0, []
    for path in sorted((shared_data / "wikipedia-dumps").glob("*.bz2")):
        xml = bz2.decompress(path.read_bytes())
        items, facts = read_all(xml)
        skipped = facts.get("skipped", {})
        assert len(items) + sum(skipped.values()) == xml.count(b"<page>")
        assert all(isinstance(item, Record) for item in items)
        num_rows += len(items)
        declared = re.findall(rb'<mediawiki [^>]*xml:lang="([a-z]+)"', xml)
        metas = [json.loads(item.meta or "") for item in items if isinstance(item, Record)]
        assert {meta["language"] for meta in metas} == {declared[0].decode()}
        num_redirects += skipped.get("wikipedia.redirect", 0)
        texts += [item.text for item in items]
    assert (num_rows, num_redirects) == (111, 100)
    left = [
        text for text in texts if re.search(r"\[\[(?!\[)|^\{\||</?ref|<!--", text, re.MULTILINE)
    ]
    assert len(left) <= 3  # formulas
    autism = next(text for text in texts if text.startswith("Autism is a neuro"))
    assert "Infobox" not in autism
    assert "Social development\nSocial deficits distinguish autism" in autism
