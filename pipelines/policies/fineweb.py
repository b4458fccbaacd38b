"""FineWeb's own rules over Millrace's own signals (Penedo et al. 2024, arXiv:2406.17557).

Thresholds are those of the code that made FineWeb; the paper prints 0.1 for the characters of
duplicate lines, where the code asks for 0.01. Lines are those of ``str.splitlines``, trimmed and
without blank ones, and words are what white space separates, so the decisions are near to but not
those of FineWeb (for these see `pipelines.policies.datatrove`).
"""

from pipelines.policies.dialect import Dialect, Rule

_CODE = "datatrove 0.10.0, src/datatrove/pipeline/filters/fineweb_quality_filter.py"

DIALECT = Dialect(
    "fineweb@millrace-1",
    "FineWeb's rules on lines, trimmed, and words divided by white space",
    (
        Rule("fineweb.empty", "num_nonblank_lines = 0", _CODE),
        Rule("fineweb.few_punctuated_lines", "punctuated_lines_ratio < 0.12", _CODE),
        Rule("fineweb.many_short_lines", "short_lines_ratio > 0.67", _CODE),
        Rule("fineweb.duplicate_line_chars", "duplicate_line_chars_ratio > 0.01", _CODE),
        Rule("fineweb.many_lines", "num_lines > 0.3 * num_words", _CODE),
    ),
)
