"""What the search left out, against lists that were written down."""

from __future__ import annotations

import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

sys.path.insert(0, str(Path(__file__).parent))

from similar_run import similar_run

from catalog import capped_keys
from catalog.capped_keys import Capped, read_capped
from catalog.opened import OpenedRun
from data_contracts.errors import Damaged


@pytest.fixture
def similar(fake: SimpleNamespace, tmp_path: Path) -> OpenedRun:
    return similar_run(fake, tmp_path)


def test_texts_are_counted_once_and_keys_shown_with_one_of_theirs(similar: OpenedRun) -> None:
    found = read_capped(similar, 5)
    assert found is not None
    assert (found.num_texts, found.num_keys) == (2, 2)
    first, second = found.largest
    assert (first.num_texts, first.num_left_out) == (1200, 2)
    assert (second.num_texts, second.num_left_out) == (900, 1)
    assert second.example is not None
    assert second.example.record_key == "h"
    assert first.example is not None
    assert first.example.record_key in "abcdh"


def test_no_more_keys_than_asked_for(similar: OpenedRun) -> None:
    found = read_capped(similar, 1)
    assert found is not None
    assert [key.num_texts for key in found.largest] == [1200]
    assert found.num_keys == 2


def test_lists_that_are_too_long_are_not_read(
    similar: OpenedRun, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(capped_keys, "MAX_BYTES", 10)
    assert read_capped(similar, 5) == Capped(2, None, ())


@pytest.mark.parametrize("spoil", [b"text_key,band_key,num_texts\n1,1,x\n", None])
def test_a_damaged_list_is_named(similar: OpenedRun, spoil: bytes | None) -> None:
    (part,) = similar.dataset("find_candidates").parts
    name = part.extra_name("capped.csv")
    if spoil is None:
        similar.storage.delete(name)
    else:
        similar.storage.replace(name, spoil)
    with pytest.raises(Damaged, match=r"capped\.csv"):
        read_capped(similar, 5)


def test_a_run_that_did_not_search(fake: SimpleNamespace, tmp_path: Path) -> None:
    assert read_capped(similar_run(fake, tmp_path, without=("find_candidates",)), 5) is None


def test_a_search_that_left_nothing_out(finished: object, fake: SimpleNamespace) -> None:
    assert isinstance(finished, fake.Home)
    assert read_capped(OpenedRun(finished.storage, finished.run), 5) == Capped(0, 0, ())
