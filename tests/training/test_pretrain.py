"""Pre-training as a whole: killed and gone on, the same bits; what it writes, what it refuses."""

from __future__ import annotations

import dataclasses
import json
import signal
import subprocess
import sys
from collections.abc import Callable
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import pytest
import torch
from objective_inputs import inputs_of
from safetensors.torch import load_file

import training.pretrain
from data_contracts.errors import InputError, UsageError
from data_contracts.foreign_shards import open_foreign
from data_contracts.shards import ShardSet
from training.checkpoint import MODEL, OPTIMIZER, load_trained
from training.config import LossTerms, PretrainConfig
from training.derive import model_of
from training.guard import GuardState, Trouble
from training.heldout import Scorer, score_documents
from training.labelled_rows import LabelledRows
from training.loader import PADDING, Loader
from training.memory import training_memory
from training.metrics import Progress
from training.model_config import ModelOptions
from training.precision import Precision
from training.pretrain import PretrainResult, pretrain, refuse_too_large
from training.ranks import Ranks
from training.seen import Seen

ROOT = Path(__file__).resolve().parents[2]
CONFIG = PretrainConfig(
    depth=1,
    context_tokens=16,
    batch_rows=4,
    micro_batch_rows=2,
    num_steps=12,
    warm_up_steps=3,
    dtype="float32",
    checkpoint_every_steps=4,
    evaluate_every_steps=6,
    log_every_steps=1,
)

KILLED = """
import os, signal, sys
from pathlib import Path
import torch
torch.set_num_threads(1)
sys.path.insert(0, sys.argv[1])
from data_contracts.open_shards import open_shards
from training import pretrain
from training.checkpoint import MODEL
from training import config

shards, out, when = Path(sys.argv[2]), Path(sys.argv[3]), sys.argv[4]
kill = lambda *_: os.kill(os.getpid(), signal.SIGKILL)
if when == "saving 8":  # all files written, the folder not yet in its place
    rename = Path.rename
    Path.rename = lambda self, to: kill() if to.name == "step-00000008" else rename(self, to)
config = eval(sys.argv[5], vars(config))
data = open_shards(shards)
sys.path.insert(0, str(Path(sys.argv[1]) / "tests" / "training"))
from objective_inputs import inputs_of
told = lambda p: kill() if when == f"after {p.step}" else None
pretrain.pretrain(config, data, out, told, data, *inputs_of(config, data))
"""


def ignore(progress: Progress) -> None:
    pass


def run_killed(shards: Path, out: Path, when: str, config: PretrainConfig = CONFIG) -> None:
    command = [sys.executable, "-c", KILLED, str(ROOT), str(shards), str(out), when, repr(config)]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == -signal.SIGKILL, done.stderr


@pytest.fixture
def straight(random_shards: ShardSet, tmp_path: Path) -> PretrainResult:
    return pretrain(CONFIG, random_shards, tmp_path / "straight", ignore, random_shards)


def test_killed_thrice_it_ends_with_the_same_bits(
    random_shards: ShardSet, straight: PretrainResult, tmp_path: Path
) -> None:
    out = tmp_path / "killed"
    left = []
    for when in ("after 3", "saving 8", "after 11"):
        run_killed(tmp_path / "shards", out, when)
        found = (out / "checkpoints").glob("*") if (out / "checkpoints").exists() else []
        left.append(sorted(path.name.partition("-")[0] + path.name[-3:] for path in found))
    assert left[0] == ["step000"]
    assert left[1][0].startswith(".par")  # the others are whole, 8 is not
    assert left[1][1:] == ["step000", "step004", "step006"]
    assert left[2] == ["step000", "step006", "step008"]
    torch.rand(5)  # what was drawn before does not matter
    result = pretrain(CONFIG, random_shards, out, ignore, random_shards)
    assert result.resumed_from_step == 8
    for name in (MODEL, OPTIMIZER):
        ours, theirs = load_file(result.checkpoint / name), load_file(straight.checkpoint / name)
        assert len(ours) >= 8
        assert set(ours) == set(theirs)
        assert all(torch.equal(ours[key], theirs[key]) for key in ours)
    exact = ("step", "loss", "gradient_norm", "learning_rate", "scores")
    assert [[line[key] for key in exact] for line in result.curve] == [
        [line[key] for key in exact] for line in straight.curve
    ]
    assert len(result.curve) == 12


def test_the_result_tells_what_was_measured(
    random_shards: ShardSet, straight: PretrainResult, tmp_path: Path
) -> None:
    read = Loader(random_shards, 16, 4, CONFIG.seed).tokens_read(range(12))
    assert straight.num_tokens == read[12] == 12 * 4 * 16 - 8  # the epoch's last row is not full
    assert straight.num_parameters == 50 * 64 + 64 * 192 + 64 * 64 + 3 * 64 * 192 + 3 * 64
    assert straight.tokens_per_second > 0
    assert straight.precision.name == "float32"
    assert [bool(line["scores"]) for line in straight.curve] == ([False] * 5 + [True]) * 2
    model = load_trained(straight.checkpoint, "tokenizer-a")
    scorer = Scorer(16, 2, straight.precision, torch.device("cpu"))
    scores = score_documents(model, random_shards, scorer)
    assert straight.heldout_bits_per_byte == pytest.approx(scores.bits_per_byte, rel=1e-6)
    record = json.loads((tmp_path / "straight" / "run.json").read_text())
    assert record["settings"]["model"]["width"] == 64
    assert record["machine"]["torch"] == torch.__version__
    again = pretrain(CONFIG, random_shards, tmp_path / "straight", ignore, random_shards)
    assert (again.resumed_from_step, again.tokens_per_second) == (12, 0)
    assert again.curve == straight.curve


def test_documents_fitted_into_rows_train_and_end_with_the_same_bits_when_killed(
    random_shards: ShardSet, tmp_path: Path
) -> None:
    config = dataclasses.replace(CONFIG, packing="best_fit")
    straight = pretrain(config, random_shards, tmp_path / "straight", ignore)
    run_killed(tmp_path / "shards", tmp_path / "killed", "after 7", config)
    again = pretrain(config, random_shards, tmp_path / "killed", ignore, random_shards)
    assert again.resumed_from_step == 6  # where the best was written
    ours, theirs = (load_file(run.checkpoint / MODEL) for run in (straight, again))
    assert all(torch.equal(ours[key], theirs[key]) for key in ours)
    assert len(ours) >= 8
    assert straight.packing["rows_per_epoch"] == 98
    assert straight.packing["cut_tokens"] == 0


def test_files_of_another_tool_train_as_the_same_shards_of_ours(
    random_shards: ShardSet, straight: PretrainResult, tmp_path: Path
) -> None:
    files = []
    for shard in random_shards.shards:
        files.append(tmp_path / f"{shard.name}.bin")
        files[-1].write_bytes(shard.tokens.tobytes())
    foreign = open_foreign(files, "raw", random_shards.vocabulary)
    trained = pretrain(CONFIG, foreign, tmp_path / "foreign", ignore, random_shards)
    assert [line["loss"] for line in trained.curve] == [line["loss"] for line in straight.curve]
    assert [line["scores"] for line in trained.curve] == [line["scores"] for line in straight.curve]
    with pytest.raises(InputError, match="do not say how many bytes of text they have"):
        pretrain(CONFIG, random_shards, tmp_path / "none", ignore, foreign)
    assert not (tmp_path / "none").exists()


def test_a_measured_dtype_is_kept_when_going_on(random_shards: ShardSet, tmp_path: Path) -> None:
    auto = dataclasses.replace(CONFIG, dtype="auto")
    first = pretrain(auto, random_shards, tmp_path / "auto", ignore)
    assert first.precision.reason.startswith("measured: bfloat16 is ")
    assert first.heldout_bits_per_byte is None
    again = pretrain(auto, random_shards, tmp_path / "auto", ignore)
    assert again.precision == first.precision
    other = {"float32": "bfloat16", "bfloat16": "float32"}[first.precision.name]
    with pytest.raises(UsageError, match=f"trained with dtype = '{first.precision.name}', not"):
        pretrain(dataclasses.replace(CONFIG, dtype=other), random_shards, tmp_path / "auto", ignore)


def test_the_best_checkpoint_is_kept_and_may_be_the_model(
    random_shards: ShardSet, make_shards: Callable[..., ShardSet], tmp_path: Path
) -> None:
    other = make_shards([[[7, 8, 9] * 40]], folder="other")  # what is learnt makes this one worse
    config = dataclasses.replace(
        CONFIG, evaluate_every_steps=2, keep_checkpoints=1, peak_learning_rate=0.1
    )
    config = dataclasses.replace(config, choose_checkpoint="best")
    best = pretrain(config, random_shards, tmp_path / "best", ignore, other)
    losses = {line["step"]: line["scores"]["heldout_loss"] for line in best.curve if line["scores"]}
    assert len(losses) == 6
    assert best.best_step == min(losses, key=lambda step: losses[step]) < 12
    assert best.checkpoint.name == f"step-{best.best_step:08d}"
    left = sorted(path.name for path in best.checkpoint.parent.iterdir())
    assert left == [best.checkpoint.name, "step-00000012"]
    state = json.loads((best.checkpoint / "state.json").read_text())
    assert state["best"] == {"step": best.best_step, "score": losses[best.best_step]}
    assert state["lineage"]["shards"][0] == {
        "name": "tokens-00000",
        "num_tokens": len(random_shards.shards[0].tokens),
        "num_documents": 30,
    }
    scores = [line["scores"] for line in best.curve if line["step"] == best.best_step]
    assert best.heldout_bits_per_byte == scores[0]["heldout_bits_per_byte"]
    last = dataclasses.replace(config, choose_checkpoint="last")
    found = pretrain(last, random_shards, tmp_path / "last", ignore, other)
    assert found.checkpoint.name == "step-00000012"
    assert found.best_step == best.best_step


def test_tokens_are_those_of_the_documents_that_were_learnt_from(
    random_shards: ShardSet, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken_once(step: int, loss: float, norm: float, state: GuardState, _: Any) -> Any:
        broken = step == 9 and not state.incidents
        return Trouble(step, "loss_spike", loss, norm, 99.0) if broken else None

    monkeypatch.setattr("training.loop.trouble_of", broken_once)
    config = dataclasses.replace(CONFIG, objective="supervised", label_columns=("kind",))
    _, labels = inputs_of(config, random_shards)
    assert labels is not None
    run = pretrain(config, random_shards, tmp_path / "run", ignore, labels=labels)
    (incident,) = run.incidents
    loader = LabelledRows(random_shards, labels.train_NL, 16, 4, config.seed)
    learnt = [n for n in range(30) if not incident.skipped_from <= n < incident.skipped_until][:12]
    assert learnt != list(range(12))
    assert run.num_tokens == sum(int((loader(n).tokens_BS != PADDING).sum()) for n in learnt)
    assert run.num_tokens != loader.tokens_read(range(12))[-1]


def test_what_changes_no_weight_may_change(
    random_shards: ShardSet, straight: PretrainResult, tmp_path: Path
) -> None:
    free = dataclasses.replace(CONFIG, log_every_steps=5, keep_checkpoints=9)
    again = pretrain(free, random_shards, tmp_path / "straight", ignore, random_shards)
    assert again.resumed_from_step == 12
    changes = {"seed": 1, "num_steps": 13, "batch_rows": 2, "peak_learning_rate": 1.0}
    changes |= {"schedule": "wsd", "loss": LossTerms(z_loss=1e-4)}
    changes |= {"packing": "best_fit"}
    for name, value in changes.items():
        config = dataclasses.replace(CONFIG, **{name: value})
        with pytest.raises(UsageError, match=f"was trained with {name} = "):
            pretrain(config, random_shards, tmp_path / "straight", ignore)


def test_other_text_is_refused_in_the_same_folder(
    make_shards: Callable[..., ShardSet], straight: PretrainResult, tmp_path: Path
) -> None:
    other = make_shards([[[3, 4, 5] * 40]], folder="other")
    with pytest.raises(UsageError, match="was trained with shards = "):
        pretrain(CONFIG, other, tmp_path / "straight", ignore)


def test_other_sources_are_refused_in_the_same_folder(
    random_shards: ShardSet, tmp_path: Path
) -> None:
    config = dataclasses.replace(CONFIG, source_weights=(("a", 1.0), ("b", 2.0)))
    for sources, refused in ((["a", "b"] * 30, False), (["b", "a"] * 30, True)):
        seen = Seen(train_sources=sources)
        with pytest.raises(UsageError, match="train_sources = ") if refused else nullcontext():
            pretrain(config, random_shards, tmp_path, ignore, seen=seen)


def test_bad_input_is_refused_before_anything_is_written(
    make_shards: Callable[..., ShardSet], random_shards: ShardSet, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    foreign = make_shards([[[3, 4, 5]]], folder="foreign", tokenizer="tokenizer-b")
    with pytest.raises(InputError, match="tokenize the text again"):
        pretrain(CONFIG, random_shards, out, ignore, foreign)
    with pytest.raises(InputError, match="too few for one batch"):
        pretrain(CONFIG, foreign, out, ignore)
    wrongs = {"depth": 0, "context_tokens": 0, "batch_rows": -1, "num_steps": 0, "dtype": "half"}
    wrongs |= {"schedule": "none", "decay_ratio": 0, "choose_checkpoint": "first"}
    wrongs |= {"device": "abacus", "micro_batch_rows": 0, "warm_up_steps": 12}
    for name, value in wrongs.items():
        with pytest.raises(UsageError, match=f"{name} is {value}; give"):
            pretrain(dataclasses.replace(CONFIG, **{name: value}), random_shards, out, ignore)
    assert not out.exists()


ALONE = """
import sys
class Alone:  # what training may import, and nothing else that is installed
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in FORBIDDEN:
            raise ModuleNotFoundError(name)
FORBIDDEN = set(sys.argv[3].split())
sys.meta_path.insert(0, Alone())
sys.path.insert(0, sys.argv[1])
from pathlib import Path
from data_contracts.open_shards import open_shards
from training.config import LossTerms, PretrainConfig
from training.pretrain import pretrain
config = PretrainConfig(1, 16, 4, 4, num_steps=2, warm_up_steps=1, dtype="float32")
shards = open_shards(Path(sys.argv[2]))
result = pretrain(config, shards, Path(sys.argv[2]).parent / "alone", print, shards)
assert result.heldout_bits_per_byte > 0
"""


def test_training_runs_without_the_rest_of_the_house(
    random_shards: ShardSet, tmp_path: Path
) -> None:
    forbidden = "blake3 catalog duckdb fsspec flows great_expectations numba pipelines prefect"
    done = subprocess.run(
        [sys.executable, "-c", ALONE, str(ROOT), str(tmp_path / "shards"), forbidden],
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("Progress(step=") == 2


OBJECTIVES: dict[str, dict[str, Any]] = {
    "masked": {"objective": "masked", "mask_rate": 0.3, "whole_words": True},
    "supervised": {"objective": "supervised", "label_columns": ("kind", "package")},
    "supervised encoder": {
        "objective": "supervised",
        "shape": "modernbert",
        "label_columns": ("kind",),
        "optimizer": "adamw",
    },
}


@pytest.mark.parametrize(
    "name", ["masked", "supervised", pytest.param("supervised encoder", marks=pytest.mark.slow)]
)
def test_each_objective_goes_on_with_its_bits(
    random_shards: ShardSet, tmp_path: Path, name: str
) -> None:
    """Killed with accumulation: two micro-batches make a step."""
    config = dataclasses.replace(CONFIG, **OBJECTIVES[name])
    needs = inputs_of(config, random_shards)
    straight = pretrain(config, random_shards, tmp_path / "straight", ignore, random_shards, *needs)
    out = tmp_path / "killed"
    for when in ("after 6", "saving 8", "after 11"):
        run_killed(tmp_path / "shards", out, when, config)
    again = pretrain(config, random_shards, out, ignore, random_shards, *needs)
    assert again.resumed_from_step == 8
    for file in (MODEL, OPTIMIZER):
        ours, theirs = (load_file(result.checkpoint / file) for result in (again, straight))
        assert len(ours) >= 8
        assert set(ours) == set(theirs)
        assert all(torch.equal(ours[key], theirs[key]) for key in ours)
    exact = ("step", "loss", "gradient_norm", "learning_rate", "scores")
    assert [[line[key] for key in exact] for line in again.curve] == [
        [line[key] for key in exact] for line in straight.curve
    ]
    assert straight.heldout_accuracy is not None
    assert 0 <= straight.heldout_accuracy <= 1
    assert straight.heldout_bits_per_byte is None
    assert straight.curve[-1]["bits_per_byte"] is None
    settings = json.loads((out / "run.json").read_text())["settings"]
    assert settings["objective"] == config.objective
    assert settings["shape"] == settings["model"]["shape"] == config.model_shape
    assert ("mask_rate" in settings) == (config.objective == "masked")


def test_other_settings_of_an_objective_are_refused_in_the_same_folder(
    random_shards: ShardSet, tmp_path: Path
) -> None:
    config = dataclasses.replace(CONFIG, num_steps=4, **OBJECTIVES["masked"])
    out = tmp_path / "out"
    pieces, _ = inputs_of(config, random_shards)
    assert pieces is not None
    pretrain(config, random_shards, out, ignore, None, pieces)
    rarer = dataclasses.replace(config, mask_rate=0.2)
    with pytest.raises(UsageError, match=r"was trained with mask_rate = 0.3, not 0.2"):
        pretrain(rarer, random_shards, out, ignore, None, pieces)
    other = dataclasses.replace(pieces, special_ids=(0, 1, 2, 4))
    with pytest.raises(UsageError, match="was trained with pieces = "):
        pretrain(config, random_shards, out, ignore, None, other)
    with pytest.raises(UsageError, match="was trained with "):
        pretrain(dataclasses.replace(CONFIG, num_steps=4), random_shards, out, ignore)


def test_dropout_of_a_shape_set_in_the_config_goes_on_with_its_bits(
    random_shards: ShardSet, tmp_path: Path
) -> None:
    options = ModelOptions(width=32, num_heads=2, dropout_ratio=0.3, biases=True)
    config = dataclasses.replace(CONFIG, shape="gpt2", model=options, evaluate_every_steps=None)
    straight = pretrain(config, random_shards, tmp_path / "straight", ignore)
    run_killed(tmp_path / "shards", tmp_path / "killed", "after 6", config)
    again = pretrain(config, random_shards, tmp_path / "killed", ignore)
    assert again.resumed_from_step == 4
    ours, theirs = (load_file(result.checkpoint / MODEL) for result in (again, straight))
    assert ours["embedding.weight"].shape == (50, 32)
    assert "blocks.0.attention.output.bias" in ours
    assert all(torch.equal(ours[name], theirs[name]) for name in theirs)
    without = dataclasses.replace(config, model=dataclasses.replace(options, dropout_ratio=0.0))
    other = pretrain(without, random_shards, tmp_path / "without", ignore)
    assert other.curve[0]["loss"] != straight.curve[0]["loss"]


@pytest.mark.slow
@pytest.mark.parametrize("name", ["causal", "masked", "supervised"])
def test_a_compiled_run_goes_on_with_its_bits(
    random_shards: ShardSet, tmp_path: Path, name: str
) -> None:
    eager_config = dataclasses.replace(
        CONFIG, evaluate_every_steps=None, **OBJECTIVES.get(name, {})
    )
    config = dataclasses.replace(eager_config, compile=True)
    needs = inputs_of(config, random_shards)
    straight = pretrain(config, random_shards, tmp_path / "straight", ignore, None, *needs)
    run_killed(tmp_path / "shards", tmp_path / "killed", "after 6", config)
    again = pretrain(config, random_shards, tmp_path / "killed", ignore, None, *needs)
    assert again.resumed_from_step == 4
    ours, theirs = (load_file(result.checkpoint / MODEL) for result in (again, straight))
    assert all(torch.equal(ours[name], theirs[name]) for name in theirs)
    eager = pretrain(eager_config, random_shards, tmp_path / "eager", ignore, None, *needs)
    assert straight.loss == pytest.approx(eager.loss, rel=1e-4)
    with pytest.raises(UsageError, match="was trained with compile = True, not False"):
        pretrain(eager_config, random_shards, tmp_path / "straight", ignore, None, *needs)


def test_too_little_memory_is_refused_before_anything_is_written(
    random_shards: ShardSet, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(training.pretrain, "free_memory", lambda device: 1000)
    with pytest.raises(UsageError, match=r"GiB of memory and 0\.0 are free; lower pretrain\."):
        pretrain(CONFIG, random_shards, tmp_path / "run", ignore)
    assert not (tmp_path / "run").exists()


def test_processes_share_the_memory_of_a_cpu(monkeypatch: pytest.MonkeyPatch) -> None:
    class Two(Ranks):
        def of_first(self, number: int, device: torch.device) -> int:
            return number

    cpu, precision = torch.device("cpu"), Precision("float32", "")
    config = dataclasses.replace(CONFIG, batch_rows=5, micro_batch_rows=4)
    shape = model_of(config, 600)
    whole, shared = (training_memory(shape, rows, config.optimizer).total for rows in (4, 3))
    for free, ranks, fits in (
        (whole, Ranks(), True),
        (whole, Two(0, 2), False),
        (2 * shared, Two(0, 2), True),
        (2 * shared - 2, Two(0, 2), False),
    ):
        monkeypatch.setattr(training.pretrain, "free_memory", lambda device, free=free: free)
        with nullcontext() if fits else pytest.raises(UsageError, match="are free; lower"):
            refuse_too_large(config, shape, precision, cpu, ranks)
