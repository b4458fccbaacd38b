"""Signals of lines, which are those of ``str.splitlines``.

Every ratio is of the lines that are not blank, each trimmed of white space, and 0.0 where there is
none. (Gopher and datatrove count blank lines too; named dialects do as they do.)
"""

from collections.abc import Mapping

import numpy as np

from pipelines.kernels.decoded import TextBatch
from pipelines.signals.family import Family, SignalsConfig, count_field, divide, ratio_field

_FIELDS = (
    count_field("num_lines", "lines", "All lines, blank ones too."),
    count_field("num_nonblank_lines", "lines", "Lines with something other than white space."),
    count_field("num_paragraphs", "paragraphs", "Blocks of lines with blank lines between them."),
    ratio_field(
        "bullet_lines_ratio", "lines per line", "Lines that begin with '•', '-' or '*'.", most=1.0
    ),
    ratio_field(
        "ellipsis_lines_ratio", "lines per line", "Lines that end with '...' or '…'.", most=1.0
    ),
    ratio_field(
        "punctuated_lines_ratio",
        "lines per line",
        "Lines that end with a full stop, exclamation or question mark, ellipsis or closing "
        "quotation mark.",
        most=1.0,
    ),
    ratio_field("short_lines_ratio", "lines per line", "Lines of at most 30 characters.", most=1.0),
    ratio_field(
        "duplicate_lines_ratio",
        "lines per line",
        "Lines equal to an earlier line of the text: second and later copies only.",
        most=1.0,
    ),
)


def _measure(texts: TextBatch, config: SignalsConfig) -> Mapping[str, np.ndarray]:
    from pipelines.kernels.lines import count_lines

    counts = count_lines(texts.codes)
    return {
        "num_lines": counts.lines,
        "num_nonblank_lines": counts.nonblank,
        "num_paragraphs": counts.paragraphs,
        "bullet_lines_ratio": divide(counts.bullets, counts.nonblank),
        "ellipsis_lines_ratio": divide(counts.ellipses, counts.nonblank),
        "punctuated_lines_ratio": divide(counts.punctuated, counts.nonblank),
        "short_lines_ratio": divide(counts.short, counts.nonblank),
        "duplicate_lines_ratio": divide(counts.duplicate, counts.nonblank),
    }


FAMILY = Family("lines", _FIELDS, _measure)
