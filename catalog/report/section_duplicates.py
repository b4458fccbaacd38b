"""Duplicates as the page shows them: totals in words, clusters, and pairs of texts side by side."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from catalog.capped_keys import Capped, CappedKey
from catalog.clusters import Cluster, Clusters, Document
from catalog.near_pairs import NearPair, NearPairs
from catalog.report import words
from catalog.report.facts import DuplicateFacts
from catalog.text_difference import Stretch, Words, as_told

IN_WORDS = {
    "duplicate.exact_text": "with the same text",
    "duplicate.exact_normalised": "with the same words",
    "duplicate.near": "as near-duplicates",
}
_PLACE_CHARS = 60
_STRETCH_CHARS = 300


def duplicates_view(found: DuplicateFacts | None) -> dict[str, Any] | None:
    """Return what the template shows of duplicates."""
    if found is None:
        return None
    return {
        "sentences": list(sentences(found)),
        "clusters": [_cluster(cluster) for cluster in found.clusters.largest],
        "dropped": [_pair(pair, ("kept", "dropped")) for pair in found.near.dropped],
        "apart": [_pair(pair, ("kept", "kept too")) for pair in found.near.kept_apart],
        "capped": [_key(key) for key in found.capped.largest] if found.capped else [],
    }


def sentences(found: DuplicateFacts) -> Iterator[str]:
    """Yield the totals as a person would tell them."""
    yield _dropped_sentence(found.clusters)
    if found.near.num_pairs is None:
        yield "Near-duplicates were not looked for in this run."
        return
    yield _measured_sentence(found.near, found.settings)
    if found.capped and found.capped.num_texts:
        yield _capped_sentence(found.capped)


def _dropped_sentence(found: Clusters) -> str:
    came = words.plural(found.num_documents, "document")
    dropped = sum(found.reasons.values())
    if not dropped:
        return f"Among the {came} that came to the choice, none was found to repeat another."
    were, stay = _agreed(dropped, "was", "were"), _agreed(found.num_clusters, "stays", "stay")
    most = f", one for {words.count(found.largest[0].num_members)} of them" if found.largest else ""
    return (
        f"{words.count(dropped)} of the {came} that came to the choice {were} dropped, since "
        f"another says the same: {reasons_in_words(found.reasons)}. "
        f"{words.plural(found.num_clusters, 'document')} {stay} in their place{most}."
    )


def _agreed(number: int, one: str, many: str) -> str:
    """Return the form of a verb that goes with a number."""
    return one if number == 1 else many


def reasons_in_words(reasons: Mapping[str, int]) -> str:
    """Return counts by reason as ``3 with the same text, 20 as near-duplicates``."""
    return ", ".join(
        f"{words.count(number)} {IN_WORDS.get(reason, reason)}"
        for reason, number in reasons.items()
    )


def _measured_sentence(near: NearPairs, settings: Mapping[str, Any]) -> str:
    number = near.num_pairs or 0
    measured = f"{words.plural(number, 'pair')} of texts {_agreed(number, 'was', 'were')} measured"
    if near.num_kept_apart is None:
        return f"{measured}."
    asked = f"as similar as the recipe asks (Jaccard {settings.get('min_jaccard')} or more)"
    if not near.num_kept_apart:
        return f"{measured}; no two documents that stay are found {asked}."
    rule = f' "{settings["verify"]}"' if settings.get("verify") else ""
    return (
        f"{measured}. Of {words.plural(near.num_kept_apart, 'pair')} both documents stay though "
        f"they are {asked}: the rule{rule} takes what they differ in for more than a slip."
    )


def _capped_sentence(capped: Capped) -> str:
    by = "some key" if capped.num_keys is None else words.plural(capped.num_keys, "key")
    return (
        f"{words.plural(capped.num_texts, 'text')} {_agreed(capped.num_texts, 'shares', 'share')} "
        f"{by} with more texts than are compared with each other: compared with those of other "
        f"keys alone, and else kept."
    )


def _cluster(cluster: Cluster) -> dict[str, Any]:
    least, greatest = cluster.least_jaccard, cluster.greatest_jaccard
    return {
        "place": place(cluster.kept),
        "doc_id": cluster.kept.doc_id,
        "num_chars": words.count(cluster.kept.num_chars),
        "count": words.count(cluster.num_members),
        "reasons": reasons_in_words(cluster.reasons),
        "similarity": f"{least:.2f}" + (f" to {greatest:.2f}" if greatest > least else ""),
        "members": [
            {"place": place(member.document), "similarity": f"{member.jaccard:.2f}"}
            for member in cluster.members
        ],
    }


def place(document: Document | None) -> str:
    """Return where a document is from, or its id if that is not known."""
    if document is None:
        return words.NOT_KNOWN
    if document.uri is None:
        return document.doc_id
    uri = words.clipped(document.uri, _PLACE_CHARS)
    key = document.record_key
    if not key or key == document.uri:
        return uri
    if key.startswith(document.uri):  # as many keys do that were not declared
        return words.clipped(key, 2 * _PLACE_CHARS)
    return f"{uri} ({words.clipped(key, _PLACE_CHARS)})"


def _pair(pair: NearPair, fates: tuple[str, str]) -> dict[str, Any]:
    stretches = pair.difference.stretches
    return {
        "left": _side(f"{fates[0]}: {place(pair.left)}", stretches, "del"),
        "right": _side(f"{fates[1]}: {place(pair.right)}", stretches, "ins"),
        "measures": measures_in_words(pair.measures),
        "is_whole": pair.difference.is_whole,
    }


def measures_in_words(measures: Mapping[str, float]) -> str:
    """Return what was measured of a pair but is not nothing: ``Jaccard 0.93, slips 2.``"""
    told = [
        f"{name.replace('_', ' ')} {value:.2f}"
        if isinstance(value, float)
        else f"{name.replace('_', ' ')} {words.count(value)}"
        for name, value in measures.items()
        if value
    ]
    return f"{', '.join(told).capitalize()}." if told else ""


def _side(title: str, stretches: tuple[Stretch, ...], tag: str) -> dict[str, Any]:
    """Return one text of two: what it has alone stands in ``tag``."""
    aloud = {"del": "only in the first:", "ins": "only in the second:"}[tag]
    pieces = []
    for stretch in stretches:
        is_equal = stretch.kind == "equal"
        mine = stretch.left if is_equal or tag == "del" else stretch.right
        if mine != Words():
            text = words.clipped(words.visible(as_told(mine)), _STRETCH_CHARS)
            pieces.append({"tag": "" if is_equal else tag, "aloud": aloud, "text": text})
    return {"title": title, "pieces": pieces}


def _key(key: CappedKey) -> dict[str, str]:
    return {
        "num_texts": words.count(key.num_texts),
        "num_left_out": words.count(key.num_left_out),
        "place": place(key.example),
    }
