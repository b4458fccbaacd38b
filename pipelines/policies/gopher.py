"""Gopher's basic quality rules over Millrace's own signals (Rae et al. 2021, appendix A.1.1).

Words are divided by white space, as in the paper, so the decisions are near to but not those of
systems that divide otherwise; thresholds are the paper's.
"""

from pipelines.policies.dialect import Dialect, Rule

_PAPER = "Rae et al. 2021, arXiv:2112.11446, appendix A.1.1"

DIALECT = Dialect(
    "gopher@millrace-1",
    "Gopher's quality rules, words divided by white space",
    (
        Rule("gopher.short_doc", "num_words < 50", _PAPER),
        Rule("gopher.long_doc", "num_words > 100000", _PAPER),
        Rule("gopher.short_words", "mean_word_chars < 3", _PAPER),
        Rule("gopher.long_words", "mean_word_chars > 10", _PAPER),
        Rule("gopher.many_hashes", "hash_words_ratio > 0.1", _PAPER),
        Rule("gopher.many_ellipses", "ellipsis_words_ratio > 0.1", _PAPER),
        Rule("gopher.many_bullets", "bullet_lines_ratio > 0.9", _PAPER),
        Rule("gopher.many_ellipsis_lines", "ellipsis_lines_ratio > 0.3", _PAPER),
        Rule("gopher.few_alphabetic_words", "alphabetic_words_ratio < 0.8", _PAPER),
        Rule("gopher.few_stop_words", "num_stop_words < 2", _PAPER),
    ),
)
