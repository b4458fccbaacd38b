import pytest
from divided import words_of

from pipelines.kernels.datatrove_punctuation import load_datatrove_punctuation
from pipelines.kernels.spacy_words import spacy_words
from pipelines.signals.datatrove_words import FAMILY
from pipelines.signals.family import SignalsConfig

STOP_WORDS = {"the", "be", "to", "of", "and", "that", "have", "with"}


def oracle(text):
    punctuation = load_datatrove_punctuation().punctuation
    words = words_of(text, spacy_words)
    nonsymbol = [word for word in words if not all(punctuation[ord(char)] for char in word)]
    lines = text.splitlines()

    def share(number, whole):
        return number / len(whole) if whole else 0.0

    bullets = [line for line in lines if line.lstrip()[:1] in {"•", "-"}]
    open_ends = [line for line in lines if line.rstrip().endswith(("...", "…"))]
    return {
        "num_datatrove_words": len(words),
        "num_datatrove_nonsymbol_words": len(nonsymbol),
        "mean_datatrove_word_chars": share(sum(map(len, nonsymbol)), nonsymbol),
        "datatrove_hash_words_ratio": share(text.count("#"), words),
        "datatrove_ellipsis_words_ratio": share(text.count("...") + text.count("…"), words),
        "datatrove_bullet_lines_ratio": share(len(bullets), lines),
        "datatrove_ellipsis_lines_ratio": share(len(open_ends), lines),
        "datatrove_alphabetic_words_ratio": share(
            sum(any(map(str.isalpha, word)) for word in words), words
        ),
        "num_datatrove_stop_words": len(STOP_WORDS & set(words)),
    }


def test_values_are_those_of_python(agree):
    touched = agree(FAMILY, oracle)
    assert min(touched.values()) > 0, touched


def test_example(measure_one):
    text = "• The cat -- and the #dog... the\r\n\r\n - of 12 10 \nwait… \n"
    values = measure_one(FAMILY, text)
    words = "• The cat -- and the # dog ... the - of 12 10 wait …"
    assert " ".join(words_of(text, spacy_words)) == words
    assert values == {
        "num_datatrove_words": 16,
        "num_datatrove_nonsymbol_words": 11,  # "•" is none of datatrove's punctuation
        "mean_datatrove_word_chars": (1 + 3 + 3 + 3 + 3 + 3 + 3 + 2 + 2 + 2 + 4) / 11,
        "datatrove_hash_words_ratio": 1 / 16,
        "datatrove_ellipsis_words_ratio": 2 / 16,
        "datatrove_bullet_lines_ratio": 2 / 4,
        "datatrove_ellipsis_lines_ratio": 1 / 4,
        "datatrove_alphabetic_words_ratio": 8 / 16,
        "num_datatrove_stop_words": 3,  # and, the, of
    }


def test_the_stop_words_of_a_recipe_change_nothing(measure_one):
    config = SignalsConfig(("cat",))
    assert measure_one(FAMILY, "the cat of", config) == measure_one(FAMILY, "the cat of")


@pytest.mark.parametrize(
    "text",
    [
        "",
        "\n" * 300_000,
        "...\x1c....\n. ..\n.. .\n…  \x1f\n",
        "•\n-\n\u2028 -\u2029",
        "\U0001f44d" * 50_000,
        "中" * 50_000,
        "#\r" * 50_000,
    ],
)
def test_hostile_texts(measure_one, text):
    assert measure_one(FAMILY, text) == oracle(text)
