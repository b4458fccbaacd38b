"""datatrove 0.10's Gopher and FineWeb filters, with their default settings for English.

Rules stand in the order in which the filters ask them; a reason is theirs without its prefix
``gopher_``. Words are spaCy's. Every document that the filters decide is decided alike, but for two
things: characters that are younger than the Unicode of one of both, and equal 64-bit hashes. On an
empty text the repetition filter fails with a division by 0; here nothing repeats in it, and
``gopher@datatrove-0.10`` drops it as too short.
"""

from pipelines.policies.dialect import Dialect, Rule

_FILTERS = "datatrove 0.10.0, src/datatrove/pipeline/filters"
_REPETITION = f"{_FILTERS}/gopher_repetition_filter.py"
_QUALITY = f"{_FILTERS}/gopher_quality_filter.py"
_FINEWEB = f"{_FILTERS}/fineweb_quality_filter.py"

_TOP = ((2, 0.2), (3, 0.18), (4, 0.16))
_COPIED = ((5, 0.15), (6, 0.14), (7, 0.13), (8, 0.12), (9, 0.11), (10, 0.1))

GOPHER_REPETITION = Dialect(
    "gopher_repetition@datatrove-0.10",
    "datatrove's GopherRepetitionFilter: repeated lines, paragraphs and n-grams of spaCy's words",
    (
        Rule("gopher.dup_para_frac", "datatrove_duplicate_paragraphs_ratio > 0.3", _REPETITION),
        Rule(
            "gopher.dup_para_char_frac",
            "datatrove_duplicate_paragraph_chars_ratio > 0.2",
            _REPETITION,
        ),
        Rule("gopher.dup_line_frac", "datatrove_duplicate_lines_ratio > 0.3", _REPETITION),
        Rule(
            "gopher.dup_line_char_frac", "datatrove_duplicate_line_chars_ratio > 0.2", _REPETITION
        ),
        *(
            Rule(f"gopher.top_{n}_gram", f"datatrove_top_{n}gram_chars_ratio > {most}", _REPETITION)
            for n, most in _TOP
        ),
        *(
            Rule(
                f"gopher.duplicated_{n}_n_grams",
                f"datatrove_duplicated_{n}gram_chars_ratio > {most}",
                _REPETITION,
            )
            for n, most in _COPIED
        ),
    ),
)

GOPHER_QUALITY = Dialect(
    "gopher_quality@datatrove-0.10",
    "datatrove's GopherQualityFilter: length, symbols, bullets, letters, stop words",
    (
        Rule("gopher.short_doc", "num_datatrove_nonsymbol_words < 50", _QUALITY),
        Rule("gopher.long_doc", "num_datatrove_nonsymbol_words > 100000", _QUALITY),
        Rule("gopher.below_avg_threshold", "mean_datatrove_word_chars < 3", _QUALITY),
        Rule("gopher.above_avg_threshold", "mean_datatrove_word_chars > 10", _QUALITY),
        Rule("gopher.too_many_hashes", "datatrove_hash_words_ratio > 0.1", _QUALITY),
        Rule("gopher.too_many_ellipsis", "datatrove_ellipsis_words_ratio > 0.1", _QUALITY),
        Rule("gopher.too_many_bullets", "datatrove_bullet_lines_ratio > 0.9", _QUALITY),
        Rule("gopher.too_many_end_ellipsis", "datatrove_ellipsis_lines_ratio > 0.3", _QUALITY),
        Rule("gopher.below_alpha_threshold", "datatrove_alphabetic_words_ratio < 0.8", _QUALITY),
        Rule("gopher.enough_stop_words", "num_datatrove_stop_words < 2", _QUALITY),
    ),
)

GOPHER = Dialect(
    "gopher@datatrove-0.10",
    "datatrove's GopherRepetitionFilter and then its GopherQualityFilter, as FineWeb asked them",
    GOPHER_REPETITION.rules + GOPHER_QUALITY.rules,
)

FINEWEB = Dialect(
    "fineweb@datatrove-0.10",
    "datatrove's FineWebQualityFilter: how lines end, their length, copies, and lists",
    (
        Rule("fineweb.empty", "num_datatrove_nonblank_lines = 0", _FINEWEB),
        Rule("fineweb.line_punct_ratio", "datatrove_punctuated_lines_ratio < 0.12", _FINEWEB),
        Rule("fineweb.short_line_ratio", "datatrove_short_lines_ratio > 0.67", _FINEWEB),
        Rule(
            "fineweb.char_dup_ratio",
            "datatrove_duplicate_nonblank_line_chars_ratio > 0.01",
            _FINEWEB,
        ),
        Rule("fineweb.list_ratio", "datatrove_newline_words_ratio > 0.3", _FINEWEB),
    ),
)

DIALECTS = (GOPHER_REPETITION, GOPHER_QUALITY, GOPHER, FINEWEB)
