"""Against scikit-learn called directly, and numbers worked out by hand."""

import subprocess
import sys

import numpy as np
import pyarrow as pa
import pytest
from labelled_corpus import corpus, tokenizer_table
from memory_part import inputs_of
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import f1_score

from data_contracts.errors import InputError, RecipeError
from data_contracts.labels import LABELLED, PREDICTIONS
from pipelines.labels.config import LabelsConfig
from pipelines.labels.pack_labels import pack_labels
from pipelines.labels.score_baseline import BaselineConfig, macro_f1, score_baseline

QUICK = BaselineConfig(inverse_strengths=(1.0, 16.0))


def labelled():
    config = LabelsConfig(kind="corpus", dev_ratio=0.2, test_ratio=0.4, max_tokens=24)
    return pack_labels(inputs_of(labelled=corpus(), tokenizer=tokenizer_table()), config).rows


def test_the_chosen_trial_is_what_scikit_learn_gives_directly():
    table = labelled()
    output = score_baseline(inputs_of(labelled=table), QUICK)
    assert output.rows.schema == PREDICTIONS
    rows = {
        name: [r for r in table.to_pylist() if r["partition"] == name]
        for name in ("train", "dev", "test")
    }
    best = (-1.0, None)
    for words in (True, False):
        kind = {"token_pattern": r"\b\w+\b", "ngram_range": (1, 2)}
        chars = {"analyzer": "char_wb", "ngram_range": (2, 5)}
        vectorizer = TfidfVectorizer(sublinear_tf=True, min_df=2, **(kind if words else chars))
        features = vectorizer.fit_transform([row["text"] for row in rows["train"]])
        for strength in (1.0, 16.0):
            model = LogisticRegression(C=strength, max_iter=1000)
            model.fit(features, [row["label"] for row in rows["train"]])
            dev = model.predict(vectorizer.transform([row["text"] for row in rows["dev"]]))
            score = f1_score([row["label"] for row in rows["dev"]], dev, average="macro")
            if score > best[0]:
                best = (score, (vectorizer, model))
    assert output.facts["chosen"]["dev_macro_f1"] == pytest.approx(best[0], abs=1e-6)
    vectorizer, model = best[1]
    asked = rows["dev"] + rows["test"]
    probabilities = model.predict_proba(vectorizer.transform([row["text"] for row in asked]))
    got = output.rows.to_pylist()
    assert [row["doc_id"] for row in got] == [row["doc_id"] for row in asked]
    assert [row["predicted"] for row in got] == probabilities.argmax(axis=1).tolist()
    assert [r["probability"] for r in got] == pytest.approx(probabilities.max(axis=1), abs=1e-5)
    assert {(row["arm"], row["seed"]) for row in got} == {("tfidf", 0)}
    accuracy = np.mean([row["label"] == row["predicted"] for row in got])
    assert 0.5 < accuracy < 1  # three classes; the commonest has half
    assert len(output.facts["trials"]) == 4
    assert output.facts["num_features"] == len(vectorizer.vocabulary_)


def test_the_same_rows_twice_and_no_look_at_test():
    table = labelled()
    first, second = (score_baseline(inputs_of(labelled=table), QUICK) for _ in range(2))
    assert first.rows.equals(second.rows)
    rows = table.to_pylist()
    for row in rows:
        if row["partition"] == "test":
            row["label"], row["text"] = 2 - row["label"], "nothing"
    other = score_baseline(inputs_of(labelled=pa.Table.from_pylist(rows, LABELLED)), QUICK)
    for key in ("trials", "chosen", "num_features"):
        assert other.facts[key] == first.facts[key]


def test_two_classes_work_and_each_has_its_features():
    table = labelled()
    two = table.filter(pa.compute.less(table["label"], 2))
    output = score_baseline(inputs_of(labelled=two), QUICK)
    assert set(output.facts["top_features"]) == {"Apple", "berry"}
    assert set(output.rows["predicted"].to_pylist()) == {0, 1}


def test_macro_f1_counts_each_class_alike_and_an_absent_one_as_0():
    labels, predicted = np.array([0, 0, 1, 1]), np.array([0, 1, 1, 1])
    assert macro_f1(labels, predicted, np.array([0, 1])) == pytest.approx((2 / 3 + 4 / 5) / 2)
    assert macro_f1(labels, predicted, np.array([0, 1, 2])) == pytest.approx((2 / 3 + 4 / 5) / 3)


def test_what_is_tried_by_default_is_eight_trials():
    config = BaselineConfig()
    assert len(config.analyzers) * len(config.inverse_strengths) == 8


@pytest.mark.parametrize(
    "values",
    [
        {"analyzers": ()},
        {"analyzers": ("words", "letters")},
        {"inverse_strengths": ()},
        {"inverse_strengths": (1.0, 0.0)},
        {"max_iterations": 0},
    ],
)
def test_a_value_that_cannot_be_is_refused_by_its_key(values):
    with pytest.raises(RecipeError, match=f"baseline.{next(iter(values))}"):
        BaselineConfig(**values)


def test_texts_with_nothing_in_common_and_a_missing_partition_are_refused():
    rows = labelled().to_pylist()
    for number, row in enumerate(rows):
        row["text"] = f"x{number}"
    config = BaselineConfig(analyzers=("words",))
    with pytest.raises(InputError, match="share any words"):
        score_baseline(inputs_of(labelled=pa.Table.from_pylist(rows, LABELLED)), config)
    rows = [row for row in rows if row["partition"] != "dev"]
    with pytest.raises(InputError, match="no dev documents"):
        score_baseline(inputs_of(labelled=pa.Table.from_pylist(rows, LABELLED)), config)


def test_importing_the_step_does_not_import_scikit_learn():
    code = (
        "import sys, pipelines.labels.score_baseline, pipelines.labels.pack_labels\n"
        "sys.exit(any(name in sys.modules for name in ('sklearn', 'scipy', 'sentencepiece')))"
    )
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0
