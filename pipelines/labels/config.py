"""What a recipe says about its labelled task: the ``[labels]`` table."""

from __future__ import annotations

from dataclasses import dataclass

from data_contracts.errors import RecipeError
from pipelines.labels.mask import check_words
from store.step import uncounted

KINDS = ("none", "corpus", "files")
LABEL_KEY, GROUP_KEY = "label", "group"  # in the `labels` map of what `read_labels` writes

_LEAST = {
    "min_train_documents": 1,
    "max_train_documents_per_class": 1,
    "max_dev_documents": 1,
    "max_test_documents": 1,
    "max_tokens": 3,
    "max_record_bytes": 1,
}


@dataclass(frozen=True)
class ReadLabelsConfig:
    """Where labelled texts lie and what their fields are called; an empty group field = none.

    Where a file lies is not part of identity: the file itself is.
    """

    path: str = uncounted("")
    text_field: str = "text"
    label_field: str = "label"
    group_field: str = ""
    max_record_bytes: int = 67_108_864


@dataclass(frozen=True)
class LabelsConfig:
    """A task of telling classes of documents apart; ``none`` means that the recipe has none.

    For ``corpus``: the curated documents' own labels; ``label`` and ``group`` are keys of their
    ``labels`` map. For ``files``: ``path`` is a file or folder of JSON Lines or Parquet, whose
    records have ``text_field``, ``label_field`` and perhaps ``group_field``.

    Documents of one group (a module, an author) are always in one partition; an empty group means
    that each text is a group of its own. ``dev_ratio`` and ``test_ratio`` are the expected shares
    of *groups*; the rest is train. ``classes`` names the classes to use (empty: all); a class with
    fewer than ``min_train_documents`` is left out. The maxima bound what is drawn by hash: train
    class by class, dev and test as a whole, so that they keep the proportions of the classes.
    ``masked_words`` are masked besides the names of the classes (unless ``mask_classes`` is off,
    as it should be where names are everyday words).
    A document is its first ``max_tokens`` tokens, BOS and EOS counted.

    Raises:
        RecipeError: for a value that cannot be, naming its key.
    """

    kind: str = "none"
    path: str = uncounted("")
    text_field: str = uncounted("text")  # these three change rows through `read_labels` alone
    label_field: str = uncounted("label")
    group_field: str = uncounted("")
    max_record_bytes: int = uncounted(67_108_864)
    label: str = "package"
    group: str = "module"
    classes: tuple[str, ...] = ()
    mask_classes: bool = True
    masked_words: tuple[str, ...] = ()
    min_train_documents: int = 10
    max_train_documents_per_class: int = 1000
    max_dev_documents: int = 1000
    max_test_documents: int = 2000
    dev_ratio: float = 0.1
    test_ratio: float = 0.3
    seed: int = 0
    max_tokens: int = 64

    def __post_init__(self) -> None:
        if self.kind not in KINDS:
            raise RecipeError(f"labels.kind is {self.kind!r}; give one of {', '.join(KINDS)}.")
        for name, least in _LEAST.items():
            if getattr(self, name) < least:
                raise RecipeError(f"labels.{name} is {getattr(self, name)}; give {least} or more.")
        self._check_ratios()
        self._check_names()
        check_words(self.masked_words)

    def _check_ratios(self) -> None:
        dev, test = self.dev_ratio, self.test_ratio
        if not (0 < dev < 1 and 0 < test < 1 and dev + test < 1):
            raise RecipeError(
                f"labels.dev_ratio is {dev} and labels.test_ratio {test}; both must be over 0 and "
                f"their sum under 1, so that something is left to train on."
            )
        if not 0 <= self.seed < 2**32:
            raise RecipeError(f"labels.seed is {self.seed}; give a number from 0 to 4294967295.")

    def _check_names(self) -> None:
        if self.kind == "corpus" and not self.label:
            raise RecipeError("labels.label is empty; name the documents' label to learn.")
        if self.kind == "files" and not (self.path and self.text_field and self.label_field):
            raise RecipeError(
                "labels.kind = 'files' needs labels.path, labels.text_field and "
                "labels.label_field; one of them is empty."
            )
        if len(self.classes) == 1 or len(set(self.classes)) < len(self.classes):
            raise RecipeError(
                "labels.classes names one class only, or one twice; name two or more, each once, "
                "or leave it empty to use all."
            )

    def reading(self) -> ReadLabelsConfig:
        """Return what `read_labels` needs of this."""
        return ReadLabelsConfig(
            self.path, self.text_field, self.label_field, self.group_field, self.max_record_bytes
        )

    @property
    def label_key(self) -> str:
        """Key of the label in the documents' ``labels`` map."""
        return LABEL_KEY if self.kind == "files" else self.label

    @property
    def group_key(self) -> str:
        """Key of the group in the documents' ``labels`` map; empty if texts stand alone."""
        if self.kind == "files":
            return GROUP_KEY if self.group_field else ""
        return self.group
