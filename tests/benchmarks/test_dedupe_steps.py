import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from benchmarks import dedupe_steps
from benchmarks.dedupe_speed import write_texts
from pipelines.dedupe.choose_kept import ChoiceConfig


@pytest.mark.slow
def test_real_steps_keep_one_of_texts_that_are_alike(tmp_path):
    words = [[f"text{n}word{m}" for m in range(60)] for n in range(4)]
    texts = [" ".join(mine) for mine in words]
    texts += [texts[0], texts[1].upper(), " ".join([*words[2], "and", "more"])]
    table = pa.table({"id": [str(n) for n in range(len(texts))], "text": texts})
    kept, seconds = dedupe_steps.run_steps(table, tmp_path, ChoiceConfig(verify="jaccard"))
    assert kept[-1] == "6"  # the longer one
    assert {number % 4 for number in map(int, kept)} == {0, 1, 2, 3}
    assert len(kept) == 4
    assert set(seconds) >= {"ingest", "sign_bands", "compare_candidates", "choose_kept"}


def test_texts_are_written_with_their_numbers(tmp_path):
    read = pq.read_table(write_texts(["a", "b"], tmp_path))
    assert read.to_pylist() == [{"id": "0", "text": "a"}, {"id": "1", "text": "b"}]
