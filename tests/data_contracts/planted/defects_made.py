"""Defects of what is made of the kept text: the curated table, tokenizer, shards, labelled task."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from planting import PARTITIONS, Planted, baseline_with, defect, resampled, skew

from store.identity import digest_bytes

HASH = "0123456789abcdef" * 2
TOKEN_BYTES = 2


def _of(rows: list[dict[str, Any]], doc_id: str) -> dict[str, Any]:
    return next(row for row in rows if row["doc_id"] == doc_id)


@defect("curated", "text.not_empty")
def text_lost(planted: Planted) -> Sequence[str]:
    row = planted.rows[3]
    row |= {"text": "", "num_chars": 0}
    _of(planted.view("signals"), row["doc_id"])["num_chars"] = 0
    return [row["doc_id"]]


@defect("curated", "exactly_the_kept")
def kept_document_lost(planted: Planted) -> Sequence[str]:
    return [planted.rows.pop(3)["doc_id"]]


@defect("curated", "exactly_the_kept")
def dropped_document_there(planted: Planted) -> Sequence[str]:
    row = next(row for row in planted.view("guarded") if row["keep"])
    row["keep"] = False
    return [row["doc_id"]]


@defect("curated", "exactly_the_kept")
def on_the_other_side(planted: Planted) -> Sequence[str]:
    row = planted.where(split="train")[3]
    row["split"] = "heldout"
    return [row["doc_id"], "wanted='train'"]


@defect("curated", "texts_of_documents")
def unlike_documents(planted: Planted) -> Sequence[str]:
    planted.rows[0]["text_hash"] = HASH
    return [planted.rows[0]["doc_id"], HASH]


@defect("curated", "lengths_of_texts")
def length_of_another_text(planted: Planted) -> Sequence[str]:
    row = planted.rows[3]
    row["text"] += "!"
    return [row["doc_id"], f"of_text={len(row['text'])}"]


def _register() -> None:
    for level, share, others in (("drift", 0.7, []), ("drift_large", 0.8, ["num_words_drift"])):

        @defect("curated", f"num_words_{level}", 1, others)
        def moved(planted: Planted, share: float = share) -> Sequence[str]:
            values = [row["num_words"] for row in planted.rows]
            baseline_with(planted, num_words=resampled(values, share))
            return ["num_words = 0."]

    for level, share, others in (
        ("drift_new", 0.8, []),
        ("drift_new_large", 1.0, ["num_words_drift_new"]),
    ):

        @defect("curated", f"num_words_{level}", 1, others)
        def moved_in_new(planted: Planted, share: float = share) -> Sequence[str]:
            skew(planted, lambda row: row["num_words"], share)
            return ["num_words = "]

    for level, share, others in (("drift", 0.03, []), ("drift_large", 0.2, ["sources_drift"])):

        @defect("curated", f"sources_{level}", 1, others)
        def source_gone(planted: Planted, share: float = share) -> Sequence[str]:
            size = len(planted.rows)
            sources = ["gone" if number < share * size else "healthy" for number in range(size)]
            baseline_with(planted, source=sources)
            return ["source = "]


_register()


@defect("tokenizer", "one_model")
def two_models(planted: Planted) -> Sequence[str]:
    planted.rows.append(dict(planted.rows[0]))
    return []


@defect("tokenizer", "loads")
def model_damaged(planted: Planted) -> Sequence[str]:
    planted.rows[0]["data"] = planted.rows[0]["data"][:-1] + b"!"
    return ["tokenizer.model"]


@defect("tokenizer", "loads")
def no_model(planted: Planted) -> Sequence[str]:
    planted.rows[0] |= {"data": b"no model", "digest": digest_bytes(b"no model")}
    return ["not a SentencePiece model"]


def _last(planted: Planted) -> dict[str, Any]:
    """Return the document at the end of the first partition's train shard."""
    part = planted.rows[0]["part"]
    return max(planted.where(part=part, shard="train"), key=lambda row: row["token_offset"])


def _forget(planted: Planted, row: dict[str, Any]) -> None:
    """Take a document out, and make the receipt say so."""
    planted.rows.remove(row)
    facts = planted.facts()
    tokens, size = facts["num_tokens"] - row["num_tokens"], facts["num_bytes"] - row["num_bytes"]
    planted.tell(num_tokens=tokens, num_bytes=size)
    planted.view(PARTITIONS)[0]["num_rows"] -= 1


def _resize(planted: Planted, row: dict[str, Any], num_bytes: int) -> None:
    """Give a document another text and size, and make the receipt say so."""
    size = planted.facts()["num_bytes"] + num_bytes - row["num_bytes"]
    planted.tell(num_bytes=size)
    row["num_bytes"] = num_bytes
    _of(planted.view("curated"), row["doc_id"])["text"] = "x" * num_bytes


@defect("tokens", "one_row_per_document")
def document_not_packed(planted: Planted) -> Sequence[str]:
    row = _last(planted)
    _forget(planted, row)
    return [row["doc_id"]]


@defect("tokens", "one_row_per_document", 2)
def packed_another(planted: Planted) -> Sequence[str]:
    row = _last(planted)
    gone, row["doc_id"] = row["doc_id"], HASH
    return [gone, HASH]


@defect("tokens", "one_row_per_document")
def packed_on_the_other_side(planted: Planted) -> Sequence[str]:
    row = _of(planted.view("curated"), planted.where(split="train")[2]["doc_id"])
    row["split"] = "heldout"
    return [row["doc_id"], "curated_split='heldout'"]


@defect("tokens", "bytes_of_texts")
def bytes_of_another_text(planted: Planted) -> Sequence[str]:
    row = planted.view("curated")[4]
    row["text"] += "é"
    return [row["doc_id"], f"of_text={len(row['text'].encode())}"]


@defect("tokens", "sizes_possible", also=["tokens_fit_bytes"])
def no_bytes(planted: Planted) -> Sequence[str]:
    row = _last(planted)
    _resize(planted, row, 0)
    return [row["doc_id"], "num_bytes=0"]


@defect("tokens", "sizes_possible", also=["tokens_conserved", "shards_as_rows"])
def no_end(planted: Planted) -> Sequence[str]:
    row = _last(planted)
    row["num_tokens"] = 1
    return [row["doc_id"], "num_tokens=1"]


@defect("tokens", "sizes_possible", also=["offsets_consecutive", "shards_as_rows"])
def before_the_shard(planted: Planted) -> Sequence[str]:
    row = _last(planted)
    row["token_offset"] = -1
    return [row["doc_id"], "token_offset=-1"]


@defect("tokens", "tokens_fit_bytes")
def more_tokens_than_bytes(planted: Planted) -> Sequence[str]:
    row = _last(planted)
    _resize(planted, row, row["num_tokens"] - 3)
    return [row["doc_id"]]


@defect("tokens", "tokens_conserved", 7)
def receipt_says_otherwise(planted: Planted) -> Sequence[str]:
    facts = planted.facts()
    planted.tell(num_tokens=facts["num_tokens"] + 4, num_bytes=facts["num_bytes"] - 2)
    planted.view(PARTITIONS)[0]["num_rows"] += 1
    return [planted.view(PARTITIONS)[0]["part"], f"tokens={facts['num_tokens'] + 4}"]


@defect("tokens", "offsets_consecutive")
def gap_in_a_shard(planted: Planted) -> Sequence[str]:
    first, second, third = planted.where(part=planted.rows[0]["part"], shard="train")[:3]
    _forget(planted, second)
    curated = planted.view("curated")
    curated.remove(_of(curated, second["doc_id"]))
    return [third["doc_id"], f"expected={first['num_tokens']}"]


def _put(data: bytearray, position: int, token: int) -> None:
    start = TOKEN_BYTES * position
    data[start : start + TOKEN_BYTES] = token.to_bytes(TOKEN_BYTES, "little")


@defect("tokens", "ids_in_vocabulary", 2)
def ids_unknown(planted: Planted) -> Sequence[str]:
    planted.change_file(0, "train.bin", lambda data: _put(data, 1, 404))
    planted.change_file(0, "heldout.bin", lambda data: _put(data, 2, 65_499))
    return ["train[1]=404", "heldout[2]=65499"]


@defect("tokens", "shards_as_rows", 2)
def shard_of_other_documents(planted: Planted) -> Sequence[str]:
    first, second = planted.where(part=planted.rows[0]["part"], shard="train")[:2]
    planted.change_file(0, "train.bin", lambda data: _put(data, 0, 9))
    end = second["token_offset"] + second["num_tokens"] - 1
    planted.change_file(0, "train.bin", lambda data: _put(data, end, 9))
    return [first["doc_id"], second["doc_id"]]


def _recount_labelled(planted: Planted) -> None:
    counts = {name: len(planted.where(partition=name)) for name in ("train", "dev", "test")}
    planted.tell(documents=counts, num_tokens=sum(len(row["ids"]) for row in planted.rows))


@defect("labelled", "groups_in_one_partition")
def group_in_two_partitions(planted: Planted) -> Sequence[str]:
    group = planted.where(partition="test")[0]["group"]
    planted.where(partition="train")[0]["group"] = group
    return [group, "other_partition='train'"]


@defect("labelled", "texts_in_one_partition")
def text_in_two_partitions(planted: Planted) -> Sequence[str]:
    train, test = planted.where(partition="train")[0], planted.where(partition="test")[0]
    train["text"] = test["text"]
    return [train["doc_id"], test["doc_id"]]


@defect("labelled", "one_name_per_label")
def two_names(planted: Planted) -> Sequence[str]:
    planted.where(label=1)[0]["class_name"] = "another"
    return ["another"]


@defect("labelled", "one_name_per_label")
def two_labels(planted: Planted) -> Sequence[str]:
    for row in planted.where(label=2):
        row["class_name"] = "bread"
    return ["label=2, class_name='bread'"]


@defect("labelled", "labels_from_zero")
def label_left_out(planted: Planted) -> Sequence[str]:
    for row in planted.rows:
        row["label"] += row["label"] == 2
    return ["label=3"]


@defect("labelled", "labels_from_zero")
def labels_from_one(planted: Planted) -> Sequence[str]:
    for row in planted.rows:
        row["label"] += 1
    return ["label=1"]


@defect("labelled", "classes_in_train")
def class_not_learnt(planted: Planted) -> Sequence[str]:
    for row in planted.where(partition="train", class_name="ships"):
        row["partition"] = "dev"
    _recount_labelled(planted)
    return ["ships"]


@defect("labelled", "classes_in_test")
def class_not_judged(planted: Planted) -> Sequence[str]:
    for row in planted.where(partition="test", class_name="ships"):
        row["partition"] = "dev"
    _recount_labelled(planted)
    return ["ships"]


@defect("labelled", "dev_there")
def nothing_to_choose_by(planted: Planted) -> Sequence[str]:
    for row in planted.where(partition="dev"):
        row["partition"] = "train"
    _recount_labelled(planted)
    return []


@defect("labelled", "ids_not_empty", 2)
def no_ids_or_too_many(planted: Planted) -> Sequence[str]:
    first, second = planted.rows[:2]
    first["ids"], second["ids"] = [], [5] * 25
    _recount_labelled(planted)
    return [first["doc_id"], second["doc_id"], "num_ids=0", "num_ids=25"]


@defect("labelled", "documents_conserved", 12)
def fewer_than_told(planted: Planted) -> Sequence[str]:
    facts = planted.facts()
    documents = {name: number + 3 for name, number in facts["documents"].items()}
    planted.tell(documents=documents, num_tokens=facts["num_tokens"] - 3)
    return [str(documents["train"])]


def _kept(planted: Planted, side: str = "train") -> list[dict[str, Any]]:
    """Return the conversations of a shard in their order."""
    rows = planted.where(split=side, keep=True, part=planted.rows[0]["part"])
    return sorted(rows, key=lambda row: row["token_offset"])


def _counted(planted: Planted, row: dict[str, Any], sign: int) -> None:
    """Make the receipt count a conversation once more, or no more."""
    facts = planted.facts()
    counted = ("num_tokens", "num_samples", "num_asked")
    planted.tell(**{name: facts[name] + sign * row[name] for name in counted})


@defect("messages", "one_row_per_conversation")
def conversation_not_packed(planted: Planted) -> Sequence[str]:
    row = _kept(planted)[-1]
    _counted(planted, row, -1)
    planted.rows.remove(row)
    return [row["doc_id"]]


@defect("messages", "one_row_per_conversation", 2)
def another_conversation_packed(planted: Planted) -> Sequence[str]:
    row = _kept(planted)[-1]
    gone, row["doc_id"] = row["doc_id"], HASH
    return [gone, HASH]


@defect("messages", "kept_with_samples", 2)
def kept_and_asked_for_nothing(planted: Planted) -> Sequence[str]:
    first, second = _kept(planted)[:2]
    planted.tell(num_asked=planted.facts()["num_asked"] - first["num_asked"])
    first["num_asked"] = 0
    second["reason"] = "messages.too_long"
    return [first["doc_id"], second["doc_id"]]


@defect("messages", "kept_with_samples", 2)
def dropped_without_a_reason_or_in_a_shard(planted: Planted) -> Sequence[str]:
    first, second = planted.where(keep=False)[:2]
    first["reason"] = None
    second["num_bytes"] = 9
    return [first["doc_id"], second["doc_id"]]


@defect("messages", "tokens_conserved", 9)
def receipt_counts_other_samples(planted: Planted) -> Sequence[str]:
    facts = planted.facts()
    planted.tell(num_tokens=facts["num_tokens"] + 4, num_asked=facts["num_asked"] - 3)
    planted.tell(num_samples=facts["num_samples"] + 2)
    return [planted.view(PARTITIONS)[0]["part"], f"tokens={facts['num_tokens'] + 4}"]


@defect("messages", "offsets_consecutive")
def conversation_gone_from_a_shard(planted: Planted) -> Sequence[str]:
    first, second, third = _kept(planted)[:3]
    _counted(planted, second, -1)
    planted.rows.remove(second)
    read = planted.view("read_conversations")
    read.remove(_of(read, second["doc_id"]))
    return [third["doc_id"], f"expected={first['num_tokens']}"]


@defect("messages", "ids_in_vocabulary", 1)
def chat_id_unknown(planted: Planted) -> Sequence[str]:
    planted.change_file(0, "heldout.bin", lambda data: _put(data, 2, 65_499))
    return ["heldout[2]=65499"]
