import itertools
import json
import random
import unicodedata

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from pipelines.ingest.text import clean_text
from pipelines.kernels.json_strings import IS_UNCLEAN, IS_VISIBLE, char_kinds, copy_string

LEADS = ["", "a", "e", "\u0301", "가", "ᄀ", "か", "\u0323"]


def test_what_is_marked_as_clean_stays_whatever_stands_around_it() -> None:
    kinds = char_kinds()
    clean = [chr(code) for code in np.flatnonzero(kinds & IS_UNCLEAN == 0)]
    assert len(clean) > 60_000
    assert all(clean_text(f"a{char}b") == (f"a{char}b", 0) for char in clean)
    starters = [char for char in clean if not unicodedata.combining(char)]
    assert len(starters) == len(clean)
    generator = random.Random(0)
    for _ in range(500):
        text = "".join(generator.choices(clean, k=400))
        assert clean_text(text) == (text, 0)
    for lead, char in itertools.product(LEADS[1:3] + LEADS[4:7], clean):
        assert unicodedata.is_normalized("NFC", lead + char)


def test_what_is_marked_as_visible_is_no_white_space() -> None:
    kinds = char_kinds()
    visible = np.flatnonzero(kinds & IS_VISIBLE)
    assert visible.size > 50_000
    assert not any(chr(code).isspace() for code in visible)


def test_strings_are_unescaped_as_json_does() -> None:
    touched = {"read": 0, "odd": 0}

    @settings(deadline=None)
    @given(st.lists(st.text(max_size=3) | st.sampled_from(list('\\\\\\"uu0dD8cC9nbtrf/{'))))
    def check(parts: list[str]) -> None:
        content = "".join(parts).replace("\n", "").encode("utf-8", "surrogatepass")
        data = np.frombuffer(content + b'"\n', dtype=np.uint8)
        values = np.empty(data.size, dtype=np.uint8)
        end, to, _ = copy_string(data, 0, values, 0, char_kinds())
        if end < 0:
            touched["odd"] += 1
            return
        expected = json.loads(b'"' + content[: end - 1] + b'"')
        assert values[:to].tobytes().decode() == expected
        touched["read"] += 1

    check()
    assert min(touched.values()) > 10, touched
