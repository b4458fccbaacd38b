import sys
from dataclasses import dataclass, field
from types import SimpleNamespace

import pyarrow as pa
import pytest
from hostile_texts import HOSTILE_TEXTS
from hypothesis import given, settings

from data_contracts.errors import RecipeError
from pipelines.kernels.decoded import text_batch
from pipelines.signals import language as module
from pipelines.signals.family import SignalsConfig
from pipelines.signals.language import FAMILY, MAX_LANGUAGE_BYTES
from pipelines.signals.lists_config import ListsConfig

SENTENCES = {
    "en": "The miller opened the gate and the water began to turn the wheel.",
    "de": "Der Müller öffnete das Tor und das Wasser begann, das Rad zu drehen.",
    "fr": "Le meunier ouvrit la vanne et l'eau se mit à faire tourner la roue.",
    "he": "הטוחן פתח את השער והמים החלו לסובב את הגלגל.",
    "ja": "粉屋が水門を開けると、水が水車を回し始めました。",
    "zh": "磨坊主打开了闸门，水开始转动水轮。",
    "zh-Hant": "磨坊主打開了閘門，水開始轉動水輪，這個機器會發出聲音。",
    "el": "Ο μυλωνάς άνοιξε την πύλη και το νερό άρχισε να γυρίζει τον τροχό.",
}


@dataclass(frozen=True)
class Config(SignalsConfig):
    lists: ListsConfig = field(default_factory=ListsConfig)


def measure(texts, config=None):
    array = texts if isinstance(texts, pa.Array) else pa.array(texts, pa.string())
    values = FAMILY.measure(text_batch(array), config or SignalsConfig())
    assert values["language"].type == pa.string()
    languages, scores = values["language"].to_pylist(), values["language_score"].tolist()
    return list(zip(languages, scores, strict=True))


def test_languages_are_named_by_their_tags():
    found = measure(list(SENTENCES.values()))
    assert [language for language, _ in found] == list(SENTENCES)
    assert all(score > 0.9 for _, score in found)


def test_a_text_is_no_html():
    ((language, score),) = measure(["if a < b then " + SENTENCES["fr"] + " " + SENTENCES["fr"]])
    assert (language, score > 0.5) == ("fr", True)


def test_a_mixed_text_has_a_lower_score():
    mixed = (SENTENCES["de"] + " ") * 5 + (SENTENCES["el"] + " ") * 4
    ((language, score),) = measure([mixed])
    assert language in {"de", "el"}
    assert 0.3 < score < 0.8


@pytest.mark.parametrize("text", ["", " \n\t", "1234 5678", "!?…", "\0\0\0", "\ufffe\U0001ffff"])
def test_what_is_in_no_language_is_unknown(text):
    assert measure([text]) == [("und", 0.0)]


@settings(max_examples=60)
@given(HOSTILE_TEXTS)
def test_any_text_has_a_tag_and_a_score(texts):
    found = measure(texts)
    assert len(found) == len(texts)
    for language, score in found:
        assert 0.0 <= score <= 1.0
        assert language
        assert not language.startswith(("xx", "zz"))
        assert score == 0.0 or language != "und"
    assert measure(texts) == found


def test_bytes_that_are_no_utf8_are_no_text():
    raw = b"\xff\xfe" + SENTENCES["de"].encode() + b"\xe2\x82\0\x1b\x7f"
    offsets = pa.py_buffer(pa.array([0, len(raw)], pa.int32()).buffers()[1])
    broken = pa.Array.from_buffers(pa.string(), 1, [None, offsets, pa.py_buffer(raw)])
    ((language, score),) = measure(broken)
    assert language == "de"
    assert score > 0.9


def test_only_the_beginning_is_read_and_no_character_is_cut(monkeypatch):
    seen = []
    ask = lambda text: (seen.append(text), ("en", 1.0))[1]  # noqa: E731
    monkeypatch.setattr(module, "_identifier", lambda config: ask)
    for char in "aé中\U0001f600":
        for shift in range(4):
            measure(["x" * shift + char * MAX_LANGUAGE_BYTES])
            assert set(seen[-1]) <= {"x", char}
            assert MAX_LANGUAGE_BYTES - 4 < len(seen[-1].encode()) <= MAX_LANGUAGE_BYTES
    measure(["x" * 100_000_000])
    assert len(seen[-1]) == MAX_LANGUAGE_BYTES


class Model:
    """Answers as fastText's Python package does."""

    def predict(self, line):
        if "\n" in line:
            raise ValueError("predict processes one line at a time")
        return (("__label__deu_Latn",), (1.00003,)) if "M" in line else ((), ())


def test_a_fasttext_model_is_asked_a_line_without_breaks(monkeypatch, tmp_path):
    path = tmp_path / "model.bin"
    path.write_bytes(b"model")
    loaded = SimpleNamespace(load_model=lambda name: Model() if name == str(path) else None)
    monkeypatch.setitem(sys.modules, "fasttext", loaded)
    config = Config(lists=ListsConfig(language_model=str(path)))
    assert measure(["Der\nMüller\r\nkam.\u2028", "x"], config) == [("deu_Latn", 1.0), ("und", 0.0)]


def test_what_is_missing_is_named(monkeypatch, tmp_path):
    path = tmp_path / "other.bin"
    path.write_bytes(b"no model")

    def refuse(name):
        raise ValueError(f"{name} has wrong file format!")

    config = Config(lists=ListsConfig(language_model=str(path)))
    monkeypatch.setitem(sys.modules, "fasttext", SimpleNamespace(load_model=refuse))
    with pytest.raises(RecipeError, match=r"other.bin is no fastText model"):
        measure(["x"], config)
    monkeypatch.setitem(sys.modules, "fasttext", None)
    with pytest.raises(RecipeError, match="pip install fasttext-predict"):
        measure(["x"], config)


def test_a_real_fasttext_package_refuses_what_is_no_model(tmp_path):
    pytest.importorskip("fasttext")
    path = tmp_path / "third.bin"
    path.write_bytes(b"no model")
    with pytest.raises(RecipeError, match=r"third.bin is no fastText model"):
        measure(["x"], Config(lists=ListsConfig(language_model=str(path))))
