import dataclasses

import pytest

from data_contracts.errors import RecipeError
from pipelines.labels.config import LabelsConfig
from store.identity import counted_fields


def test_a_recipe_has_no_task_unless_it_says_so():
    assert LabelsConfig().kind == "none"


@pytest.mark.parametrize(
    ("values", "named"),
    [
        ({"kind": "csv"}, "labels.kind"),
        ({"kind": "files"}, "labels.path"),
        ({"kind": "files", "path": "x", "label_field": ""}, "labels.label_field"),
        ({"kind": "corpus", "label": ""}, "labels.label"),
        ({"dev_ratio": 0.0}, "labels.dev_ratio"),
        ({"test_ratio": 1.0}, "labels.test_ratio"),
        ({"dev_ratio": 0.5, "test_ratio": 0.5}, "labels.dev_ratio"),
        ({"seed": -1}, "labels.seed"),
        ({"max_tokens": 2}, "labels.max_tokens"),
        ({"min_train_documents": 0}, "labels.min_train_documents"),
        ({"max_train_documents_per_class": 0}, "labels.max_train_documents_per_class"),
        ({"max_dev_documents": 0}, "labels.max_dev_documents"),
        ({"max_test_documents": 0}, "labels.max_test_documents"),
        ({"masked_words": ("np", "7")}, "labels.masked_words"),
        ({"classes": ("a",)}, "labels.classes"),
        ({"classes": ("a", "b", "a")}, "labels.classes"),
    ],
)
def test_a_value_that_cannot_be_is_refused_by_its_key(values, named):
    with pytest.raises(RecipeError, match=named):
        LabelsConfig(**values)


def test_keys_of_the_labels_depend_on_the_kind():
    corpus = LabelsConfig(kind="corpus")
    assert (corpus.label_key, corpus.group_key) == ("package", "module")
    files = LabelsConfig(kind="files", path="x")
    assert (files.label_key, files.group_key) == ("label", "")
    assert dataclasses.replace(files, group_field="author").group_key == "group"


def test_another_length_does_not_make_the_files_be_read_again():
    one, other = (LabelsConfig(kind="files", path="x", max_tokens=n) for n in (32, 64))
    assert one.reading() == other.reading()
    assert counted_fields(one) != counted_fields(other)
    moved = dataclasses.replace(one, path="y")
    assert counted_fields(moved.reading()) == counted_fields(one.reading())
    renamed = dataclasses.replace(one, text_field="body")
    assert counted_fields(renamed.reading()) != counted_fields(one.reading())
