"""Gopher's rules on repetition over Millrace's own signals (Rae et al. 2021, table A1).

Thresholds are the paper's. What counts as a copy is told in `pipelines.signals.repetition`: no
character counts twice, which drops less than rules that let copies overlap.
"""

from pipelines.policies.dialect import Dialect, Rule

_PAPER = "Rae et al. 2021, arXiv:2112.11446, appendix A.1.1, table A1"

DIALECT = Dialect(
    "gopher_repetition@millrace-1",
    "Gopher's repetition rules, words divided by white space, no character counted twice",
    (
        Rule("gopher.duplicate_paragraphs", "duplicate_paragraphs_ratio > 0.3", _PAPER),
        Rule("gopher.duplicate_paragraph_chars", "duplicate_paragraph_chars_ratio > 0.2", _PAPER),
        Rule("gopher.duplicate_lines", "duplicate_lines_ratio > 0.3", _PAPER),
        Rule("gopher.duplicate_line_chars", "duplicate_line_chars_ratio > 0.2", _PAPER),
        Rule("gopher.top_2grams", "top_2gram_chars_ratio > 0.2", _PAPER),
        Rule("gopher.top_3grams", "top_3gram_chars_ratio > 0.18", _PAPER),
        Rule("gopher.top_4grams", "top_4gram_chars_ratio > 0.16", _PAPER),
        Rule("gopher.duplicated_5grams", "duplicated_5gram_chars_ratio > 0.15", _PAPER),
        Rule("gopher.duplicated_6grams", "duplicated_6gram_chars_ratio > 0.14", _PAPER),
        Rule("gopher.duplicated_7grams", "duplicated_7gram_chars_ratio > 0.13", _PAPER),
        Rule("gopher.duplicated_8grams", "duplicated_8gram_chars_ratio > 0.12", _PAPER),
        Rule("gopher.duplicated_9grams", "duplicated_9gram_chars_ratio > 0.11", _PAPER),
        Rule("gopher.duplicated_10grams", "duplicated_10gram_chars_ratio > 0.1", _PAPER),
    ),
)
