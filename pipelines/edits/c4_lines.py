"""C4's edit of text, exactly as datatrove 0.10 does it: bad lines and citations are taken out.

Source: datatrove 0.10 ``pipeline/filters/c4_filters.py``, ``C4QualityFilter`` with its defaults, in
English; the rules are from Raffel et al. 2020, JMLR 21:140, section 2.2. ``c4_lines_any_ending`` is
the variant of FineWeb (``filter_no_terminal_punct=False``): lines may end with anything.

Lines are those of ``str.splitlines``, trimmed. One after the other is asked, and the first answer
counts: a word of more than 1000 characters; (citations are removed;) an end other than one of
``. ? ! " '``, or ``...``; fewer than 3 words, counted before the removal; "lorem ipsum";
"javascript"; "{"; a phrase of policies on privacy and cookies. Phrases match in lower case.
Kept lines are joined by newlines, and the text is trimmed.

The reference drops a document at its first "lorem ipsum" or "{", where reading stops, or at the end
for fewer than 5 sentences, and leaves its text alone; so does this edit: **the text of a document
that is to be dropped is unchanged**. Who drops it is the policy (`pipelines.policies.c4`), which
reads these facts. The two variants share them: a recipe uses one of the two.

Known difference: datatrove cuts the word ``IS_ALPHA`` out of lines before it counts sentences, at
times and by accident (`pipelines.kernels.spacy_words`); here it is a word like others.
"""

from collections.abc import Callable
from functools import partial

import numpy as np

from pipelines.edits.edit import Edit, Edited
from pipelines.kernels.decoded import Codes, TextBatch
from pipelines.signals.family import count_field

MIN_WORDS = 3
MIN_SENTENCES = 5

FIELDS = (
    count_field(
        "num_c4_edit_long_word_lines",
        "lines",
        "Lines that C4's edit takes for a word of more than 1000 characters.",
    ),
    count_field(
        "num_c4_edit_unpunctuated_lines",
        "lines",
        "Lines that C4's edit takes next, blank ones too, since without citations they end with "
        "none of . ? ! \" ' or with an ellipsis of three full stops; 0 where any ending will do.",
    ),
    count_field(
        "num_c4_edit_short_lines",
        "lines",
        "Lines that C4's edit takes next for fewer than 3 words, citations included.",
    ),
    count_field(
        "num_c4_edit_javascript_lines", "lines", "Lines that C4's edit takes next for 'javascript'."
    ),
    count_field(
        "num_c4_edit_policy_lines",
        "lines",
        "Lines that C4's edit takes last, for a phrase as 'privacy policy' or 'uses cookies'.",
    ),
    count_field("num_c4_edit_kept_lines", "lines", "Lines that C4's edit keeps."),
    count_field(
        "num_c4_edit_citations",
        "citations",
        "Stretches such as '[12]', '[edit]' and '[citation needed]' that C4's edit takes out of "
        "lines that it keeps.",
    ),
    count_field(
        "num_c4_edit_sentences",
        "sentences",
        "Sentences of the lines that C4's edit keeps, counted line by line as spaCy's sentencizer "
        "does, at least 1 in a line.",
    ),
    count_field(
        "num_c4_edit_lorem_ipsum",
        "lines",
        "1 if C4's edit stops at a line with 'lorem ipsum' and counts nothing after it; else 0.",
    ),
    count_field(
        "num_c4_edit_curly_brackets",
        "lines",
        "1 if C4's edit stops at a line with '{' and counts nothing after it; else 0.",
    ),
)


def edit_lines(
    texts: TextBatch, any_ending: bool, count_sentences: Callable[[Codes], np.ndarray]
) -> Edited:
    """Return texts without the lines and citations that C4 takes out, and the facts of `FIELDS`.

    ``count_sentences`` returns the number of sentences of each of some texts, of which each is a
    line; a line with none counts as one, as in the reference.
    """
    from pipelines.kernels.c4_lines import LineRules, join_lines, keep_lines

    lines = keep_lines(texts.codes, LineRules(MIN_WORDS, any_ending))
    sentences = np.maximum(count_sentences(lines.as_texts())[::2], 1)
    num_sentences = lines.sum_by_text(sentences)
    fates = lines.fates
    is_dropped = (fates.lorem_ipsum + fates.curly_bracket > 0) | (num_sentences < MIN_SENTENCES)
    facts = (
        fates.long_word,
        fates.unpunctuated,
        fates.short,
        fates.javascript,
        fates.policy,
        fates.kept,
        fates.citations,
        num_sentences,
        fates.lorem_ipsum,
        fates.curly_bracket,
    )
    names = (field.name for field in FIELDS)
    edited = join_lines(texts.buffers, lines, ~is_dropped)
    return Edited(edited, dict(zip(names, facts, strict=True)))


def spacy_sentences(lines: Codes) -> np.ndarray:
    """Return the number of sentences of each line, int64, as datatrove 0.10 divides English."""
    from pipelines.kernels.spacy_sentences import count_spacy_sentences
    from pipelines.kernels.spacy_words import spacy_words

    return count_spacy_sentences(lines, spacy_words(lines))


EDITS = tuple(
    Edit(
        f"{name}@datatrove-0.10",
        FIELDS,
        partial(edit_lines, any_ending=any_ending, count_sentences=spacy_sentences),
    )
    for name, any_ending in (("c4_lines", False), ("c4_lines_any_ending", True))
)
