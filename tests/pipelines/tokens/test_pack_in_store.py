"""From curated partitions to opened shards through a real home: what is kept, shared and redone."""

from dataclasses import dataclass

import models
import pytest
from small_corpus import real_parts

from data_contracts.documents import CURATED
from data_contracts.errors import Damaged, InputError
from data_contracts.open_shards import open_shards
from data_contracts.shard_index import file_names
from data_contracts.verify_shards import verify_shards
from pipelines.tokenizer.given_model import with_model_digests
from pipelines.tokenizer.train_tokenizer import STEP as TRAIN_TOKENIZER
from pipelines.tokenizer.train_tokenizer import TokenizerConfig
from pipelines.tokens import pack_tokens as module
from pipelines.tokens.pack_tokens import SPLITS, PackConfig
from pipelines.tokens.pack_tokens import STEP as PACK_TOKENS
from store.datasets import StoredPart
from store.errors import DiskFull
from store.graph import Graph, Node
from store.plan import plan_node
from store.runner import Runner
from store.step import Output, SourcePart, Step, uncounted
from store.storage import Storage
from store.verify import verify


@dataclass(frozen=True)
class CorpusConfig:
    """How many of the two partitions there are."""

    num_parts: int = uncounted(2)


def curate(inputs, config):
    table = real_parts()[int(inputs.key)]
    return Output(table, facts={"records_framed": len(table)})


def list_parts(config):
    return [SourcePart(str(i), ()) for i in range(config.num_parts)]


CURATE = Step("curate", 1, "source", curate, CorpusConfig, CURATED, list_parts=list_parts)


def run(storage, num_parts=2, vocab_size=600, tokenizer=None):
    tokenizer = tokenizer or TokenizerConfig(vocab_size)
    graph = Graph(
        [
            Node(CURATE, CorpusConfig(num_parts)),
            Node(TRAIN_TOKENIZER, tokenizer, {"curated": "curate"}),
            Node(PACK_TOKENS, PackConfig(), {"curated": "curate", "tokenizer": "train_tokenizer"}),
        ]
    )
    plans, results = {}, {}
    with Runner(storage) as runner:
        for node in graph:
            plan = plan_node(storage, node, plans)
            results[node.name] = runner.run(plan)
            plans[node.name] = plan.completed(results[node.name].dataset)
    return results


def folders(storage, result, tmp_path):
    """Return the folders of the packed partitions' files, as a trainer gets them."""
    found = []
    for receipt in result.dataset.parts:
        part = StoredPart(storage, receipt, "all")
        folder = {part.file(name, tmp_path).parent for name in file_names(SPLITS)}
        found += folder
    return found


def test_a_character_that_would_be_lost_leaves_nothing_half_published(tmp_path):
    storage = Storage(str(tmp_path / "home"))
    model = tmp_path / "theirs.model"
    model.write_bytes(models.train(byte_fallback=False, character_coverage=0.98))
    config = with_model_digests(TokenizerConfig(model=str(model)))
    with pytest.raises(InputError, match="use a tokenizer with byte fallback"):
        run(storage, tokenizer=config)
    made = {path.parent.name for path in (tmp_path / "home" / "parts").rglob("*.json")}
    assert made == {"curate", "train_tokenizer"}
    assert list((tmp_path / "home").rglob("*.bin")) == []
    assert run(storage)["pack_tokens"].num_computed == 2


def test_shards_lie_in_the_home_and_open_as_one_set(tmp_path):
    storage = Storage(str(tmp_path / "home"))
    packed = run(storage)["pack_tokens"]
    where = folders(storage, packed, tmp_path)
    assert len(where) == 2
    opened = [open_shards(where, [split]) for split in SPLITS]
    assert sum(shards.num_documents for shards in opened) == sum(map(len, real_parts())) > 30
    facts = [receipt.facts for receipt in packed.dataset.parts]
    assert [shards.num_tokens for shards in opened] == [
        sum(fact[f"{split}_tokens"] for fact in facts) for split in SPLITS
    ]
    assert sum(map(verify_shards, where)) > 0
    assert packed.dataset.rows.kept == packed.dataset.rows.num_in > 30
    assert [result.num_computed for result in run(storage).values()] == [0, 0, 0]


def test_another_tokenizer_makes_other_partitions_and_the_two_do_not_mix(tmp_path):
    storage = Storage(str(tmp_path / "home"))
    one = run(storage)["pack_tokens"]
    other = run(storage, vocab_size=700)
    assert [result.num_computed for result in other.values()] == [0, 1, 2]
    digests = {
        open_shards(folder).tokenizer_digest
        for result in (one, other["pack_tokens"])
        for folder in folders(storage, result, tmp_path)
    }
    assert len(digests) == 2


def test_any_flipped_byte_of_a_packed_partition_is_found(tmp_path):
    storage = Storage(str(tmp_path / "home"))
    (folder,) = folders(storage, run(storage, num_parts=1)["pack_tokens"], tmp_path)
    flipped = 0
    for path in sorted(folder.iterdir()):
        data = path.read_bytes()
        path.chmod(0o644)
        for position in {0, len(data) // 2, len(data) - 1}:
            changed = bytearray(data)
            changed[position] ^= 1 + position % 255
            path.write_bytes(changed)
            found = [finding.name for finding in verify(storage, steps={"pack_tokens"}).findings]
            assert any(name.endswith(path.name) for name in found), (path.name, position)
            with pytest.raises(Damaged):
                verify_shards(folder)
            flipped += 1
        path.write_bytes(data)
    assert verify(storage, steps={"pack_tokens"}).findings == ()
    assert flipped == 3 * len(file_names(SPLITS))


@pytest.mark.parametrize("written", [0, 1])
def test_a_full_disk_while_packing_publishes_nothing(tmp_path, monkeypatch, written):
    """The disk is full after the first shard, or after both, before the index."""
    storage = Storage(str(tmp_path / "home"))
    name = "write_index" if written else "write_shard"
    before = getattr(module, name)

    def full_disk(folder, *arguments):
        if name == "write_shard" and arguments[0] == SPLITS[0]:
            return before(folder, *arguments)
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(module, name, full_disk)
        with pytest.raises(DiskFull):
            run(storage, num_parts=1)
    assert not list(storage.list("parts/pack_tokens"))
    assert not list(storage.list("datasets/pack_tokens"))
    (folder,) = folders(storage, run(storage, num_parts=1)["pack_tokens"], tmp_path)
    assert verify_shards(folder) > 0


def test_a_cut_shard_is_found_when_it_is_asked_for(tmp_path):
    storage = Storage(str(tmp_path / "home"))
    packed = run(storage, num_parts=1)["pack_tokens"]
    (folder,) = folders(storage, packed, tmp_path)
    path = folder / "train.bin"
    path.chmod(0o644)
    path.write_bytes(path.read_bytes()[:-2])
    with pytest.raises(Damaged):
        folders(storage, packed, tmp_path)
    with pytest.raises(Damaged):
        open_shards(folder)
