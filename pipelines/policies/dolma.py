"""The Gopher rules of Dolma 1.5, as dolma's tagger and mixer come to them.

dolma writes attributes (``python/dolma/taggers/gopher.py``, `gopher_v1`), and what is excluded
stands in the mixer's configurations. Those of all Common Crawl and C4 parts agree; 1.6 has the
same rules. Of the words, Dolma takes the median length (the paper the mean) and every copy of a
required word (the paper different ones); of lines, all copies of one that repeats.

The configurations also name the attributes ``fraction_of_characters_in_most_common_2gram`` to
``_4gram`` (over 0.2, 0.18 and 0.16), but the tagger writes ``…_2grams`` to ``…_4grams``, and did
when the rules were written: they exclude nothing, and are not rules here. Who wants them writes
them over ``dolma_top_2_gram_chars_ratio`` and its like.
"""

from pipelines.policies.dialect import Dialect, Rule

_SOURCE = "dolma 669f534, configs/dolma-v1_5/mixing/cc-head.yaml, filter.exclude: "
_DUPLICATE_NGRAMS = {5: 0.15, 6: 0.14, 7: 0.13, 8: 0.12, 9: 0.11, 10: 0.10}


def _rule(reason: str, condition: str, attribute: str) -> Rule:
    return Rule(f"dolma_gopher.{reason}", condition, _SOURCE + attribute)


DIALECT = Dialect(
    "gopher@dolma-1.5",
    "Gopher's quality and repetition rules as Dolma 1.5 applied them",
    (
        _rule("short_doc", "num_words < 50", "word_count"),
        _rule("long_doc", "num_words > 100000", "word_count"),
        _rule("short_words", "median_dolma_word_chars < 3", "median_word_length"),
        _rule("long_words", "median_dolma_word_chars > 10", "median_word_length"),
        _rule("many_symbols", "dolma_symbol_words_ratio > 0.1", "symbol_to_word_ratio"),
        _rule(
            "few_alphabetic_words",
            "alphabetic_words_ratio < 0.8",
            "fraction_of_words_with_alpha_character",
        ),
        _rule("few_required_words", "num_dolma_required_words < 2", "required_word_count"),
        _rule(
            "many_bullets",
            "dolma_bullet_lines_ratio > 0.9",
            "fraction_of_lines_starting_with_bullet_point",
        ),
        _rule(
            "many_ellipsis_lines",
            "dolma_ellipsis_lines_ratio > 0.3",
            "fraction_of_lines_ending_with_ellipsis",
        ),
        _rule(
            "duplicate_lines", "dolma_duplicate_lines_ratio > 0.3", "fraction_of_duplicate_lines"
        ),
        _rule(
            "duplicate_lines_chars",
            "dolma_duplicate_lines_chars_ratio > 0.3",
            "fraction_of_characters_in_duplicate_lines",
        ),
        *(
            _rule(
                f"duplicate_{size}_grams",
                f"dolma_duplicate_{size}_grams_chars_ratio > {most}",
                f"fraction_of_characters_in_duplicate_{size}grams",
            )
            for size, most in _DUPLICATE_NGRAMS.items()
        ),
    ),
)
