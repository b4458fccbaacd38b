"""Files of conversations: every line is a row or quarantined, and says why."""

import gzip
import json
import tempfile
import unicodedata
from pathlib import Path

import pytest
from chat_files import TEXTS, line_of
from hypothesis import given
from hypothesis import strategies as st

from data_contracts.errors import InputError, RecipeError
from pipelines.messages.config import ReadConversationsConfig
from pipelines.messages.conversations import turns_of
from pipelines.messages.read_conversations import list_parts, read_conversations
from store.step import Inputs

PIECES = [
    "\n",
    "\t",
    "\x7f",
    "\x01",
    "\u0301",
    "\u0307",
    "\u0338",
    "e",
    "\\",
    '"',
    "\ufeff",
    "\u1100",
]
SAID = st.lists(st.sampled_from(PIECES) | st.text(max_size=3), max_size=6).map("".join)
GOOD = [("system", TEXTS[2]), ("user", TEXTS[0]), ("assistant", "é\u0000\n" + TEXTS[1])]
WRONG = [
    (b"{\n", "not JSON"),
    (b"\xff\xfe\n", "not UTF-8"),
    (b"[" * 100_000 + b"\n", "nested deeper"),
    (b"[]\n", "not a JSON object"),
    (b'{"text": "no turns"}\n', "messages.no_messages: "),
    (line_of(("tool", "x")), "messages.bad_role: turn 0"),
    (line_of(("user", "x"), ("system", "y")), "messages.bad_role: turn 1"),
    (line_of(("user", 7)), "messages.bad_content: what turn 0"),
    (b'{"messages": [{"role": "user", "content": "\\ud800"}]}\n', "lone surrogate"),
]


def read(path, **settings):
    """Return the rows, what was quarantined, and how many records were framed."""
    config = ReadConversationsConfig(str(path), **settings)
    rows, aside, framed = [], [], 0
    for part in list_parts(config):
        output = read_conversations(Inputs(part.key, source=part), config)
        rows += [row for batch in output.rows for row in batch.to_pylist()]
        aside += output.quarantined
        framed += output.facts["records_framed"]
    return rows, aside, framed


def test_turns_come_back_and_the_rest_of_a_record_is_kept(tmp_path):
    (tmp_path / "a.jsonl").write_bytes(line_of(*GOOD, id="x", topic="sums") + line_of(*GOOD[1:]))
    (first, second), aside, framed = read(tmp_path)
    assert (aside, framed) == ([], 2)
    assert [(t.role, t.content) for t in turns_of(json.loads(first["text"]))] == GOOD
    assert [(t.role, t.content) for t in turns_of(json.loads(second["text"]))] == GOOD[1:]
    assert (first["record_key"], second["record_key"]) == ("x", "a.jsonl#2")
    assert json.loads(first["meta"]) == {"topic": "sums"}
    assert first["source"] == "conversations"


@given(st.lists(SAID, min_size=1, max_size=4))
def test_whatever_is_said_comes_back_in_nfc(said):
    """JSON's own escapes end in letters, which a combining mark after them would join."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "a.jsonl")
        path.write_bytes(line_of(*(("user", text) for text in said)))
        (row,), aside, _ = read(path)
    assert aside == []
    assert unicodedata.is_normalized("NFC", row["text"])
    turns = turns_of(json.loads(row["text"]))
    assert [turn.content for turn in turns] == [unicodedata.normalize("NFC", t) for t in said]


def test_marks_without_end_are_quarantined(tmp_path):
    (tmp_path / "a.jsonl").write_bytes(line_of(("user", "e" + "\u0301" * 100_000)))
    rows, (aside,), _ = read(tmp_path)
    assert rows == []
    assert "combining marks" in aside["error"]


@pytest.mark.parametrize("suffix", [".jsonl", ".jsonl.gz", ".ndjson"])
def test_what_is_no_conversation_is_quarantined_with_the_reason(tmp_path, suffix):
    lines = b"".join(line for line, _ in WRONG) + line_of(*GOOD)
    data = gzip.compress(lines) if suffix.endswith(".gz") else lines
    (tmp_path / f"a{suffix}").write_bytes(data)
    (tmp_path / "notes.md").write_text("no conversation")
    rows, aside, framed = read(tmp_path)
    assert (len(rows), framed) == (1, len(WRONG) + 1)
    assert {row["uri"] for row in aside} == {f"a{suffix}"}
    for (_, reason), row in zip(WRONG, aside, strict=True):
        assert reason in row["error"]


def test_a_record_over_the_limit_is_quarantined(tmp_path):
    long = line_of(("user", "x" * 3000), ("assistant", "y"))
    (tmp_path / "a.jsonl").write_bytes(long + line_of(*GOOD))
    rows, (aside,), _ = read(tmp_path, max_record_bytes=2000)
    assert len(rows) == 1
    assert "over max_record_bytes = 2000" in aside["error"]


def test_another_field_may_hold_the_turns(tmp_path):
    (tmp_path / "a.jsonl").write_bytes(line_of(*GOOD).replace(b"messages", b"turns"))
    rows, aside, _ = read(tmp_path / "a.jsonl", messages_field="turns")
    assert (len(rows), aside) == (1, [])


def test_nothing_to_read_says_what_to_change(tmp_path):
    with pytest.raises(RecipeError, match=r"conversations\.path is empty"):
        list_parts(ReadConversationsConfig())
    with pytest.raises(InputError, match=r"does not exist; correct conversations\.path"):
        list_parts(ReadConversationsConfig(str(tmp_path / "none")))
    (tmp_path / "a.csv").write_text("a,b\n")
    with pytest.raises(InputError, match=r"holds no \.jsonl file .* change conversations\.path"):
        list_parts(ReadConversationsConfig(str(tmp_path)))
