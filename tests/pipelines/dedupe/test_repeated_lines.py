from collections import Counter, defaultdict
from itertools import groupby, pairwise
from random import Random

import pyarrow as pa
import pytest
from corpus_steps import aligned, documents_of, map_parts, run_whole, shuffle_parts
from hypothesis import example, given, settings
from hypothesis import strategies as st

from data_contracts.documents import hash_text
from data_contracts.errors import RecipeError
from pipelines.dedupe import choose_lines, count_lines, drop_repeats, find_repeated_lines
from pipelines.dedupe.choose_lines import ChooseLinesConfig
from pipelines.dedupe.count_lines import CountLinesConfig
from pipelines.dedupe.drop_repeats import DropConfig
from pipelines.dedupe.find_repeated_lines import RepeatedLinesConfig
from pipelines.dedupe.normalise import normalise
from pipelines.dedupe.takings import TAKINGS
from store.step import Inputs

LINES = [
    "Home and more",
    "HOME, and more!",
    "  A text of its own",
    "Read 3 of 4",
    "Read 4 of 4",
    "No",
]
GAPS = ["\n", "\n\n", "\n\n", " \n", "\n \n", "\r\n", "\u2028and ", "\n\t\n\n", ""]
URLS = [None, "http://a.example.com/1", "http://b.example.com/2", "http://x.org"]
PIECES = st.tuples(st.sampled_from([*LINES, ""]), st.sampled_from(GAPS)).map("".join)
TEXTS = st.lists(PIECES, min_size=1, max_size=5).map("".join)
ROWS = st.lists(
    st.tuples(TEXTS, st.sampled_from(URLS), st.sampled_from("st")), min_size=3, max_size=9
)
RANDOMS = st.randoms(use_true_random=False)


def rows_of(drawn):
    return [
        {"doc_id": hash_text(str(at)), "text": text, "url": url, "source": source}
        for at, (text, url, source) in enumerate(drawn)
    ]


def parts_of(rows, cuts):
    """Return documents in partitions that end where ``cuts`` say."""
    bounds = [0, *sorted(cut % (len(rows) + 1) for cut in cuts), len(rows)]
    return {
        f"part-{number}": documents_of(rows[start:end])
        for number, (start, end) in enumerate(pairwise(bounds))
    }


def run_steps(parts, unit="lines", min_chars=1, keep="none", min_documents=2, num_buckets=3):
    counting = CountLinesConfig(unit, min_chars, num_buckets)
    lines = map_parts(count_lines.STEP, counting, parts)
    finding = RepeatedLinesConfig(min_documents, num_buckets)
    repeated = shuffle_parts(find_repeated_lines.STEP, finding, "lines", lines)
    choosing = ChooseLinesConfig(keep)
    takings = run_whole(choose_lines.STEP, choosing, lines=lines, repeated=repeated)
    takings = aligned(takings, parts, TAKINGS)
    edited = map_parts(drop_repeats.STEP, DropConfig(), parts, lines=takings)
    return pa.concat_tables(repeated.values()), pa.concat_tables(takings.values()), edited


def units_of(text, unit):
    """Return (first line, end line) of the lines or paragraphs of a text, and its lines."""
    lines = text.splitlines(keepends=True)
    full = [at for at, line in enumerate(lines) if line.strip()]
    if unit == "lines":
        return [(at, at + 1) for at in full], lines
    runs = [
        [at for _, at in run] for _, run in groupby(enumerate(full), lambda pair: pair[1] - pair[0])
    ]
    return [(run[0], run[-1] + 1) for run in runs], lines


def cut(lines, taken):
    """Return what is left of lines without some of them and the blank lines that go along."""
    kept, dropping, at_end = [], False, False
    for at, line in enumerate(lines):
        is_blank = not line.strip(" \t\n")
        after_gap = not kept or not kept[-1].strip(" \t\n")
        if at in taken:
            dropping = at_end = True
        elif is_blank and dropping and after_gap:
            at_end = True
        else:
            kept.append(line)
            dropping = at_end = False
    return "".join(kept).rstrip(" \t\n") if at_end else "".join(kept)


def oracle(rows, unit, min_chars, keep, min_documents):
    """Return the text that is left of each document, and the number of units taken of it."""
    places = defaultdict(list)
    for row in rows:
        site = row["url"] and (".".join(row["url"].split("/")[2].split(".")[-2:]))
        found, lines = units_of(row["text"], unit)
        for start, end in found:
            (form,) = normalise(pa.array(["".join(lines[start:end])]))
            if len(form) >= min_chars:
                places[site or "source:" + row["source"], form].append((row["doc_id"], start, end))
    by_id = {row["doc_id"]: row for row in rows}
    forms = {row["doc_id"]: normalise(pa.array([row["text"]]))[0] or row["text"] for row in rows}
    taken = defaultdict(set)
    for found in places.values():
        ids = {doc_id for doc_id, *_ in found}
        texts = {forms[doc_id] for doc_id in ids}
        pages = {by_id[doc_id]["url"] or "\0" + forms[doc_id] for doc_id in ids}
        if min(len(texts), len(pages)) < min_documents:
            continue
        first_form = forms[min(ids)]
        for doc_id in ids:
            mine = sorted(place[1:] for place in found if place[0] == doc_id)
            stays = keep == "first" and forms[doc_id] == first_form
            taken[doc_id] |= set(mine[1:] if stays else mine)
    lines = {row["doc_id"]: row["text"].splitlines(keepends=True) for row in rows}
    numbers = {key: {at for place in found for at in range(*place)} for key, found in taken.items()}
    return {
        row["doc_id"]: (
            cut(lines[row["doc_id"]], numbers.get(row["doc_id"], ())),
            len(taken[row["doc_id"]]),
        )
        for row in rows
    }


@pytest.mark.parametrize("unit", ["lines", "paragraphs"])
@pytest.mark.parametrize("keep", ["none", "first"])
def test_what_is_taken_is_what_python_takes_whatever_the_partitions(unit, keep):
    touched = Counter()

    @settings(max_examples=25)
    @example([(f"Home and more\n\n{own}", None, "s") for own in "abcdef"], 1, [2], Random(1))
    @given(ROWS, st.integers(1, 12), st.lists(st.integers(0, 9), max_size=2), RANDOMS)
    def check(drawn, min_chars, cuts, random):
        rows = rows_of(drawn)
        expected = oracle(rows, unit, min_chars, keep, 2)
        shuffled = random.sample(rows, len(rows))
        _, takings, edited = run_steps(parts_of(shuffled, cuts), unit, min_chars, keep)
        after = pa.concat_tables(edited.values())
        assert after["doc_id"].to_pylist() == [row["doc_id"] for row in shuffled]
        assert after["text_hash"].to_pylist() == list(map(hash_text, after["text"].to_pylist()))
        for row, old in zip(after.to_pylist(), shuffled, strict=True):
            text, num_taken = expected[row["doc_id"]]
            assert (row["text"], row["num_repeated_lines"]) == (text, num_taken)
            num_bytes = len(old["text"].encode()) - len(text.encode())
            assert row["num_repeated_line_bytes"] == num_bytes
            touched["taken"] += num_taken > 0
            touched["left"] += 0 < len(text) < len(old["text"])
        assert len(takings) == sum(num for _, num in expected.values())

    check()
    assert min(touched["taken"], touched["left"]) > 6, touched


def four_pages(text, urls=("http://e.org/1", "http://e.org/2", "http://e.org/3", "http://e.org/4")):
    return [
        {"doc_id": f"{at}", "text": f"{text}\nPage {at} says {at}{at}.\n", "url": url}
        for at, url in enumerate(urls)
    ]


def test_example():
    rows = four_pages("Home | About\n\nAll rights reserved.")
    rows[3]["text"] = "Home | About\n\nSomething else.\n\nall rights reserved\n"
    repeated, takings, edited = run_steps({"p": documents_of(rows)}, min_chars=5, min_documents=4)
    assert repeated.num_rows == 2
    shown = sorted(repeated.to_pylist(), key=lambda row: row["example"])
    assert [row["example"] for row in shown] == ["All rights reserved.", "Home | About"]
    assert [(row["site"], row["num_documents"]) for row in shown] == [("e.org", 4)] * 2
    assert [(row["first_id"], row["first_byte"]) for row in shown] == [("0", 14), ("0", 0)]
    texts = edited["p"]["text"].to_pylist()
    assert texts[:2] == ["Page 0 says 00.\n", "Page 1 says 11.\n"]
    assert texts[3] == "Something else."
    assert edited["p"]["num_repeated_lines"].to_pylist() == [2, 2, 2, 2]
    assert takings["partner_id"].unique().to_pylist() == ["0"]


def test_a_line_stays_where_too_few_documents_or_sites_have_it():
    rows = four_pages("All rights reserved.")
    rows[3]["url"] = "http://other.org"
    _, takings, _ = run_steps({"p": documents_of(rows)}, min_documents=4)
    assert takings.num_rows == 0
    _, takings, _ = run_steps({"p": documents_of(rows)}, min_documents=3)
    assert takings["doc_id"].to_pylist() == ["0", "1", "2"]


def test_a_page_read_many_times_is_no_boilerplate():
    same_page = four_pages("An article stands here.", ["http://e.org/1"] * 4)
    same_text = [{**row, "text": "An article stands here."} for row in four_pages("")]
    for rows in (same_page, same_text):
        repeated, _, _ = run_steps({"p": documents_of(rows)}, min_documents=2)
        assert repeated.num_rows == 0


def test_the_first_copy_stays_in_documents_of_equal_text():
    rows = [
        {"doc_id": doc_id, "text": text, "url": f"http://e.org/{doc_id}"}
        for doc_id, text in [
            ("b", "A long paragraph.\nB\nA long paragraph."),
            ("a", "a long paragraph\nb\na long paragraph"),
            ("c", "A long paragraph.\nC"),
        ]
    ]
    _, _, edited = run_steps({"p": documents_of(rows)}, min_chars=5, keep="first")
    assert edited["p"]["text"].to_pylist() == ["A long paragraph.\nB", "a long paragraph\nb", "C"]


def test_digits_tell_lines_apart_and_invalid_bytes_stay():
    raws = [
        b"\xff Page 1 of 9\n\xc3\xff one\n",
        b"\xff Page 2 of 9\nthe same line\n",
        b"the same line",
    ]
    offsets = pa.py_buffer(b"".join(n.to_bytes(4, "little") for n in (0, 21, 49, 62)))
    texts = pa.Array.from_buffers(pa.string(), 3, [None, offsets, pa.py_buffer(b"".join(raws))])
    table = documents_of([{"doc_id": str(at), "text": ""} for at in range(3)])
    table = table.set_column(
        table.schema.get_field_index("text"), table.schema.field("text"), texts
    )
    _, _, edited = run_steps({"p": table})
    kept = edited["p"]["text"].cast(pa.binary()).to_pylist()
    assert kept == [raws[0], b"\xff Page 2 of 9", b""]


@pytest.mark.parametrize(
    "text",
    [
        "",
        "\n" * 300_000,
        "a word " * 150_000,
        "one line of text\n" * 50_000,
        "文" * 300_000,
        "\u0301" * 300_000,
    ],
)
def test_hostile_texts(text):
    rows = [{"doc_id": "0", "text": text}, {"doc_id": "1", "text": f"x\n{text}"}]
    repeated, _, edited = run_steps({"p": documents_of(rows)})
    is_found = bool(normalise(pa.array([text]))[0])
    assert repeated.num_rows == is_found
    if is_found:
        assert edited["p"]["text"].to_pylist() == ["", "x"]
    else:
        assert edited["p"]["text"].to_pylist() == [row["text"] for row in rows]


def test_nothing_comes_of_nothing():
    repeated, takings, edited = run_steps({"p": documents_of([])})
    assert (len(repeated), len(takings), len(edited["p"])) == (0, 0, 0)
    assert not list(
        choose_lines.choose_lines(
            Inputs("all", {"lines": (), "repeated": ()}), ChooseLinesConfig()
        ).rows
    )


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda: CountLinesConfig(unit="words"), "words"),
        (lambda: CountLinesConfig(min_chars=0), "at least 1"),
        (lambda: CountLinesConfig(num_buckets=0), "num_buckets"),
        (lambda: RepeatedLinesConfig(min_documents=1), "at least 2"),
        (lambda: ChooseLinesConfig(keep="last"), "none or first"),
    ],
)
def test_wrong_settings_are_refused(make, said):
    with pytest.raises(RecipeError, match=said):
        make()
