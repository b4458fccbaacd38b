"""score_baseline: labelled documents -> what TF-IDF and logistic regression say about dev and test.

The classic that a fine-tuned model has to beat. It reads the same texts as the models, is fitted on
train alone, and its settings (words or characters, how strong the regularisation) are chosen by
macro-F1 on dev, as many trials as a model's. Nothing here draws numbers. Probabilities are rounded
to six digits, since the last ones depend on how a machine adds; one thread adds, which is also
several times as quick as many threads over such small matrices.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from data_contracts.errors import InputError, RecipeError
from data_contracts.labels import PARTITIONS, PREDICTIONS
from store.step import Inputs, Output, Step

VERSION = 1

ARM = "tfidf"
ANALYZERS = {
    "words": {"analyzer": "word", "ngram_range": (1, 2), "token_pattern": r"(?u)\b\w+\b"},
    "characters": {"analyzer": "char_wb", "ngram_range": (2, 5)},
}
MIN_DOCUMENTS = 2  # of train, that a feature must be in: what only one has does not carry over
_NUM_TOP = 8  # features of a class that the receipt names
_DIGITS = 6


@dataclass(frozen=True)
class BaselineConfig:
    """What is tried: each analyzer (``words``, ``characters``) with each regularisation.

    ``inverse_strengths`` are values of C: the larger, the weaker the penalty on weights.

    Raises:
        RecipeError: for a value that cannot be, naming its key.
    """

    analyzers: tuple[str, ...] = ("words", "characters")
    inverse_strengths: tuple[float, ...] = (1.0, 4.0, 16.0, 64.0)
    max_iterations: int = 1000

    def __post_init__(self) -> None:
        if not self.analyzers or set(self.analyzers) - set(ANALYZERS):
            raise RecipeError(
                f"baseline.analyzers is {list(self.analyzers)}; give one or more of "
                f"{', '.join(ANALYZERS)}."
            )
        if not self.inverse_strengths or min(self.inverse_strengths) <= 0:
            raise RecipeError(
                f"baseline.inverse_strengths is {list(self.inverse_strengths)}; give one or more "
                f"numbers over 0."
            )
        if self.max_iterations < 1:
            raise RecipeError(f"baseline.max_iterations is {self.max_iterations}; give 1 or more.")


@dataclass
class Fitted:
    """A trial: its settings, the fitted parts, and its macro-F1 on dev."""

    analyzer: str
    inverse_strength: float
    vectorizer: Any
    model: Any
    dev_macro_f1: float

    def probabilities(self, texts: list[str]) -> np.ndarray:
        """Return the probability of each class for each text, [N, classes of train]."""
        result: np.ndarray = self.model.predict_proba(self.vectorizer.transform(texts))
        return result


def score_baseline(inputs: Inputs, config: BaselineConfig) -> Output:
    """Fit every trial on train, choose by dev, and predict dev and test.

    Of trials with the same score the first counts: words before characters, stronger penalties
    before weaker ones. Rows stand as the labelled documents do.

    Raises:
        InputError: if a partition has no documents, or their texts hold no word.
    """
    started = time.perf_counter()
    columns = ["doc_id", "partition", "label", "class_name", "text"]
    documents = inputs.table("labelled", columns)
    by_name = {name: _partition(documents, name) for name in PARTITIONS}
    trials = []
    for analyzer in config.analyzers:
        trials += _fit_analyzer(analyzer, by_name, config)
        inputs.tell(f"{len(trials)} trials, best dev macro-F1 {_best(trials).dev_macro_f1:.3f}")
    chosen = _best(trials)
    rows = pa.concat_tables([_predict(chosen, by_name[name]) for name in PARTITIONS[1:]])
    names = dict(
        zip(documents["label"].to_pylist(), documents["class_name"].to_pylist(), strict=True)
    )
    facts = {
        "trials": [_trial_facts(trial) for trial in trials],
        "chosen": _trial_facts(chosen),
        "num_features": len(chosen.vectorizer.vocabulary_),
        "top_features": top_features(chosen, names),
        "seconds": round(time.perf_counter() - started, 3),
    }
    return Output(rows, facts=facts)


def _partition(documents: pa.Table, name: str) -> pa.Table:
    found = documents.filter(pc.equal(documents["partition"], name))
    if not len(found):
        raise InputError(f"there are no {name} documents; see [labels] of the recipe.")
    return found


def _fit_analyzer(
    analyzer: str, by_name: dict[str, pa.Table], config: BaselineConfig
) -> list[Fitted]:
    """Fit one analyzer with each regularisation; its features are made once."""
    from sklearn.feature_extraction.text import TfidfVectorizer
    from sklearn.linear_model import LogisticRegression
    from threadpoolctl import threadpool_limits

    train, dev = by_name["train"], by_name["dev"]
    vectorizer = TfidfVectorizer(sublinear_tf=True, min_df=MIN_DOCUMENTS, **ANALYZERS[analyzer])
    try:
        features = vectorizer.fit_transform(train["text"].to_pylist())
    except ValueError as error:
        raise InputError(
            f"no two train documents share any {analyzer} to learn from ({error}); look at their "
            f"texts, or add documents."
        ) from None
    labels = train["label"].to_numpy()
    trials = []
    for strength in sorted(config.inverse_strengths):
        model = LogisticRegression(C=strength, max_iter=config.max_iterations)
        with threadpool_limits(1):
            model.fit(features, labels)
        trial = Fitted(analyzer, strength, vectorizer, model, 0.0)
        predicted = _classes(trial, trial.probabilities(dev["text"].to_pylist()))
        trial.dev_macro_f1 = macro_f1(dev["label"].to_numpy(), predicted, labels)
        trials.append(trial)
    return trials


def macro_f1(labels: np.ndarray, predicted: np.ndarray, classes: np.ndarray) -> float:
    """Return the mean F1 over all classes of train; a class that nobody has or says counts 0."""
    from sklearn.metrics import f1_score

    every = np.unique(classes)
    return float(f1_score(labels, predicted, labels=every, average="macro", zero_division=0))


def _best(trials: list[Fitted]) -> Fitted:
    return max(trials, key=lambda trial: trial.dev_macro_f1)


def _classes(trial: Fitted, probabilities: np.ndarray) -> np.ndarray:
    """Return the most probable class of each text, the first of equal ones once rounded."""
    found: np.ndarray = trial.model.classes_[probabilities.round(_DIGITS).argmax(axis=1)]
    return found


def _predict(trial: Fitted, documents: pa.Table) -> pa.Table:
    """Return rows of `PREDICTIONS` for the documents, in their order."""
    probabilities = trial.probabilities(documents["text"].to_pylist())
    count = len(documents)
    return pa.table(
        {
            "arm": pa.array([ARM] * count),
            "seed": pa.array([0] * count, pa.int32()),
            "partition": documents["partition"],
            "doc_id": documents["doc_id"],
            "label": documents["label"],
            "predicted": pa.array(_classes(trial, probabilities), pa.int32()),
            "probability": pa.array(probabilities.max(axis=1).round(_DIGITS), pa.float64()),
        }
    ).cast(PREDICTIONS)


def _trial_facts(trial: Fitted) -> dict[str, Any]:
    return {
        "analyzer": trial.analyzer,
        "inverse_strength": trial.inverse_strength,
        "dev_macro_f1": round(trial.dev_macro_f1, _DIGITS),
    }


def top_features(trial: Fitted, names: dict[int, str]) -> dict[str, list[str]]:
    """Return the features with the largest weights for each class: what gives it away."""
    features = trial.vectorizer.get_feature_names_out()
    weights = trial.model.coef_
    if len(weights) == 1:  # two classes: one row, for the second
        weights = np.vstack([-weights, weights])
    return {
        names[int(label)]: [str(features[i]) for i in np.argsort(-row, kind="stable")[:_NUM_TOP]]
        for label, row in zip(trial.model.classes_, weights, strict=True)
    }


STEP = Step(
    name="score_baseline",
    version=VERSION,
    kind="whole",
    run=score_baseline,
    config=BaselineConfig,
    schema=PREDICTIONS,
    inputs={"labelled": "all"},
    libraries=("scikit-learn", "scipy"),
    accounts_for="labelled",
    emits="model",
)
