"""Against a division made by brute force, document by document."""

import hashlib
import random
from collections import Counter

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st
from labelled_corpus import CLASSES, corpus, document, tokenizer, tokenizer_table
from memory_part import inputs_of

from data_contracts.documents import CURATED, DOCUMENTS
from data_contracts.errors import InputError, RecipeError
from data_contracts.labels import LABELLED, PARTITIONS
from pipelines.labels.config import LabelsConfig
from pipelines.labels.mask import MASK
from pipelines.labels.pack_labels import CHARS_PER_TOKEN, num_chars_of, pack_labels

CONFIG = LabelsConfig(kind="corpus", dev_ratio=0.2, test_ratio=0.4, min_train_documents=5)


def pack(config=CONFIG, tables=None):
    output = pack_labels(
        inputs_of(labelled=tables or [corpus()], tokenizer=tokenizer_table()), config
    )
    assert output.rows.schema == LABELLED
    output.rows.validate(full=True)
    return output


def changed(**values):
    return LabelsConfig(
        **{**{f: getattr(CONFIG, f) for f in CONFIG.__dataclass_fields__}, **values}
    )


def drawn(seed, group, config):
    share = int(hashlib.md5(f"{seed}:{group}".encode()).hexdigest()[:8], 16) / 2**32
    if share < config.test_ratio:
        return "test"
    return "dev" if share < config.test_ratio + config.dev_ratio else "train"


def expected(config, rows):
    """Return id -> partition of every document that fits, no limits applied."""
    found = {}
    for row in rows:
        labels = dict(row["labels"])
        if "package" not in labels:
            continue
        group = labels.get("module") if config.group else None
        partition = drawn(config.seed, group or row["text_hash"], config)
        if (row["split"] == "train") == (partition == "train"):
            found[row["doc_id"]] = partition
    return found


@pytest.mark.parametrize("seed", [0, 1, 2])
@pytest.mark.parametrize("group", ["module", ""])
def test_groups_are_divided_as_by_brute_force(seed, group):
    config = changed(seed=seed, group=group)
    output = pack(config)
    rows = output.rows.to_pylist()
    want = expected(config, corpus().to_pylist())
    assert {row["doc_id"]: row["partition"] for row in rows} == want
    assert len(want) > 100
    left_out = output.facts["left_out"]
    assert left_out["no_label"] == 12
    assert sum(left_out.values()) + len(rows) == len(corpus())
    if group:
        sides = {(row["group"], row["partition"]) for row in rows}
        assert len(sides) == len({side for side, _ in sides}) > 30
    else:
        assert {row["group"] for row in rows} == {None}


def test_no_text_of_dev_or_test_was_in_the_train_split():
    splits = dict(zip(*(corpus()[name].to_pylist() for name in ("doc_id", "split")), strict=True))
    seen = Counter((row["partition"], splits[row["doc_id"]]) for row in pack().rows.to_pylist())
    assert set(seen) == {("train", "train"), ("dev", "heldout"), ("test", "heldout")}


def test_partitions_and_their_order_change_nothing():
    table = corpus()
    shuffled = table.take(random.Random(1).sample(range(len(table)), len(table)))
    limited = changed(max_train_documents_per_class=20, max_dev_documents=10, max_test_documents=30)
    for config in (CONFIG, limited):
        whole = pack(config)
        cut = pack(config, [shuffled.slice(0, 100), shuffled.slice(100, 0), shuffled.slice(100)])
        assert whole.rows.equals(cut.rows)
        assert whole.facts == cut.facts
    rows = whole.rows.to_pylist()
    keys = [(PARTITIONS.index(row["partition"]), row["doc_id"]) for row in rows]
    assert keys == sorted(keys)


def test_limits_take_the_first_by_hash():
    config = changed(max_train_documents_per_class=20, max_dev_documents=10, max_test_documents=30)
    everything, output = pack().rows.to_pylist(), pack(config)

    def turn(row):
        return hashlib.md5(f"{config.seed}:{row['doc_id']}".encode()).hexdigest()

    want = []
    for name in CLASSES:
        of_class = [r for r in everything if (r["partition"], r["class_name"]) == ("train", name)]
        want += sorted(of_class, key=turn)[:20]
    for partition, limit in (("dev", 10), ("test", 30)):
        want += sorted((r for r in everything if r["partition"] == partition), key=turn)[:limit]
    assert {row["doc_id"] for row in output.rows.to_pylist()} == {row["doc_id"] for row in want}
    assert output.facts["left_out"]["over_the_limit"] == len(everything) - len(want) > 50
    assert output.facts["documents"] == {"train": 60, "dev": 10, "test": 30}


def test_classes_are_numbered_by_name_and_masked_in_every_text():
    output = pack(changed(masked_words=("orchard",)))
    rows = output.rows.to_pylist()
    assert {row["class_name"]: row["label"] for row in rows} == {
        "Apple": 0,
        "berry": 1,
        "cherry": 2,
    }
    assert all(MASK in row["text"] for row in rows)
    for word in (*CLASSES, "orchard"):
        assert not any(word.lower() in row["text"].lower() for row in rows)
    counts = Counter((row["class_name"], row["partition"]) for row in rows)
    facts = output.facts["classes"]
    assert {(c, p): n for c, sizes in facts.items() for p, n in sizes.items()} == counts
    assert output.facts["masked_words"] >= len(rows)
    unmasked = pack(changed(mask_classes=False)).rows.to_pylist()
    assert all(row["class_name"].upper() in row["text"] for row in unmasked)


@pytest.mark.parametrize("max_tokens", [8, 30, 500])
def test_ids_are_the_tokenizers_and_the_text_is_what_they_stand_for(max_tokens):
    output = pack(changed(max_tokens=max_tokens, mask_classes=False))
    texts = dict(zip(*(corpus()[name].to_pylist() for name in ("doc_id", "text")), strict=True))
    spoken = tokenizer()
    num_cut = 0
    for row in output.rows.to_pylist():
        (ids,) = spoken.encode_documents([texts[row["doc_id"]]])
        assert row["ids"] == ids[:max_tokens].tolist()
        assert row["text"] == spoken.decode(row["ids"])
        assert texts[row["doc_id"]].startswith(row["text"])
        num_cut += len(ids) > max_tokens
    assert output.facts["cut_documents"] == num_cut
    assert (num_cut > 100) == (max_tokens < 100)
    assert output.facts["num_tokens"] == sum(len(row["ids"]) for row in output.rows.to_pylist())


@given(
    st.text(st.sampled_from("ab é\u6f22\U0001f600\u2581\ufffd"), max_size=12), st.integers(1, 60)
)
def test_a_cut_within_a_character_leaves_it_out(text, count):
    spoken = tokenizer()
    ids = spoken.encode(text)[:count]
    decoded = spoken.decode(ids)
    size = num_chars_of(decoded, text)
    num_bytes = len(b"".join(_bytes_of(spoken.piece(int(number))) for number in ids))
    whole = text.encode()[:num_bytes].decode(errors="ignore")
    assert abs(size - len(whole)) <= text.count("\ufffd")
    if "\ufffd" not in text:
        assert text[:size] == whole


def test_bytes_of_a_cut_character_are_not_taken_for_one_of_the_text():
    spoken = tokenizer()
    text = "\u6f22\ufffd\ufffd"
    for count in (1, 2):
        assert num_chars_of(spoken.decode(spoken.encode(text)[:count]), text) == 0
    assert num_chars_of(spoken.decode(spoken.encode(text)), text) == 3


def _bytes_of(piece):
    if piece.startswith("<0x"):
        return bytes([int(piece[3:5], 16)])
    return piece.replace("\u2581", " ").encode()


def test_a_text_far_longer_than_its_tokens_is_not_read_to_its_end():
    long = document(10_000, "apple pie " * 50_000, "heldout", {"package": "Apple", "module": "m"})
    seed = next(s for s in range(99) if drawn(s, "m", CONFIG) == "test")
    output = pack(changed(seed=seed), [corpus(), pa.Table.from_pylist([long], CURATED)])
    (row,) = [row for row in output.rows.to_pylist() if row["doc_id"] == long["doc_id"]]
    assert len(row["ids"]) == CONFIG.max_tokens
    assert tokenizer().vocabulary.eos_id not in row["ids"]
    assert len(row["text"]) < CONFIG.max_tokens * CHARS_PER_TOKEN


def test_a_text_of_test_is_in_no_other_partition():
    rows = corpus().to_pylist()
    for row in rows[:200]:
        row["text"] = "the very same text of many documents"
    output = pack(tables=[pa.Table.from_pylist(rows, CURATED)])
    homes = {(row["text"], row["partition"]) for row in output.rows.to_pylist()}
    assert len({text for text, _ in homes}) == len(homes)
    assert output.facts["left_out"]["same_text"] > 20


def test_small_classes_are_left_out_and_named_classes_are_used_alone():
    rare = [
        document(20_000 + i, f"rare {i}", "train", {"package": "zest", "module": f"module-{i}"})
        for i in range(9)
    ]
    tables = [corpus(), pa.Table.from_pylist(rare, CURATED)]
    output = pack(changed(min_train_documents=10), tables)
    assert list(output.facts["classes"]) == list(CLASSES)
    assert 0 < output.facts["left_out"]["small_class"] < 9
    two = pack(changed(classes=("cherry", "Apple")))
    assert list(two.facts["classes"]) == ["Apple", "cherry"]
    assert two.facts["left_out"]["other_class"] > 100


def test_documents_of_files_have_no_split_and_each_text_is_its_own_group():
    rows = [dict(row) for row in corpus().to_pylist()]
    for row in rows:
        labels = dict(row["labels"])
        row["labels"] = [("label", labels["package"])] if "package" in labels else []
    table = pa.Table.from_pylist(rows, DOCUMENTS)
    config = changed(kind="files", path="x")
    got = {row["doc_id"]: row["partition"] for row in pack(config, [table]).rows.to_pylist()}
    want = {r["doc_id"]: drawn(0, r["text_hash"], config) for r in rows if r["labels"]}
    assert got == want


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"label": "topic"}, r"no document has the label 'topic'.*kind, module, package"),
        ({"classes": ("Apple", "bery")}, r"'bery'.*did you mean 'berry'"),
        ({"min_train_documents": 10_000}, "needs two classes with 10000 .* there is none"),
        ({"min_train_documents": 100}, "there is only 'Apple'"),
        ({"test_ratio": 1e-9}, "the class 'Apple' has no test documents"),
        ({"dev_ratio": 1e-9}, "no dev documents"),
    ],
)
def test_a_task_that_cannot_be_is_refused_in_one_sentence(values, message):
    with pytest.raises(InputError, match=message):
        pack(changed(**values))


def test_a_column_that_is_missing_is_named():
    class Lacking:
        key = "odd"

        def table(self, columns):  # as Parquet has it: what is not there is left out
            return corpus().select([name for name in columns if name != "text"])

    inputs = inputs_of(tokenizer=tokenizer_table())
    inputs.parts["labelled"] = (Lacking(),)
    with pytest.raises(InputError, match="odd have no column 'text'"):
        pack_labels(inputs, CONFIG)


def test_a_recipe_without_a_task_is_refused():
    with pytest.raises(RecipeError, match=r"labels\.kind is 'none'"):
        pack(LabelsConfig(), [pa.Table.from_pylist([], CURATED)])
