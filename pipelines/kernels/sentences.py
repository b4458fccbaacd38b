"""Kernel: sentences, by one rule that needs no model and no language."""

import numpy as np

from pipelines.kernels import unicode_table as table
from pipelines.kernels.compiled import compiled
from pipelines.kernels.decoded import Codes

STOPS = ".!?…"  # end a sentence before white space and at the end of the text
WIDE_STOPS = "。！？"  # end a sentence anywhere
CLOSERS = "\"')]}”’»」』"  # may stand between a stop and what follows

_OTHER, _STOP, _WIDE_STOP, _CLOSER = 0, 1, 2, 3
_ROLES = np.zeros(0x10000, dtype=np.uint8)  # every mark is in the first plane
for _role, _chars in ((_STOP, STOPS), (_WIDE_STOP, WIDE_STOPS), (_CLOSER, CLOSERS)):
    _ROLES[[ord(char) for char in _chars]] = _role
_ROLES.flags.writeable = False


def count_sentences(texts: Codes) -> np.ndarray:
    """Return the number of sentences of each text, int64.

    A sentence ends at a run of stops and closing marks that begins with a stop, if the run holds a
    wide stop, or white space or the end of the text follows it; what is left at the end is one
    more. Sentences without a letter or digit do not count. "Mr. Smith" gives two: there is no list
    of abbreviations.
    """
    counts = np.zeros(texts.num_texts, dtype=np.int64)
    _count_all(*texts, table.load_unicode_table().classes, _ROLES, counts)
    return counts


@compiled
def _count_all(
    offsets: np.ndarray,
    all_codes: np.ndarray,
    classes: np.ndarray,
    roles: np.ndarray,
    counts: np.ndarray,
) -> None:
    for row in range(offsets.size - 1):
        codes = all_codes[offsets[row] : offsets[row + 1]]
        counts[row] = _count_text(codes, classes, roles)


@compiled
def _count_text(codes: np.ndarray, classes: np.ndarray, roles: np.ndarray) -> int:
    num_sentences = content = 0  # content: 1 after a letter or digit of the sentence that we are in
    run = _OTHER  # the strongest stop of the run of stops and closers that we are in
    for code in codes:
        role = roles[code] if code < roles.size else _OTHER
        if role == _CLOSER:
            continue
        if role != _OTHER:
            run = max(run, role)
            continue
        bits = classes[code]
        if run == _WIDE_STOP or (run == _STOP and bits & table.SPACE):
            num_sentences += content
            content = 0
        run = _OTHER
        content |= bits & (table.ALPHABETIC | table.DIGIT) != 0
    return num_sentences + content
