import pytest

from data_contracts.errors import RecipeError
from pipelines.signals.lists_config import (
    EXAMPLE,
    URL_LISTS,
    ListsConfig,
    model_path,
    read_counts,
    read_lists,
    with_digests,
)
from store.identity import counted_fields, digest_bytes


def written(folder, name, content):
    path = folder / name
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return str(path)


def test_entries_are_trimmed_lines_without_comments(tmp_path):
    path = written(tmp_path, "d", "\ufeff# head\n\n a.org \r\nb.org#x\n#c.org\nb.org#x")
    lists = read_lists(ListsConfig(blocked_domains=path))
    assert lists.blocked_domains == {"a.org", "b.org#x"}
    assert lists.blocked_urls == frozenset()


def test_examples_of_the_package_are_lists():
    lists = read_lists(ListsConfig(**dict.fromkeys(URL_LISTS, EXAMPLE)))
    assert all(len(getattr(lists, name)) > 1 for name in URL_LISTS)


def test_content_counts_and_paths_do_not(tmp_path):
    first = ListsConfig(blocked_urls=written(tmp_path, "a", "x"))
    same = ListsConfig(blocked_urls=written(tmp_path, "b", "x"))
    other = ListsConfig(blocked_urls=written(tmp_path, "c", "y"))
    counted = [counted_fields(with_digests(config, ["urls"])) for config in (first, same, other)]
    assert counted[0] == counted[1] != counted[2]
    assert counted[0]["digests"] == [["blocked_urls", digest_bytes(b"x")]]
    assert with_digests(first, []).digests == ()


def test_the_packaged_table_and_packages_count_where_they_are_read():
    assert [name for name, _ in with_digests(ListsConfig(), ["unigrams"]).digests] == ["unigrams"]
    assert [name for name, _ in with_digests(ListsConfig(), ["language"]).digests] == ["pycld2"]
    config = with_digests(ListsConfig(blocked_domains=EXAMPLE), ["urls"])
    assert [name for name, _ in config.digests] == ["blocked_domains", "tldextract"]


def test_a_file_that_changes_after_planning_stops_the_step(tmp_path):
    path = written(tmp_path, "a", "x")
    config = with_digests(ListsConfig(blocked_urls=path, language_model=path), ["urls", "language"])
    assert str(model_path(config)) == path
    written(tmp_path, "a", "y")
    with pytest.raises(RecipeError, match="has changed"):
        read_lists(config)
    with pytest.raises(RecipeError, match="has changed"):
        model_path(config)


def test_files_that_cannot_be_read_are_named(tmp_path):
    missing = ListsConfig(banned_words=str(tmp_path / "missing"))
    for ask in (read_lists, lambda config: with_digests(config, ["urls"])):
        with pytest.raises(RecipeError, match=r"lists.banned_words names '.*missing'"):
            ask(missing)
    latin = written(tmp_path, "latin", "é".encode("latin-1"))
    with pytest.raises(RecipeError, match="not UTF-8"):
        read_lists(ListsConfig(banned_words=latin))
    with pytest.raises(RecipeError, match="no example"):
        model_path(ListsConfig(language_model=EXAMPLE))


@pytest.mark.parametrize(
    "content", ["word,count\nthe,5\nof,3\n", "the\t5\nof\t3", '"the","5"\r\n\r\nof,3\r\n']
)
def test_counts_are_read_from_csv_and_tsv(tmp_path, content):
    config = ListsConfig(unigrams=written(tmp_path, "t", content))
    assert read_counts(config) == (("the", 5), ("of", 3))


@pytest.mark.parametrize(
    "content", ["", "word,count\n", "the,5\nof,", "the,5\nof,-3", "the,5\nof,3,1", "a,1\nb,0",
                "a,1\nb,1e3", "a,1\n,2", "a,1\nb,99999999999999999999"]
)  # fmt: skip
def test_tables_of_another_form_are_refused(tmp_path, content):
    with pytest.raises(RecipeError, match="give"):
        read_counts(ListsConfig(unigrams=written(tmp_path, "t", content)))
