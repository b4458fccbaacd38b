"""Strings that are hard to divide into spaCy's words, and what spaCy makes of them.

Run with a Python that has spaCy, it writes the golden cases, or answers texts from its input::

    .venv-peers/bin/python tests/pipelines/spacy_strings.py golden
    .venv-peers/bin/python tests/pipelines/spacy_strings.py < texts.json > answers.json

An answer is ``[words joined by spaces, number of sentences]``: no word holds white space, so the
joined words say where each begins and ends. spaCy is asked as datatrove's ``SpaCyTokenizer`` asks.
"""

import hashlib
import json
import random
import sys
from pathlib import Path

import numpy as np

TABLE_PATH = Path(__file__).parents[2] / "pipelines/kernels/spacy_table.npz"
GOLDEN_PATH = Path(__file__).parent / "kernels/spacy_golden.json"
NUM_GOLDEN, GOLDEN_SEED = 2400, 1


def pieces(joined: str) -> list[str]:
    """Return what single spaces separate."""
    return joined.split(" ")


MARKS = pieces(". , : ; ! ? ' \" ( ) [ ] { } < > - _ * / = + ~ ^ # & % $ @ | \\ ` § ° … ’ ‘ “")
MARKS += pieces("” — – » 。 ？ ¿ · । .. ... -- --- —— ……")
AMOUNTS = pieces("5 10 3km 7m/s 2.5 $5 US$ C$ A$9 5US$ 1st 5% 9+ 8) 5°C. 100kg 3тбكم 1,000 2-3 4*5")
AMOUNTS += pieces("٣ ٣km")
WORDS = pieces(
    "a I an Ab aB CD THE the cat's cats' DON'T dOn't O'Neil Dr Ph.D e.g N.Y. x.Y ä É ß ж"
)
WORDS += pieces("Ж 中文 ಠ ¬")
URLS = pieces("http:// https://a.bc www.x.org :// a.b a.bc .com x.com: :80 :8080 :1 :123456 /x?y#z")
URLS += pieces("?q #r @ u@ u:p@ @h.de ftp+x-1.0:// mailto:a@b.cd a_b.cd -a.bc a-.bc ä.öü 中.文字")
URLS += pieces("a..bc x.COM X.com A.bC 1.2.3.4 10.0.0.1 127.0.0.1 172.16.0.9 172.32.1.1 172.2٣.1.1")
URLS += pieces(
    "1.2.3.0 192.168.1.1 223.255.255.254 224.1.1.1 ٣.4.5.6 1٠.2.3.4 1.2٥4.3.4 25.256.1.1"
)
SPACES = [*"   \n\t\u00a0\u2028\u3000\x1c\u200b", "  ", "\n\n", " \n"]

CHOSEN = ["", " ", "  \n", ".", "\u200b", "a  b", " a b ", "a\u00a0b", "\x1ca\x85b", "a . b."]
CHOSEN += ["Dr. O'Neil's cat can't won't. I'm gonna; it's and/or its.", "Hello ... (see e.g. U.S.)"]
CHOSEN += ["): (:class:`x`", "= (;can", "[ :)", ": ) :)", "it 's", "°C. °c. 5 °F.", ":-)) :-)))"]
CHOSEN += [
    "(" * 60,
    "'s" * 30,
    "." * 50,
    "?!" * 20,
    ":)" * 20,
    "><(((*>" * 4,
    "x.y" * 20,
    "a-" * 30,
]
CHOSEN += ["http://u:p@a.bc:80/x?y#z,", "mailto:a@b.cd.", "a@1.2.3.4", "1.2.3.4:80", "(www.a.bc)."]
CHOSEN += [
    "a@b@c.de",
    "@a.bc",
    "a.bc:1",
    "a.bc:123456",
    "h.de@",
    "a" * 64 + ".bc",
    "a" * 65 + ".bc",
]
CHOSEN += [
    "a." + "b" * 63,
    "a." + "b" * 64,
    "1.2.3.4.5",
    "255.255.255.255",
    "5km/h",
    "x5US$",
    "5m/s.",
]
CHOSEN += [
    "A. B! C? (D.) E.\n) F. ) G...",
    "A.\n.\n\n! B",
    "¿Qué? ¡Sí! 是。否？",
    ". . .",
    "a.b. c.D. e",
]


def class_edges() -> list[str]:
    """Return the characters at which the classes of spaCy's table change."""
    with np.load(TABLE_PATH) as table:
        starts = table["run_starts"].tolist()
    codes = {code for start in starts for code in (start - 1, start) if code > 0}
    return [chr(code) for code in sorted(codes) if not 0xD800 <= code < 0xE000]


def edge_strings() -> list[str]:
    """Return every edge of a class in the places where the rules look at classes."""
    places = (
        "a{} {}a a{}b .{} {}. A{}. a.{} {}.A {},a 5{} {}5 5{}6 {}-a a{}{}.. {}a.bc a.{}b x{}://a.bc"
    )
    places += " A.\n{} A.{} 1.2.3.{} aa.{}b.cc"
    return [place.format(char, char) for char in class_edges() for place in pieces(places)]


def hard_strings(count: int, seed: int) -> list[str]:
    """Return strings made of exceptions, marks, amounts, URLs, letters and some white space."""
    rng = random.Random(seed)
    with np.load(TABLE_PATH) as table:
        exceptions = table["exceptions"].tolist()
    emoticons = [text for text in exceptions if not any(char.isalpha() for char in text)]
    edges = class_edges()
    kinds = [exceptions, emoticons, MARKS, MARKS, AMOUNTS, WORDS, URLS, edges]
    strings = []
    for _ in range(count):
        own = rng.choices(kinds, k=rng.randrange(1, 4))  # few kinds in one string meet more often
        pieces = []
        for _ in range(rng.randrange(1, 9)):
            piece = rng.choice(rng.choice(own))
            if rng.random() < 0.2:
                cut = rng.randrange(len(piece) + 1)
                piece = piece[:cut] if rng.random() < 0.5 else piece[cut:]
            pieces.append(piece if rng.random() < 0.9 else piece.swapcase())
            if rng.random() < 0.3:
                pieces.append(rng.choice(SPACES))
        strings.append("".join(pieces))
    return strings


def ask_spacy(texts: list[str]) -> list[list]:
    """Return spaCy's answers for some texts."""
    import spacy

    nlp = spacy.blank("en")
    nlp.add_pipe("sentencizer")
    nlp.max_length = 1 << 30
    answers = []
    for text in texts:
        with nlp.memory_zone():
            doc = nlp(text)
            words = [token.text.strip() for token in doc]
            sentences = [sentence.text.strip() for sentence in doc.sents]
            answers.append([" ".join(word for word in words if word), sum(map(bool, sentences))])
    return answers


def ask_ours(texts: list[str]) -> list[list]:
    """Return the answers of our kernels to some texts."""
    import pyarrow as pa

    from pipelines.kernels.decoded import text_batch
    from pipelines.kernels.spacy_sentences import count_spacy_sentences
    from pipelines.kernels.spacy_words import spacy_words

    codes = text_batch(pa.array(texts, pa.large_string())).codes
    words = spacy_words(codes)
    counts = count_spacy_sentences(codes, words).tolist()
    starts, ends, offsets = words.starts.tolist(), words.ends.tolist(), words.offsets.tolist()
    answers = []
    for row, text in enumerate(texts):
        first = int(codes.offsets[row])
        of_text = range(offsets[row], offsets[row + 1])
        spans = [text[starts[word] - first : ends[word] - first] for word in of_text]
        answers.append([" ".join(spans), counts[row]])
    return answers


def digest(answers: list[list]) -> str:
    """Return a digest of answers."""
    return hashlib.blake2b(json.dumps(answers).encode(), digest_size=16).hexdigest()


def golden() -> str:
    """Return the golden cases, one a line, and the digest of the answers to `edge_strings`."""
    texts = CHOSEN + hard_strings(NUM_GOLDEN, GOLDEN_SEED)
    cases = [[text, *answer] for text, answer in zip(texts, ask_spacy(texts), strict=True)]
    lines = ",\n".join(json.dumps(case) for case in cases)
    edges = digest(ask_spacy(edge_strings()))
    return f'{{"edges_digest": "{edges}",\n"cases": [\n{lines}\n]}}\n'


if __name__ == "__main__":
    if sys.argv[1:] == ["golden"]:
        GOLDEN_PATH.write_text(golden(), encoding="utf-8")
    else:
        json.dump(ask_spacy(json.load(sys.stdin)), sys.stdout)
