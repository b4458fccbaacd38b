import tomllib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from data_contracts.errors import NotFound, RecipeError
from flows.recipe import RECIPES, list_recipes, load_recipe, recipe_from_plain
from store.identity import encode


@pytest.mark.parametrize("name", [name for name, _ in list_recipes()])
def test_shipped_recipes_load_say_what_they_do_and_survive_their_record(name):
    recipe = load_recipe(name)
    assert recipe.name == name
    assert len(recipe.description) > 20
    assert recipe_from_plain(recipe.plain()) == recipe
    assert encode(recipe) == encode(recipe_from_plain(recipe.plain()))


def test_there_are_recipes():
    assert {"quickstart", "my-text"} <= {name for name, _ in list_recipes()}


def test_settings_stand_above_the_file():
    settings = ["split.seed=7", "ingest.path=some/folder", "policy.rules.my.rule=num_words < 3"]
    recipe = load_recipe("my-text", settings)
    assert (recipe.split.seed, recipe.ingest.path) == (7, "some/folder")
    assert recipe.policy.rules[-1] == ("my.rule", "num_words < 3")
    own = tomllib.loads((RECIPES / "my-text.toml").read_text())
    assert len(recipe.policy.rules) > len(own["policy"]["rules"]) - 1


@pytest.mark.parametrize(
    ("setting", "said"),
    [
        ("split.sed=1", "did you mean 'seed'"),
        ("splt.seed=1", "did you mean 'split'"),
        ("split=1", "section.key=value"),
        ("split.seed", "section.key=value"),
        ("=1", "section.key=value"),
        ("split.seed=seven", "must be a whole number"),
        ("description.x=1", "a value, not a section"),
        ("policy.rules.a.b=num_word < 1", "did you mean 'num_words'"),
        ('policy.use=["gopher@millrace-2"]', "did you mean 'gopher@millrace-1'"),
        ('dedupe.prefer=["num_char desc"]', "did you mean 'num_chars'"),
        ("run.workers=-1", "run.workers is -1"),
    ],
)
def test_a_wrong_setting_is_refused_by_name(setting, said):
    with pytest.raises(RecipeError, match=said):
        load_recipe("quickstart", [setting])


def test_an_unknown_recipe_names_the_nearest():
    with pytest.raises(NotFound, match="did you mean 'quickstart'"):
        load_recipe("quikstart")


def test_a_file_that_is_not_toml_is_named_with_its_place(tmp_path):
    path = tmp_path / "mine.toml"
    path.write_text("[ingest\nkind=1")
    with pytest.raises(RecipeError, match=r"mine.toml is not a TOML file.*line 1"):
        load_recipe(str(path))
    with pytest.raises(NotFound, match="no recipe file"):
        load_recipe(str(tmp_path / "other.toml"))


@given(st.text(max_size=30))
def test_no_setting_ends_in_anything_but_a_sentence(text):
    with pytest.raises(RecipeError, match=r"\S"):
        load_recipe("my-text", [f"{text}=" if "=" not in text else text])
