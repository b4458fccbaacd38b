from __future__ import annotations

import pytest

from data_contracts.errors import RecipeError
from flows.graph import build_graph
from flows.recipe import load_recipe, recipe_from_plain, with_settings
from pipelines.dedupe.choose_kept import ChoiceConfig

WEB = {"kind": "files", "path": "web", "priority": 1, "labels": {"kind": "page"}}
BOOKS = {"kind": "files", "path": "books", "priority": 2, "licence": "CC0-1.0", "consent": "all"}
TWO = {"name": "two", "sources": {"web": WEB, "books": BOOKS}}


def test_sources_survive_their_record_and_take_settings() -> None:
    recipe = recipe_from_plain(TWO)
    assert recipe_from_plain(recipe.plain()) == recipe
    settings = ["sources.web.path=net", "sources.web.labels.age=new", "sources.more.kind=files"]
    for plain in (TWO, recipe.plain()):
        sources = dict(with_settings(plain, settings).sources)
        assert sources["web"].path == "net"
        assert sources["web"].labels == (("kind", "page"), ("age", "new"))
        assert list(sources) == ["web", "books", "more"]
    assert dict(recipe.sources)["books"].licence == "CC0-1.0"


def test_one_source_keeps_its_short_form() -> None:
    recipe = load_recipe("my-text", ["ingest.path=texts"])
    assert build_graph(recipe)["ingest"].config is recipe.ingest


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"ingest": {"path": "x"}}, r"both \[ingest\] and \[sources\]"),
        ({"sources": {"a b": WEB}}, r"sources\.a b: a source cannot be called so"),
        ({"sources": {"web": {"kind": "fils"}}}, r"sources\.web\.kind is 'fils'"),
        ({"sources": {"web": {"pth": "x"}}}, r"sources\.web\.pth is no key"),
        ({"sources": {"web": "x"}}, r"sources\.web is 'x'; it must be a table"),
        ({"sources": {}, "dedupe": {"prefer": ["priority desc"]}}, "take it out, or give"),
    ],
)
def test_what_is_wrong_is_named(change: dict, said: str) -> None:
    with pytest.raises(RecipeError, match=said):
        recipe_from_plain({**TWO, **change})


def test_the_choice_knows_priorities_if_it_asks_for_them() -> None:
    plain = {**TWO, "dedupe": {"prefer": ["priority desc", "num_chars desc"]}}
    choice = build_graph(recipe_from_plain(plain))["choose_kept"].config
    assert choice == ChoiceConfig(
        prefer=("priority desc", "num_chars desc"), priorities=(("web", 1), ("books", 2))
    )
    assert build_graph(recipe_from_plain(TWO))["choose_kept"].config == ChoiceConfig()
