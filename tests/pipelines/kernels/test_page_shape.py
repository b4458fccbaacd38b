from __future__ import annotations

import tarfile
from pathlib import Path

import lxml.html
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipelines.kernels.page_shape import PageShape, page_shape

LIMITS = {"max_tags": 50_000, "max_depth": 250}


def shape(html: str) -> PageShape:
    return page_shape(html.encode(), **LIMITS)


def _nested(children: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    inside = st.lists(children, max_size=3).map("".join)
    names = st.sampled_from(["div", "section", "ul", "table", "h1", "em", "b"])
    return st.builds(lambda name, text: f"<{name} id='{name}'>{text}</{name}>", names, inside)


@given(st.recursive(st.sampled_from(["x", "<br>", "<!-- <p> -->", "<img src='a>b'>"]), _nested))
def test_well_formed_pages_are_as_deep_as_they_look(html: str) -> None:
    depth = deepest = num_tags = 0
    for token in html.replace("<!-- <p> -->", "").split("<")[1:]:
        num_tags += not token.startswith("/")
        is_void = token.startswith(("br", "img"))
        depth += 0 if is_void else -1 if token.startswith("/") else 1
        deepest = max(deepest, depth)
    assert shape(html)[0] == num_tags
    assert shape(html).depth == deepest


@pytest.mark.parametrize(
    ("html", "expected"),
    [
        ("", (0, 0, 0)),
        ("<p>a<p>b<p>c", (3, 0, 1)),
        ("<ul><li>a<li><p>b<li>c</ul><ul>", (6, 0, 3)),
        ("<table><tr><td>1<td>2<tr><td>3</table>", (6, 0, 3)),
        ('<p a=">" b c=1>', (1, 3, 1)),
        ("<script>if (a<b) document.write('<div><div>')</script><p>", (2, 0, 1)),
        ("<!--><p>--><!-- <p> -->", (1, 0, 1)),
        ("<font><font><font><font><font>", (5, 0, 3)),
    ],
)
def test_tags_are_read_as_the_standard_has_it(html: str, expected: tuple[int, int, int]) -> None:
    assert shape(html) == expected


@pytest.mark.parametrize(
    "piece",
    [
        "<div>",
        "<p><b id={}></p>",  # opened again in each later paragraph
        "<div><table></div></table>",  # </div> is out of scope, </table> leaves it open
        "<b id={}><table></b></table>",
        "<svg><style><div></style>",  # not raw text there
        "<li><div>",
    ],
)
def test_nesting_does_not_hide(piece: str) -> None:
    assert shape("".join(piece.format(at) for at in range(1000))).depth == LIMITS["max_depth"] + 1


def test_reading_stops_at_the_limits() -> None:
    assert page_shape(b"<p>" * 100, max_tags=10, max_depth=5) == (11, 0, 1)
    assert (
        page_shape(b"<i a" + b" b" * 5000 + b">", max_tags=10, max_depth=5).num_attributes == 5001
    )


@given(st.text(alphabet="<>/!-= 'ab\"", max_size=60))
def test_any_bytes_can_be_measured(html: str) -> None:
    num_tags, _, depth = shape(html)
    assert depth <= num_tags <= html.count("<")


def test_real_pages_are_about_as_deep_as_libxml2_builds_them(shared_data: Path) -> None:
    path = shared_data / "readability-pages/readability_test_pages.tar.xz"
    num_pages = 0
    with tarfile.open(path) as archive:
        for member in archive:
            if not member.name.endswith("source.html"):
                continue
            data = archive.extractfile(member).read()
            page = lxml.html.document_fromstring(data, lxml.html.HTMLParser(encoding="utf-8"))
            built = max(
                len(list(leaf.iterancestors())) + 1 for leaf in page.xpath("//*[not(*)]")[:2000]
            )
            assert abs(page_shape(data, **LIMITS).depth - built) <= 6, member.name
            num_pages += 1
    assert num_pages == 65
