import unicodedata
from dataclasses import dataclass, field
from decimal import Decimal, localcontext
from fractions import Fraction

import pytest

from pipelines.signals.family import SignalsConfig
from pipelines.signals.lists_config import ListsConfig, read_counts
from pipelines.signals.unigrams import FAMILY

COUNTS = {"the": 600, "The": 100, "of": 250, "ça": 9, "be-b": 20, "aa": 1, "…": 5, "σ": 20}


@dataclass(frozen=True)
class Config(SignalsConfig):
    lists: ListsConfig = field(default_factory=ListsConfig)


@pytest.fixture
def config(tmp_path):
    path = tmp_path / "counts.csv"
    path.write_text("".join(f"{word},{count}\n" for word, count in COUNTS.items()))
    return Config(lists=ListsConfig(unigrams=str(path)))


def fold(char):
    for candidate in (char.casefold(), char.lower()):
        if len(candidate) == 1:
            return candidate
    return char


def trimmed_and_folded(word):
    marks = "".join(char for char in word if unicodedata.category(char)[0] in "PS")
    return "".join(map(fold, word.strip(marks) if marks else word))


def fixed(probability):
    with localcontext() as context:
        context.prec = 30
        return round(Decimal(probability).ln() * 2**20)


def fixed_ratio(fraction):
    with localcontext() as context:
        context.prec = 40
        return round((Decimal(fraction.numerator) / fraction.denominator).ln() * 2**20)


def oracle(text):
    counts = {"the": 700, "of": 250, "ça": 9, "be-b": 20, "aa": 1, "σ": 20}
    values = {word: fixed(Decimal(count) / 1000) for word, count in counts.items()}
    words = [word for word in map(trimmed_and_folded, text.split()) if word]
    known = [values[word] for word in words if word in values]
    total = sum(known) + (len(words) - len(known)) * fixed("1e-9")
    return {
        "mean_word_log_probability": total / (len(words) * 2**20) if words else 0.0,
        "known_words_ratio": len(known) / len(words) if words else 0.0,
    }


def test_values_are_those_of_python(agree, config):
    touched = agree(FAMILY, oracle, config)
    assert min(touched.values()) > 0, touched


def test_example(measure_one, config):
    found = measure_one(FAMILY, "The «of» zzz -- ÇA!", config)
    assert found["known_words_ratio"] == 3 / 4
    # ln .7, ln .25, ln 1e-9, ln .009
    mean = (-0.35667494 - 1.38629436 - 20.72326584 - 4.71053070) / 4
    assert found["mean_word_log_probability"] == pytest.approx(mean, abs=2e-6)


def test_order_of_words_never_matters(measure_one, config):
    words = ["the", "of", "zzz", "ça", "aa"] * 2000
    found = measure_one(FAMILY, " ".join(words), config)
    assert measure_one(FAMILY, " ".join(sorted(words)), config) == found


@pytest.mark.parametrize(
    "text", ["", "of " * 300_000, "x" * 1_000_000, "\n" * 300_000, "-" * 300_001, "77kepQFQ8Kl"]
)
def test_hostile_texts(measure_one, config, text):
    assert measure_one(FAMILY, text, config) == oracle(text)


def test_the_packaged_table_knows_english(measure_one):
    counts = read_counts(ListsConfig())
    assert len(counts) == 20_000
    assert counts[0][0] == "the"
    prose = measure_one(FAMILY, "The river ran past the old mill, and the wheel turned slowly.")
    noise = measure_one(FAMILY, "xq zvb kkrt wpl qqz jjx")
    assert prose["known_words_ratio"] == 1.0
    assert -10 < prose["mean_word_log_probability"] < -4
    assert noise["mean_word_log_probability"] < -20


def test_logarithms_are_rounded_as_decimal_arithmetic_does(monkeypatch):
    from pipelines.kernels import unigram_table

    probabilities = [Fraction(count, 10**6 + 3) for count in range(1, 3000)]
    quick = [unigram_table.logarithm(probability) for probability in probabilities]
    assert quick == [fixed_ratio(p) for p in probabilities]
    monkeypatch.setattr(unigram_table, "_DOUBT", 1.0)
    assert quick == [unigram_table.logarithm(probability) for probability in probabilities]
