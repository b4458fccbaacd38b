"""Kernel: how many sentences spaCy's rule-based sentencizer finds.

A sentence ends behind a word that is a single mark out of its list (``.``, ``!``, ``?`` and those
of other scripts) and the punctuation after it (``spacy/pipeline/sentencizer.pyx``). White space
other than one space between words is a word of its own for spaCy, so it ends a sentence that has
its mark: a full stop, a new line and a bracket are two sentences, with a space instead one.
"""

import numpy as np

from pipelines.kernels import spacy_table as table
from pipelines.kernels.compiled import compiled
from pipelines.kernels.decoded import Codes, Words

_SPACE = ord(" ")


def count_spacy_sentences(texts: Codes, words: Words) -> np.ndarray:
    """Count the sentences that hold a word, for each text, int64.

    ``words`` are `pipelines.kernels.spacy_words.spacy_words` of ``texts``. It is the number of
    strings that datatrove's ``SpaCyTokenizer.sent_tokenize`` returns, which strips sentences and
    leaves out empty ones.
    """
    counts = np.zeros(texts.num_texts, dtype=np.int64)
    _count_all(*texts, *words, table.load_spacy_table().classes, counts)
    return counts


@compiled
def _count_all(
    offsets: np.ndarray,
    codes: np.ndarray,
    word_offsets: np.ndarray,
    starts: np.ndarray,
    ends: np.ndarray,
    classes: np.ndarray,
    counts: np.ndarray,
) -> None:
    for row in range(word_offsets.size - 1):
        is_ended = False  # a mark that ends a sentence stood, and only punctuation since
        begins = True
        for word in range(word_offsets[row], word_offsets[row + 1]):
            start, end = starts[word], ends[word]
            is_end = end - start == 1 and classes[codes[start]] & table.SENTENCE_END != 0
            if is_ended:
                gap = start - ends[word - 1]
                has_space = gap > 1 or (gap == 1 and codes[start - 1] != _SPACE)
                begins = has_space or not (is_end or _is_punctuation(codes, start, end, classes))
                is_ended = not begins
            is_ended = is_ended or is_end
            counts[row] += begins
            begins = False


@compiled
def _is_punctuation(codes: np.ndarray, start: int, end: int, classes: np.ndarray) -> bool:
    at = start
    while at < end and classes[codes[at]] & table.PUNCTUATION:
        at += 1
    return at == end
