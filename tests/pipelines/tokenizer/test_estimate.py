"""What is told before learning, against what it took; too much for the machine."""

import subprocess
import sys
from pathlib import Path

import pytest

from data_contracts.errors import RecipeError
from pipelines.tokenizer import estimate as module
from pipelines.tokenizer.estimate import announced, estimate, machine_bytes
from store.peak_memory import peak_bytes

CODE = """
import sys
sys.path.insert(0, sys.argv[1])
from small_corpus import real_texts
from pipelines.tokenizer.sample import Lines
from pipelines.tokenizer.train_tokenizer import TokenizerConfig, train_model
from store.peak_memory import peak_bytes
texts = real_texts() * 20
before = peak_bytes()
train_model(Lines(texts), TokenizerConfig(vocab_size=2000, model_type=sys.argv[2]))
print(sum(len(text.encode()) for text in texts), peak_bytes() - before)
"""


def test_more_text_takes_more_and_unigram_more_than_bpe():
    small, large = estimate("bpe", 1_000_000), estimate("bpe", 100_000_000)
    assert small.seconds * 99 < large.seconds
    assert small.memory_bytes < large.memory_bytes
    assert estimate("unigram", 1_000_000) > small


@pytest.mark.slow
@pytest.mark.parametrize("model_type", ["bpe", "unigram"])
def test_memory_is_bounded_by_what_is_told(model_type):
    here = str(Path(__file__).resolve().parents[1])
    root = str(Path(__file__).resolve().parents[3])
    done = subprocess.run(
        [sys.executable, "-c", CODE, here, model_type],
        env={"PYTHONPATH": root, "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        check=True,
    )
    sample_bytes, grown = map(int, done.stdout.split())
    assert 0 < grown < estimate(model_type, sample_bytes).memory_bytes


def test_the_line_tells_time_and_memory():
    told = announced("unigram", 8_000_000)
    assert told.startswith("learning a unigram tokenizer from 8.0 MB takes about 40 s")
    assert "0.3 GB of memory" in told


def test_too_little_memory_is_an_error_that_names_the_setting_and_a_value_that_does(monkeypatch):
    monkeypatch.setattr(module, "machine_bytes", lambda: 1_000_000_000)
    with pytest.raises(RecipeError, match=r"and this machine has 1\.0; set tokenizer") as caught:
        announced("bpe", 1 << 32)
    most = int(str(caught.value).split("sample_bytes to ")[1].split(" ")[0].replace(",", ""))
    announced("bpe", most)
    with pytest.raises(RecipeError):
        announced("bpe", most + 1)


def test_a_container_has_less_than_its_machine(tmp_path, monkeypatch):
    whole = machine_bytes()
    assert whole > peak_bytes()
    limit = tmp_path / "memory.max"
    monkeypatch.setattr(module, "_CGROUP_LIMITS", (str(limit), str(tmp_path / "none")))
    limit.write_text("max\n")
    assert machine_bytes() >= whole
    limit.write_text("123456789\n")
    assert machine_bytes() == 123_456_789
