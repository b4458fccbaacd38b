"""sample_texts: a pre-trained model goes on from some prompts -> texts for a person to read."""

from __future__ import annotations

from dataclasses import dataclass

import pyarrow as pa

from data_contracts.errors import UsageError
from data_contracts.models import SAMPLES
from data_contracts.tokenizer import tokenizer_of
from store.step import Inputs, Output, Step
from training.sampling import Sampling, check_prompt
from training.steps.model_parts import open_writer

VERSION = 2


@dataclass(frozen=True)
class SampleConfig:
    """The prompts, and how to go on from each; see `training.sampling.Sampling`.

    Each prompt is drawn for with the same seed, so that its text does not depend on the others. No
    prompt gives no row; the empty one begins a document. ``num_threads`` changes last bits, so it
    counts; one token at a time is work for one thread, and 0 leaves torch's own choice.

    Raises:
        UsageError: if a value is out of range, or a prompt is no Unicode text.
    """

    prompts: tuple[str, ...] = ()
    max_tokens: int = 120
    temperature: float = 0.8
    top_k: int = 50
    seed: int = 0
    num_threads: int = 1

    def __post_init__(self) -> None:
        if self.num_threads < 0:
            raise UsageError(f"num_threads is {self.num_threads}; give 1 or more, or 0 for all")
        for prompt in self.prompts:
            check_prompt(prompt)
        self.sampling()

    def sampling(self) -> Sampling:
        """Return how to draw."""
        return Sampling(self.max_tokens, self.temperature, self.top_k, self.seed)


def sample_texts(inputs: Inputs, config: SampleConfig) -> Output:
    """Write a text for each prompt, in their order; an equal model and config give equal texts.

    Raises:
        UsageError: if the model was trained with another tokenizer, or writes no texts.
    """
    if inputs.scratch is None:
        raise ValueError("sample_texts opens files and needs a folder for those of a bucket")
    from training.precision import threads
    from training.sample import generate, load_processor

    tokenizer = tokenizer_of(inputs.table("tokenizer"))
    processor = load_processor(tokenizer.model)
    digest = tokenizer.vocabulary.tokenizer_digest
    model = open_writer(inputs.one("model"), digest, inputs.scratch)
    rows = []
    with threads(config.num_threads):
        for number, prompt in enumerate(config.prompts, 1):
            inputs.tell(f"text {number} of {len(config.prompts)}")
            text = generate(model, processor, prompt, config.sampling())
            drawn = {"temperature": config.temperature, "seed": config.seed}
            rows.append({"prompt": prompt, "text": text, **drawn})
    return Output(pa.Table.from_pylist(rows, SAMPLES))


STEP = Step(
    name="sample_texts",
    version=VERSION,
    kind="whole",
    run=sample_texts,
    config=SampleConfig,
    schema=SAMPLES,
    inputs={"model": "all", "tokenizer": "all"},
    libraries=("sentencepiece", "torch"),
    emits="model",  # what a model wrote is no document, so there is none to account for
)
