"""C4's rules for whole documents: datatrove's, after its edit of lines, and the project's own.

The rules ``…@datatrove-0.10`` read facts of `pipelines.edits.c4_lines`: together with the edit that
the description names they decide as datatrove does. Without an edit there is nothing to decide on.
C4's list of bad words is not here: it is not ours to ship.
"""

from pipelines.edits.c4_lines import MIN_SENTENCES
from pipelines.policies.dialect import Dialect, Rule

_FILTERS = "datatrove 0.10, pipeline/filters/c4_filters.py"
_QUALITY = f"{_FILTERS}, C4QualityFilter"
_PAPER = "Raffel et al. 2020, JMLR 21:140, section 2.2"

_AFTER_EDIT = (
    Rule("c4.lorem_ipsum", "num_c4_edit_lorem_ipsum > 0", _QUALITY),
    Rule("c4.curly_bracket", "num_c4_edit_curly_brackets > 0", _QUALITY),
    Rule("c4.too_few_sentences", f"num_c4_edit_sentences < {MIN_SENTENCES}", _QUALITY),
)

DIALECTS = (
    Dialect("c4@datatrove-0.10", "C4's rules after the edit c4_lines@datatrove-0.10", _AFTER_EDIT),
    Dialect(
        "c4_any_ending@datatrove-0.10",
        "C4's rules as in FineWeb, after the edit c4_lines_any_ending@datatrove-0.10",
        _AFTER_EDIT,
    ),
    Dialect(
        "c4_paragraphs@datatrove-0.10",
        "mC4's rule: three lines of at least 200 characters",
        (
            Rule(
                "c4.few_paragraphs",
                "num_c4_third_line_chars < 200",
                f"{_FILTERS}, C4ParagraphFilter",
            ),
        ),
    ),
    Dialect(
        "c4@millrace-1",
        "C4's rules over text as it was read, sentences divided by rule",
        (
            Rule("c4.lorem_ipsum", "num_c4_lorem_ipsum_lines > 0", _PAPER),
            Rule("c4.curly_bracket", "num_c4_curly_bracket_lines > 0", _PAPER),
            Rule("c4.few_sentences", "num_c4_sentences < 3", _PAPER),
        ),
    ),
)
