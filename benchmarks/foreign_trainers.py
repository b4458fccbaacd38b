"""Whole loops of others that a benchmark lets step in turn: transformers.Trainer and litgpt.

Each runs its own loop in a thread, with its own data loader, optimiser and schedule, and waits
after every step until it may take the next: where the loop asks for data (litgpt), or tells that a
step is done (Trainer). `benchmarks/trainers.txt` says what must be installed.

Shapes: B rows, T tokens, S = T + 1.
"""

from __future__ import annotations

import contextlib
import io
import logging
import tempfile
import threading
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader, Dataset

from benchmarks.trainers import BETAS, CLIP_NORM, WEIGHT_DECAY, Setting, Trainer


class Turns:
    """A loop in a thread that goes on by one step at a time; errors of the loop are raised here."""

    def __init__(self, loop: Callable[[Turns], None]):
        self.loop, self.error = loop, None
        self.go, self.done = threading.Semaphore(0), threading.Semaphore(0)
        self.thread = threading.Thread(target=self._run, daemon=True)
        self.num_threads = torch.get_num_threads()

    def step(self) -> None:
        """Let the loop take one step, the first one after all of its set-up."""
        if self.thread.ident is None:
            self.thread.start()
        else:
            self.go.release()
        self.done.acquire()
        if self.error is not None:
            raise self.error

    def wait(self) -> None:
        """Called in the loop after a step: wait for the next turn."""
        self.done.release()
        self.go.acquire()

    def _run(self) -> None:
        torch.set_num_threads(self.num_threads)
        try:
            self.loop(self)
        except BaseException as error:  # whatever it is, it is the caller's
            self.error = error
        self.done.release()


class Windows(Dataset):
    """T + 1 tokens from each place of a text."""

    def __init__(self, setting: Setting):
        self.length = setting.shape.context_tokens + 1
        self.text = torch.from_numpy(setting.learnt.shards[0].tokens.astype(np.int64))

    def __len__(self) -> int:
        return len(self.text) - self.length + 1

    def __getitem__(self, place: int) -> Tensor:
        return self.text[place : place + self.length]


def transformers_trainer(setting: Setting) -> Trainer:
    """Return the steps of `transformers.Trainer` on `GPT2LMHeadModel` or `LlamaForCausalLM`."""
    from transformers import Trainer as TheirTrainer
    from transformers import TrainerCallback, TrainingArguments
    from transformers.trainer_callback import PrinterCallback

    torch.manual_seed(setting.seed)
    model = their_model(setting)
    schedule = setting.schedule
    asked = TrainingArguments(
        tempfile.mkdtemp(),
        use_cpu=setting.device.type == "cpu",
        bf16=setting.precision.name == "bfloat16",
        per_device_train_batch_size=setting.rows,
        max_steps=schedule.num_steps,
        learning_rate=schedule.peak,
        lr_scheduler_type="cosine_with_min_lr",
        lr_scheduler_kwargs={"min_lr_rate": schedule.final_ratio},
        warmup_steps=schedule.warm_up_steps,
        weight_decay=WEIGHT_DECAY,
        adam_beta1=BETAS[0],
        adam_beta2=BETAS[1],
        max_grad_norm=CLIP_NORM,
        seed=setting.seed,
        logging_strategy="no",
        save_strategy="no",
        report_to=[],
        disable_tqdm=True,
        remove_unused_columns=False,
        torch_compile=setting.compiled,
    )

    class AfterEach(TrainerCallback):
        def on_step_end(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
            if state.global_step < state.max_steps:
                turns.wait()

    trainer = TheirTrainer(
        model,
        asked,
        next_tokens,
        train_dataset=Windows(setting),
        callbacks=[AfterEach()],
        compute_loss_func=next_token_loss,
    )
    trainer.remove_callback(PrinterCallback)
    turns = Turns(lambda turns: trainer.train() and None)
    name = f"transformers.Trainer, {setting.shape.shape}"
    return Trainer(
        name, setting.shape, model, turns.step, lambda tokens_BT: model(tokens_BT).logits
    )


def next_tokens(windows: list[Tensor]) -> dict[str, Tensor]:
    """Return inputs and targets [B, T] of windows of T + 1 tokens."""
    rows_BS = torch.stack(windows)
    return {"input_ids": rows_BS[:, :-1], "labels": rows_BS[:, 1:]}


def next_token_loss(outputs: Any, targets_BT: Tensor, num_items_in_batch: Any = None) -> Tensor:
    """Return the mean loss of T targets, where their models, given labels, ask for T - 1."""
    logits_BTV = outputs.logits.float()
    return nn.functional.cross_entropy(logits_BTV.flatten(0, 1), targets_BT.flatten())


def their_model(setting: Setting) -> nn.Module:
    """Return a model of `transformers` in a shape, with its own initial weights."""
    from transformers import GPT2Config, GPT2LMHeadModel, LlamaConfig, LlamaForCausalLM

    shape = setting.shape
    if shape.shape == "gpt2":
        config = GPT2Config(
            vocab_size=shape.vocab_size,
            n_positions=shape.context_tokens,
            n_embd=shape.width,
            n_layer=shape.num_layers,
            n_head=shape.num_heads,
            resid_pdrop=0.0,
            embd_pdrop=0.0,
            attn_pdrop=0.0,
            bos_token_id=0,
            eos_token_id=0,
            use_cache=False,
        )
        return GPT2LMHeadModel(config)
    return LlamaForCausalLM(
        LlamaConfig(
            vocab_size=shape.vocab_size,
            hidden_size=shape.width,
            intermediate_size=shape.feed_forward_width,
            num_hidden_layers=shape.num_layers,
            num_attention_heads=shape.num_heads,
            num_key_value_heads=shape.num_kv_heads,
            max_position_embeddings=shape.context_tokens,
            tie_word_embeddings=True,
            bos_token_id=0,
            eos_token_id=0,
            use_cache=False,
        )
    )


def litgpt(setting: Setting) -> Trainer:
    """Return the steps of litgpt's ``pretrain.fit`` on its own llama, the head tied as ours is."""
    import lightning
    from litgpt.config import Config
    from litgpt.model import GPT
    from litgpt.pretrain import initialize_weights
    from litgpt.utils import instantiate_torch_optimizer

    shape = setting.shape
    numbers = "32-true" if setting.precision.name == "float32" else "bf16-mixed"
    kind = "cpu" if setting.device.type == "cpu" else "gpu"
    fabric = lightning.Fabric(accelerator=kind, devices=1, precision=numbers)
    fabric.seed_everything(setting.seed, verbose=False)
    config = Config(
        block_size=shape.context_tokens,
        n_layer=shape.num_layers,
        n_embd=shape.width,
        vocab_size=shape.vocab_size,
        padded_vocab_size=shape.vocab_size,
        norm_class_name="RMSNorm",
        n_head=shape.num_heads,
        n_query_groups=shape.num_kv_heads,
        rotary_percentage=1.0,
        parallel_residual=False,
        bias=False,
        mlp_class_name="LLaMAMLP",
        intermediate_size=shape.feed_forward_width,
    )
    model = GPT(config)
    initialize_weights(fabric, model, n_layer=config.n_layer, n_embd=config.n_embd)
    model.transformer.wte.weight = model.lm_head.weight
    model = fabric.setup(torch.compile(model) if setting.compiled else model)
    model.max_seq_length = shape.context_tokens
    optimizer = instantiate_torch_optimizer(
        "AdamW",
        model.parameters(),
        lr=setting.schedule.peak,
        weight_decay=WEIGHT_DECAY,
        betas=BETAS,
        fused=kind == "gpu",
    )
    state = {"model": model, "optimizer": fabric.setup_optimizers(optimizer)}
    turns = Turns(lambda turns: fit(setting, fabric, state, turns))
    return Trainer("litgpt, llama", shape, model, turns.step, model)


def fit(setting: Setting, fabric: Any, state: dict[str, Any], turns: Turns) -> None:
    """Run litgpt's loop, which waits where it asks for the data of its next step."""
    from litgpt.args import EvalArgs, TrainArgs
    from litgpt.pretrain import fit as their_fit

    schedule, rows, length = setting.schedule, setting.rows, setting.shape.context_tokens
    loader = DataLoader(
        Windows(setting),
        rows,
        shuffle=True,
        generator=torch.Generator().manual_seed(setting.seed),
    )
    train = TrainArgs(
        save_interval=None,
        log_interval=schedule.num_steps,
        global_batch_size=rows,
        micro_batch_size=rows,
        lr_warmup_steps=schedule.warm_up_steps,
        max_tokens=schedule.num_steps * rows * length,
        max_norm=CLIP_NORM,
        min_lr=schedule.peak * schedule.final_ratio,
    )
    whole = {**state, "hparams": {}, "iter_num": 0, "step_count": 0}
    judging = EvalArgs(interval=1 << 40, max_iters=1, final_validation=False)
    their_fit(
        fabric, 1, whole, InTurn(loader, turns), [next(iter(loader))], Path(), None, train, judging
    )


class InTurn:
    """A data loader that gives each batch after the first in its turn."""

    def __init__(self, loader: DataLoader, turns: Turns):
        self.loader, self.turns = loader, turns

    def __len__(self) -> int:
        return len(self.loader)

    def __iter__(self) -> Iterator[Tensor]:
        for number, batch in enumerate(self.loader):
            if number:
                self.turns.wait()
            yield batch


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """Keep what these libraries print and warn of to themselves."""
    logging.getLogger("lightning").setLevel(logging.ERROR)
    with warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()):
        warnings.simplefilter("ignore")
        yield
