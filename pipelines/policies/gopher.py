"""Gopher's basic quality rules over Millrace's own signals (Rae et al. 2021, appendix A.1.1).

Words are divided by white space, as in the paper, so the decisions are near to but not those of
systems that divide otherwise; thresholds are the paper's.
"""

NAME = "gopher@millrace-1"

RULES = (
    ("gopher.short_doc", "num_words < 50"),
    ("gopher.long_doc", "num_words > 100000"),
    ("gopher.short_words", "mean_word_chars < 3"),
    ("gopher.long_words", "mean_word_chars > 10"),
    ("gopher.many_hashes", "hash_words_ratio > 0.1"),
    ("gopher.many_ellipses", "ellipsis_words_ratio > 0.1"),
    ("gopher.many_bullets", "bullet_lines_ratio > 0.9"),
    ("gopher.many_ellipsis_lines", "ellipsis_lines_ratio > 0.3"),
    ("gopher.few_alphabetic_words", "alphabetic_words_ratio < 0.8"),
    ("gopher.few_stop_words", "num_stop_words < 2"),
)
