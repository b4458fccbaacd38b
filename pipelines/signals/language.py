"""The language of a text, by an identifier in a package or by a fastText model of the user's.

**Packaged**: CLD2 (``pycld2`` 0.42, Apache-2.0), asked with its best effort and told that the text
is no HTML (of which it would read nothing behind a ``<``). Of the packages that bring their model
it was right most often on Lingua's test sentences in 75 languages, and the fastest but one
(``benchmarks/language.py``). ``language_score`` is the share of the text's letters that CLD2 gives
to the first language, and 0.0 where it calls its answer unreliable: a share, not a probability. It
is near 1 in most texts of one language and low in mixed ones; a threshold sorts out mixtures,
hardly mistakes.

**fastText**: ``lists.language_model`` names a ``.bin`` or ``.ftz`` file (lid.176, GlotLID), read by
``fasttext-predict``; line breaks become spaces, as in datatrove (``utils/lid.py``), and the score
is the model's probability, at most 1.0: with lid.176 that of FineWeb's ``language_score > 0.65``,
but for texts longer than what is read here.

Either is asked of the first `MAX_LANGUAGE_BYTES` bytes, cut between characters. Bytes that are not
UTF-8, control characters and noncharacters, which CLD2 refuses, are read as spaces.
"""

import re
from collections.abc import Callable, Mapping
from functools import cache

import numpy as np
import pyarrow as pa

from data_contracts.errors import RecipeError
from pipelines.kernels.decoded import TextBatch
from pipelines.signals.family import Family, SignalsConfig, ratio_field
from pipelines.signals.lists_config import ListsConfig, model_path

MAX_LANGUAGE_BYTES = 65_536
UNKNOWN = "und"  # BCP 47, section 4.1
Answer = tuple[str, float]

_LABEL = "__label__"
_NOT_TEXT = re.compile(
    "[\x00-\x08\x0b\x0e-\x1f\x7f-\x9f\ufdd0-\ufdef\ufffd-\uffff"
    + "".join(f"{chr(plane << 16 | 0xFFFE)}{chr(plane << 16 | 0xFFFF)}" for plane in range(1, 17))
    + "]"
)
# CLD2's old or own codes, and the languages of which it has jokes only; `xx-` are mere scripts.
_CODES = {
    "iw": "he", "jw": "jv", "bh": "bho", "sr-ME": "sr-Latn-ME", "zh": "zh", "un": UNKNOWN,
    "xxx": UNKNOWN, "zzb": UNKNOWN, "zze": UNKNOWN, "zzh": UNKNOWN, "zzp": UNKNOWN,
}  # fmt: skip

_FIELDS = (
    pa.field(
        "language",
        pa.string(),
        nullable=False,
        metadata={
            "description": "The text's language as a BCP 47 tag (mostly two letters of ISO 639-1; "
            "zh-Hant is traditional Chinese; a fastText model's own labels), und where none is "
            "found.",
            "unit": "language tag",
        },
    ),
    ratio_field(
        "language_score",
        "share of the text, or probability",
        "CLD2: the share of the text in that language, 0.0 if the answer is not reliable. "
        "fastText: the model's probability. 0.0 where no language is found.",
        most=1.0,
    ),
)


def _measure(texts: TextBatch, config: SignalsConfig) -> Mapping[str, np.ndarray | pa.Array]:
    ask = _identifier(config.lists)
    answers = [ask(text) if text.strip() else (UNKNOWN, 0.0) for text in _beginnings(texts)]
    return {
        "language": pa.array([language for language, _ in answers], pa.string()),
        "language_score": np.array([score for _, score in answers], dtype=np.float64),
    }


def _beginnings(texts: TextBatch) -> list[str]:
    """Return the beginning of each text, with spaces for what is no text."""
    offsets, data = texts.buffers
    beginnings = []
    for start, end in zip(offsets[:-1].tolist(), offsets[1:].tolist(), strict=True):
        cut = min(end, start + MAX_LANGUAGE_BYTES)
        for _ in range(3):  # a character has at most three bytes behind its first
            cut -= start < cut < end and bool(data[cut] & 0xC0 == 0x80)
        raw = data[start:cut].tobytes().decode("utf-8", "replace")
        beginnings.append(_NOT_TEXT.sub(" ", raw))
    return beginnings


@cache
def _identifier(config: ListsConfig) -> Callable[[str], Answer]:
    return _packaged() if config.language_model is None else _fasttext(config)


def _packaged() -> Callable[[str], Answer]:
    try:
        import pycld2
    except ImportError as error:
        raise RecipeError("The language of texts needs pycld2; pip install pycld2.") from error

    def ask(text: str) -> Answer:
        is_reliable, _, found = pycld2.detect(text, isPlainText=True, bestEffort=True)
        _, code, percent, _ = found[0]
        language = UNKNOWN if code.startswith("xx-") else _CODES.get(code, code)
        return language, percent / 100 if is_reliable and language != UNKNOWN else 0.0

    return ask


def _fasttext(config: ListsConfig) -> Callable[[str], Answer]:
    try:
        import fasttext
    except ImportError as error:
        raise RecipeError(
            "lists.language_model needs fasttext-predict; pip install fasttext-predict."
        ) from error
    path = model_path(config)
    try:
        model = fasttext.load_model(str(path))
    except (ValueError, OSError) as error:
        raise RecipeError(f"{path} is no fastText model: {error}.") from error

    def ask(text: str) -> Answer:
        labels, scores = model.predict(text.replace("\n", " "))
        if not labels:
            return UNKNOWN, 0.0
        return labels[0].removeprefix(_LABEL), min(max(float(scores[0]), 0.0), 1.0)

    return ask


FAMILY = Family("language", _FIELDS, _measure, always=False)
