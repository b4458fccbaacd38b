"""The Gopher filters of DCLM-Baseline: what its recipe asks of a whole page, in its order.

The recipe is ``baselines/baselines_configs/dclm_baseline_refinedweb.yaml`` of dclm 361714b (that
of RefinedWeb has the same), from `page_length_filter` to `massive_web_repetition_filters`. Filters
of addresses and languages stand before them, and changes of lines after. Each condition is a
function of its thresholds, named as the filter in ``content_filters.py`` that it answers for: it
holds where that filter drops the page.
"""

from pipelines.policies.dialect import Dialect, Rule

_RECIPE = "dclm 361714b, dclm_baseline_refinedweb.yaml, "
_MOST_OF_NGRAMS = {
    2: 0.20,
    3: 0.18,
    4: 0.16,
    5: 0.15,
    6: 0.14,
    7: 0.13,
    8: 0.12,
    9: 0.11,
    10: 0.10,
}


def page_length(min_words: int, max_words: int) -> str:
    """Return the condition on fastText's words without marks."""
    return f"num_dclm_words < {min_words} OR num_dclm_words > {max_words}"


def word_length(min_chars: float, max_chars: float) -> str:
    """Return the condition on the mean length of words; it holds without words."""
    return f"num_words = 0 OR mean_word_chars < {min_chars} OR mean_word_chars > {max_chars}"


def symbol_ratio(max_ratio: float) -> str:
    """Return the condition on symbols per word; it holds without words."""
    return f"num_words = 0 OR dclm_symbols_ratio > {max_ratio}"


def bullet_count(max_ratio: float) -> str:
    """Return the condition on lines that begin with a bullet."""
    return f"num_dclm_bullet_lines > {max_ratio} * num_dclm_lines"


def ellipsis_count(max_ratio: float) -> str:
    """Return the condition on lines that end with an ellipsis."""
    return f"num_dclm_ellipsis_lines > {max_ratio} * num_dclm_lines"


def alphabetic_word_ratio(max_ratio: float) -> str:
    """Return the condition on words without a letter; it holds without words."""
    return f"num_words = 0 OR dclm_nonalphabetic_words_ratio > {max_ratio}"


def stop_word(min_words: int, count_unique: bool) -> str:
    """Return the condition on stop words, counted with or without further copies."""
    return f"num_dclm_{'different_' if count_unique else ''}stop_words < {min_words}"


def repetition(granularity: str | int, max_ratio: float, count_characters: bool = True) -> str:
    """Return the condition on what occurs more than once.

    ``granularity`` is ``line`` or ``paragraph``, of which the characters or only the number count
    (a page with none is dropped), or from 2 to 10 the length of n-grams.
    """
    if isinstance(granularity, int):
        kind = "top_{}_gram" if granularity < 5 else "repeated_{}_grams"
        return f"dclm_{kind.format(granularity)}_chars_ratio > {max_ratio}"
    ratio = f"dclm_duplicate_{granularity}s{'_chars' if count_characters else ''}_ratio"
    return f"num_dclm_{granularity}s = 0 OR {ratio} > {max_ratio}"


def _rule(reason: str, condition: str, where: str) -> Rule:
    return Rule(f"dclm_gopher.{reason}", condition, _RECIPE + where)


_REPETITION = "massive_web_repetition_filters"

DIALECT = Dialect(
    "gopher@dclm-baseline-1.0",
    "Gopher's quality and repetition rules as the recipe of DCLM-Baseline applies them",
    (
        _rule("page_length", page_length(50, 100_000), "page_length_filter"),
        _rule("word_length", word_length(3, 10), "word_length_filter"),
        _rule("many_symbols", symbol_ratio(0.1), "symbol_ratio_filter"),
        _rule("many_bullets", bullet_count(0.9), "bullet_count_filter"),
        _rule("many_ellipsis_lines", ellipsis_count(0.3), "ellipsis_count_filter"),
        _rule("few_alphabetic_words", alphabetic_word_ratio(0.2), "alphabetic_word_ratio_filter"),
        _rule("few_stop_words", stop_word(2, count_unique=False), "stop_word_filter"),
        _rule("duplicate_lines", repetition("line", 0.3, count_characters=False), _REPETITION),
        _rule(
            "duplicate_paragraphs",
            repetition("paragraph", 0.3, count_characters=False),
            _REPETITION,
        ),
        _rule("duplicate_lines_chars", repetition("line", 0.2), _REPETITION),
        _rule("duplicate_paragraphs_chars", repetition("paragraph", 0.2), _REPETITION),
        *(
            _rule(f"repeated_{size}_grams", repetition(size, most), _REPETITION)
            for size, most in _MOST_OF_NGRAMS.items()
        ),
    ),
)
