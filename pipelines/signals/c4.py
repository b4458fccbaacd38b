"""Signals of the lines that C4 would keep (Raffel et al. 2020, JMLR 21:140, section 2.2).

They are measured without changing the text, for the project's own dialect ``c4@millrace-1``. A line
(as of ``str.splitlines``, trimmed) would be kept if it has at least 5 words and none of more than
1000 characters, ends with one of ``. ? ! " '`` but not with ``...``, and holds neither "javascript"
nor a phrase of policies on privacy and cookies, in lower case. Deviations: the phrases that drop a
whole page are looked for in all lines, as the paper has it, and not only in those that C4's code
still has; words are counted with citations such as "[12]", and sentences are those of
`pipelines.kernels.sentences`.
"""

from collections.abc import Mapping

import numpy as np

from pipelines.kernels.decoded import TextBatch
from pipelines.signals.family import Family, SignalsConfig, count_field

MIN_WORDS = 5  # of a line: `_MIN_WORDS_PER_LINE` of C4's code, tensorflow_datasets/text/c4_utils.py

_FIELDS = (
    count_field("num_c4_kept_lines", "lines", "Lines that C4 would keep."),
    count_field("num_c4_dropped_lines", "lines", "Lines that C4 would drop, blank ones too."),
    count_field("num_c4_sentences", "sentences", "Sentences of the lines that C4 would keep."),
    count_field("num_c4_lorem_ipsum_lines", "lines", "Lines with 'lorem ipsum', in any case."),
    count_field(
        "num_c4_curly_bracket_lines",
        "lines",
        "Lines with '{'; one with 'lorem ipsum' too counts there.",
    ),
    count_field(
        "num_c4_third_line_chars",
        "characters",
        "Length of the third longest of the lines that newlines separate, untrimmed; 0 where there "
        "are fewer than three.",
    ),
)


def _measure(texts: TextBatch, config: SignalsConfig) -> Mapping[str, np.ndarray]:
    from pipelines.kernels.c4_lines import LineRules, keep_lines, third_longest_lines
    from pipelines.kernels.sentences import count_sentences

    lines = keep_lines(texts.codes, LineRules(MIN_WORDS, reads_on=True))
    fates = lines.fates
    sentences = count_sentences(lines.as_texts())[::2]
    dropped = fates.long_word + fates.unpunctuated + fates.short + fates.javascript + fates.policy
    return {
        "num_c4_kept_lines": fates.kept,
        "num_c4_dropped_lines": dropped + fates.lorem_ipsum + fates.curly_bracket,
        "num_c4_sentences": lines.sum_by_text(sentences),
        "num_c4_lorem_ipsum_lines": fates.lorem_ipsum,
        "num_c4_curly_bracket_lines": fates.curly_bracket,
        "num_c4_third_line_chars": third_longest_lines(texts.codes),
    }


FAMILY = Family("c4", _FIELDS, _measure)
