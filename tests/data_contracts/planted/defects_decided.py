"""Defects of what is decided beside the text: decisions, signatures, pairs, choices and sides."""

from __future__ import annotations

from collections.abc import Sequence

from planting import PARTITIONS, Planted, baseline_with, defect, skew

HASH = "0123456789abcdef" * 2
DECIDED = ("decisions", "choices", "splits", "guarded")
DIVIDED = ("splits", "guarded")


def _mixed(planted: Planted, kept_share: float) -> list[str | None]:
    """Return reasons for as many rows, of which so many are none; the others take turns."""
    reasons = sorted({row["reason"] for row in planted.rows if row["reason"]})
    size = len(planted.rows)
    kept = round(size * kept_share)
    return [None] * kept + [reasons[number % len(reasons)] for number in range(size - kept)]


def _drop(row: dict[str, object], reason: str) -> None:
    row |= {"keep": False, "reason": reason, "values": '{"num_words":1}'}


@defect("decisions", "reason.namespaced", 2)
def reason_of_no_namespace(planted: Planted) -> Sequence[str]:
    first, second, third = planted.where(keep=False)[:3]
    first["reason"], second["reason"], third["reason"] = "short", "too.short!", "länge.zu_kurz"
    return [first["doc_id"], second["doc_id"], "too.short!"]


@defect("decisions", "sources_survive")
def source_dropped(planted: Planted) -> Sequence[str]:
    for number, row in enumerate(planted.rows):
        _drop(row, f"made.up_{number % 3}")
    planted.recount()
    return ["healthy = 1 of 990 rows"]


@defect("decisions", "no_rule_takes_half")
def rule_takes_all(planted: Planted) -> Sequence[str]:
    for row in planted.where(keep=True)[:500]:
        _drop(row, "made.up")
    planted.recount()
    return ["healthy: made.up = 0.505"]


@defect("decisions", "reasons_drift")
def other_reasons(planted: Planted) -> Sequence[str]:
    baseline_with(planted, reason=_mixed(planted, 0.88))
    return ["coalesce(reason, 'kept') = 0."]


@defect("decisions", "reasons_drift_large", also=["reasons_drift"])
def wholly_other_reasons(planted: Planted) -> Sequence[str]:
    baseline_with(planted, reason=_mixed(planted, 0.97))
    return ["coalesce(reason, 'kept') = 0."]


@defect("decisions", "reasons_drift_new")
def other_reasons_in_new(planted: Planted) -> Sequence[str]:
    skew(planted, lambda row: not row["keep"], 0.55)
    planted.recount()
    return ["330 rows"]


@defect("decisions", "reasons_drift_new_large", also=["reasons_drift_new"])
def wholly_other_reasons_in_new(planted: Planted) -> Sequence[str]:
    first = planted.rows[0]["part"]
    for number, row in enumerate(planted.rows):
        row |= {"keep": True, "reason": None, "values": None}
        if row["part"] == first:
            _drop(row, f"made.up_{number % 3}")
    planted.recount()
    baseline_with(planted)
    planted.new_parts = frozenset({first})
    return ["330 rows"]


def _register(dataset: str) -> None:
    """Register the defects that tables of decisions have in common."""

    @defect(dataset, "reason_where_dropped", 1 if dataset == "splits" else 2)
    def reason_misplaced(planted: Planted) -> Sequence[str]:
        kept = planted.where(keep=True)[3]
        kept["reason"] = "split.made_up" if dataset in DIVIDED else "duplicate.made_up"
        found = [kept["doc_id"]]
        for dropped in planted.where(keep=False)[:1]:
            dropped["reason"] = None
            found.append(dropped["doc_id"])
        return found

    @defect(dataset, "values_where_dropped", 1 if dataset == "splits" else 4)
    def values_misplaced(planted: Planted) -> Sequence[str]:
        kept = planted.where(keep=True)[3]
        kept["values"] = "{}"
        spoiled = planted.where(keep=False)[:3]
        for dropped, values in zip(spoiled, (None, "{no JSON", "[1]"), strict=False):
            dropped["values"] = values
        return [row["doc_id"] for row in (kept, *spoiled)]

    @defect(dataset, "rows_conserved", 3)
    def receipt_says_otherwise(planted: Planted) -> Sequence[str]:
        part = planted.view(PARTITIONS)[0]
        part["kept"] += 3
        return [part["part"], f"kept={part['kept']}"]

    @defect(dataset, "rows_conserved", 2)
    def more_came_in(planted: Planted) -> Sequence[str]:
        part = planted.view(PARTITIONS)[-1]
        part["num_in"] += 2
        return [part["part"], f"num_in={part['num_in']}"]


for _dataset in DECIDED:
    _register(_dataset)


@defect("splits", "values_where_dropped", 3)
def values_of_dropped_misplaced(planted: Planted) -> Sequence[str]:
    spoiled = planted.rows[:3]
    for row, values in zip(spoiled, (None, "{no JSON", "[1]"), strict=True):
        row |= {"keep": False, "split": None, "reason": "split.made_up", "values": values}
    planted.recount()
    return [row["doc_id"] for row in spoiled]


@defect("splits", "reason_where_dropped")
def dropped_for_no_reason(planted: Planted) -> Sequence[str]:
    planted.rows[5] |= {"keep": False, "split": None, "values": "{}"}
    planted.recount()
    return [planted.rows[5]["doc_id"]]


def _twins(planted: Planted, column: str) -> tuple[dict[str, object], dict[str, object]]:
    """Return two rows of equal texts, by one hash or another."""
    seen: dict[object, dict[str, object]] = {}
    for row in planted.rows:
        if row[column] in seen:
            return seen[row[column]], row
        seen[row[column]] = row
    raise LookupError(f"no two rows have one {column}")


@defect("signatures", "buckets_possible", 2)
def buckets_impossible(planted: Planted) -> Sequence[str]:
    first, second = _twins(planted, "normal_hash")
    first["bucket"], second["bucket"] = -1, 65_536
    return [str(first["doc_id"]), str(second["doc_id"])]


@defect("signatures", "hashes_of_documents")
def another_hash(planted: Planted) -> Sequence[str]:
    planted.rows[6]["text_hash"] = HASH
    return [planted.rows[6]["doc_id"], HASH]


@defect("edges", "ends_are_documents", 3)
def ends_unknown(planted: Planted) -> Sequence[str]:
    lefts = [row["left_id"] for row in planted.rows]
    rights = [row["right_id"] for row in planted.rows]
    left = next(i for i in lefts if lefts.count(i) == 2 and i not in rights)
    right = next(i for i in rights if rights.count(i) == 1 and i not in lefts)
    documents = planted.view("documents")
    documents[:] = [row for row in documents if row["doc_id"] not in (left, right)]
    return [left, right]


@defect("edges", "similarities_possible", 3)
def similarities_impossible(planted: Planted) -> Sequence[str]:
    first, second, third = planted.rows[:3]
    first["jaccard"], second["containment"], third["rule_version"] = 1.5, -0.25, 0
    return ["jaccard=1.5", "containment=-0.25", "rule_version=0"]


@defect("edges", "smaller_id_first")
def ends_swapped(planted: Planted) -> Sequence[str]:
    row = planted.rows[0]
    row["left_id"], row["right_id"] = row["right_id"], row["left_id"]
    return [row["left_id"], row["right_id"]]


@defect("edges", "pairs_once")
def pair_twice(planted: Planted) -> Sequence[str]:
    first, second = planted.where(relation="exact.normalised")[:2]
    second |= {"left_id": first["left_id"], "right_id": first["right_id"]}
    return [first["left_id"], first["right_id"]]


@defect("edges", "one_centre")
def two_centres(planted: Planted) -> Sequence[str]:
    rows = planted.where(relation="exact.text")
    pairs = [(a, b) for a in rows for b in rows if a["left_id"] == b["left_id"]]
    first, second = next((a, b) for a, b in pairs if a["right_id"] < b["right_id"])
    first |= {"left_id": first["right_id"], "right_id": second["right_id"]}
    return [second["right_id"], first["left_id"]]


@defect("edges", "linked_are_equal", 2)
def linked_though_different(planted: Planted) -> Sequence[str]:
    ends = {row[side] for row in planted.rows for side in ("left_id", "right_id")}
    alone = [row["doc_id"] for row in planted.view("documents") if row["doc_id"] not in ends]
    spoiled = [planted.where(relation=name)[0] for name in ("exact.text", "exact.normalised")]
    for row, right in zip(spoiled, sorted(alone)[-2:], strict=True):
        row["right_id"] = right
    return [row["right_id"] for row in spoiled]


@defect("edges", "every_duplicate_linked", 2)
def duplicates_not_linked(planted: Planted) -> Sequence[str]:
    gone = [planted.where(relation=name)[0] for name in ("exact.text", "exact.normalised")]
    for row in gone:
        planted.rows.remove(row)
    return [row["right_id"] for row in gone]


@defect("edges", "every_duplicate_linked")
def linked_once_too_often(planted: Planted) -> Sequence[str]:
    planted.view("signatures")[:] = _without_one_of_a_pair(planted)
    return []


def _without_one_of_a_pair(planted: Planted) -> list[dict[str, object]]:
    gone = planted.where(relation="exact.text")[-1]["right_id"]
    return [row for row in planted.view("signatures") if row["doc_id"] != gone]


@defect("pairs", "contained_as_much_as_alike")
def alike_and_not_contained(planted: Planted) -> Sequence[str]:
    row = planted.rows[0]
    row["containment"] = row["jaccard"] / 2
    return [row["left_id"], row["right_id"]]


@defect("pairs", "smaller_id_first")
def pair_swapped(planted: Planted) -> Sequence[str]:
    row = planted.rows[0]
    row["left_id"], row["right_id"] = row["right_id"], row["left_id"]
    row["left_hash"], row["right_hash"] = row["right_hash"], row["left_hash"]
    return [row["left_id"], row["right_id"]]


@defect("pairs", "pairs_once")
def pair_measured_twice(planted: Planted) -> Sequence[str]:
    row = planted.rows[0]
    planted.rows[1] |= row
    planted.recount()
    return [row["left_id"], row["right_id"]]


@defect("pairs", "ends_are_centres", 2)
def ends_are_other_members(planted: Planted) -> Sequence[str]:
    first, second = planted.rows[:2]
    centres: dict[object, str] = {}
    for row in sorted(planted.view("signatures"), key=lambda row: row["doc_id"]):
        centre = centres.setdefault(row["normal_hash"], row["doc_id"])
        if centre != row["doc_id"] > first["left_id"]:
            first |= {"right_id": row["doc_id"], "right_hash": row["text_hash"]}
    second["right_id"] = "f" * 32
    return [first["right_id"], "f" * 32]


@defect("pairs", "hashes_of_ends", 2)
def hashes_of_other_texts(planted: Planted) -> Sequence[str]:
    first, second = planted.rows[0], planted.rows[1]
    first["left_hash"], second["right_hash"] = HASH, HASH
    return [first["left_id"], second["right_id"]]


@defect("choices", "reason.known")
def reason_of_another_step(planted: Planted) -> Sequence[str]:
    row = planted.where(keep=False)[0]
    row["reason"] = "length.too_short"
    return [row["doc_id"], "length.too_short"]


@defect("choices", "partner_where_dropped", 4)
def partner_misplaced(planted: Planted) -> Sequence[str]:
    spoiled = planted.where(keep=False)[:3]
    for row, name in zip(spoiled, ("partner_id", "jaccard", "containment"), strict=True):
        row[name] = None
    kept, other = planted.where(keep=True)[:2]
    kept["partner_id"] = other["doc_id"]
    return [row["doc_id"] for row in (*spoiled, kept)]


@defect("choices", "partner_is_kept", 3)
def partner_not_kept(planted: Planted) -> Sequence[str]:
    rows = planted.where(reason="duplicate.exact_text")
    pairs = [(a, b) for a in rows for b in rows if a is not b]
    first, second = next((a, b) for a, b in pairs if a["partner_id"] == b["partner_id"])
    rest = [row for row in rows if row not in (first, second)]
    first["partner_id"] = second["doc_id"]
    rest[0]["partner_id"], rest[1]["partner_id"] = HASH, rest[1]["doc_id"]
    return [row["doc_id"] for row in (first, *rest[:2])]


@defect("choices", "one_kept_per_text")
def two_kept(planted: Planted) -> Sequence[str]:
    row = planted.where(keep=False)[0]
    nothing = ("reason", "values", "partner_id", "jaccard", "containment")
    row |= {"keep": True, **dict.fromkeys(nothing)}
    planted.recount()
    return [row["doc_id"]]


@defect("choices", "reasons_drift")
def fewer_duplicates(planted: Planted) -> Sequence[str]:
    baseline_with(planted, reason=_mixed(planted, 0.75))
    return ["coalesce(reason, 'kept') = 0."]


@defect("choices", "reasons_drift_large", also=["reasons_drift"])
def far_fewer_duplicates(planted: Planted) -> Sequence[str]:
    baseline_with(planted, reason=_mixed(planted, 0.6))
    return ["coalesce(reason, 'kept') = 0."]


@defect("splits", "reason.known")
def split_drops_for_length(planted: Planted) -> Sequence[str]:
    row = planted.rows[5]
    row |= {"keep": False, "split": None, "reason": "length.too_short", "values": "{}"}
    planted.recount()
    return [row["doc_id"], "length.too_short"]


@defect("splits", "side_where_kept", 2)
def sides_misplaced(planted: Planted) -> Sequence[str]:
    first, second = planted.rows[:2]
    first["split"] = None
    second |= {"keep": False, "reason": "split.made_up", "values": "{}"}
    planted.recount()
    return [first["doc_id"], second["doc_id"]]


@defect("splits", "texts_on_one_side")
def text_on_both_sides(planted: Planted) -> Sequence[str]:
    train, heldout = planted.where(split="train")[0], planted.where(split="heldout")[0]
    hashes = {row["doc_id"]: row for row in planted.view("signatures")}
    hashes[train["doc_id"]]["normal_hash"] = hashes[heldout["doc_id"]]["normal_hash"]
    return [train["doc_id"], heldout["doc_id"]]


@defect("splits", "heldout_there")
def nothing_held_out(planted: Planted) -> Sequence[str]:
    for row in planted.rows:
        row["split"] = "train"
    return []


@defect("splits", "train_there")
def nothing_to_train_on(planted: Planted) -> Sequence[str]:
    for row in planted.rows:
        row["split"] = "heldout"
    return []


@defect("guarded", "reason.known")
def guard_drops_for_length(planted: Planted) -> Sequence[str]:
    row = planted.where(keep=False)[0]
    row["reason"] = "length.too_short"
    return [row["doc_id"], "length.too_short"]


@defect("guarded", "side_where_kept", 2)
def sides_misplaced_by_guard(planted: Planted) -> Sequence[str]:
    kept, dropped = planted.where(split="train")[0], planted.where(keep=False)[0]
    kept["split"], dropped["split"] = None, "train"
    return [kept["doc_id"], dropped["doc_id"]]


@defect("guarded", "partner_where_dropped", 4)
def heldout_partner_misplaced(planted: Planted) -> Sequence[str]:
    spoiled = planted.where(keep=False)[:3]
    for row, name in zip(spoiled, ("partner_id", "jaccard", "containment"), strict=True):
        row[name] = None
    kept, other = planted.where(split="train")[0], planted.where(split="heldout")[0]
    kept["partner_id"] = other["doc_id"]
    return [row["doc_id"] for row in (*spoiled, kept)]


@defect("guarded", "partner_is_heldout", 4)
def partner_not_heldout(planted: Planted) -> Sequence[str]:
    spoiled = planted.where(keep=False)[:4]
    first, second, third, fourth = spoiled
    first["partner_id"] = planted.where(split="train")[0]["doc_id"]
    second["partner_id"], third["partner_id"] = third["doc_id"], third["doc_id"]
    fourth["partner_id"] = HASH
    return [row["doc_id"] for row in spoiled]


def _guard_drops(row: dict[str, object], partner_id: str) -> None:
    row |= {"keep": False, "split": None, "reason": "split.near_heldout", "values": "{}"}
    row |= {"partner_id": partner_id, "jaccard": 1.0, "containment": 1.0}


@defect("guarded", "heldout_stays")
def heldout_dropped(planted: Planted) -> Sequence[str]:
    partners = {row["partner_id"] for row in planted.rows}
    heldout = planted.where(split="heldout")
    row = next(row for row in heldout if row["doc_id"] not in partners)
    other = next(other for other in heldout if other is not row)
    _guard_drops(row, other["doc_id"])
    planted.recount()
    return [row["doc_id"], other["doc_id"]]


@defect("guarded", "on_the_side_given", 3)
def missing_extra_and_moved(planted: Planted) -> Sequence[str]:
    missing, moved = planted.where(split="train")[:2]
    planted.rows.remove(missing)
    moved["split"] = "heldout"
    splits = planted.view("splits")
    partners = {row["partner_id"] for row in planted.rows}
    extra = next(row for row in planted.where(split="heldout") if row["doc_id"] not in partners)
    splits[:] = [row for row in splits if row["doc_id"] != extra["doc_id"]]
    planted.recount()
    return [missing["doc_id"], moved["doc_id"], extra["doc_id"]]


@defect("guarded", "on_the_side_given")
def side_of_none(planted: Planted) -> Sequence[str]:
    row = planted.where(split="train")[0]
    given = next(one for one in planted.view("splits") if one["doc_id"] == row["doc_id"])
    given |= {"keep": False, "split": None}
    return [row["doc_id"], "given=None"]


@defect("guarded", "train_there")
def nothing_left_to_train_on(planted: Planted) -> Sequence[str]:
    partner = planted.where(split="heldout")[0]
    for row in planted.where(split="train"):
        _guard_drops(row, partner["doc_id"])
    planted.recount()
    return []


@defect("guarded", "reasons_drift")
def fewer_near_heldout(planted: Planted) -> Sequence[str]:
    baseline_with(planted, reason=_mixed(planted, 0.91))
    return ["coalesce(reason, 'kept') = 0."]


@defect("guarded", "reasons_drift_large", also=["reasons_drift"])
def far_fewer_near_heldout(planted: Planted) -> Sequence[str]:
    baseline_with(planted, reason=_mixed(planted, 0.8))
    return ["coalesce(reason, 'kept') = 0."]
