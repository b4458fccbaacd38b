"""Small SentencePiece models of real text, with any options."""

import io
from functools import cache

from sentencepiece import SentencePieceTrainer
from small_corpus import real_texts


@cache
def lines():
    """Return lines of Python code, with some characters of other scripts."""
    found = [line for text in real_texts() for line in text.split("\n") if 0 < len(line) < 999]
    return (*found[::5], *["中文 é \U0001f44d naïve"] * 20)


def train(vocab_size=600, **options):
    """Return a model's bytes; normalisation is the identity unless named."""
    model = io.BytesIO()
    given = {
        "model_type": "bpe",
        "normalization_rule_name": "identity",
        "hard_vocab_limit": False,
        "minloglevel": 2,
        **options,
    }
    SentencePieceTrainer.train(
        sentence_iterator=iter(lines()), model_writer=model, vocab_size=vocab_size, **given
    )
    return model.getvalue()
