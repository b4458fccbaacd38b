"""Pre-training as the page shows it: curves, how well held-out text is predicted, samples."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from catalog.report import words
from catalog.report.charts import Bar, Series, bar_chart, line_chart, smoothed, thinned
from catalog.report.facts import Heldout, Pretraining, Variant

MAX_POINTS = 400  # drawn of one curve
MAX_SAMPLE_CHARS = 1500
SHAPE_WORDS = {
    "num_layers": "layers",
    "width": "width",
    "num_heads": "query heads",
    "num_kv_heads": "key/value heads",
    "feed_forward_width": "feed-forward width",
    "context_tokens": "tokens of context",
    "vocab_size": "vocabulary",
}

TARGETS = {"masked": "hidden token", "supervised": "label"}

Curve = Mapping[str, tuple[float | None, ...]]


def pretraining_view(trained: Pretraining | None) -> dict[str, Any] | None:
    """Return what the template shows of pre-training."""
    if trained is None:
        return None
    return {
        "loss": loss_chart(trained.curve, target_of(trained.facts)),
        "target": target_of(trained.facts),
        "objective": _objective(trained.facts),
        "score": _score(trained),
        "variants": _variant_rows(trained),
        "variant_losses": [_variant_loss(variant) for variant in trained.variants],
        "rate": _rate_chart(trained.curve),
        "facts": training_table(trained),
        "shape": _shape(trained.description),
        "heldout": _heldout(trained.heldout),
    }


def _column(curve: Curve, name: str) -> list[tuple[float, float]]:
    """Return a column of the curve by tokens read, in `_unit`, without empty places."""
    unit, _ = _unit(curve)
    pairs = zip(curve.get("num_tokens", ()), curve.get(name, ()), strict=False)
    return [(x / unit, y) for x, y in pairs if x is not None and y is not None]


def _unit(curve: Curve) -> tuple[float, str]:
    """Return in how many tokens the axis counts, and its name."""
    most = max((x for x in curve.get("num_tokens", ()) if x is not None), default=0)
    return (1e6, "million tokens read") if most >= 1e6 else (1e3, "thousand tokens read")


def target_of(facts: Mapping[str, Any]) -> str:
    """Return of what a model's loss is the mean."""
    return TARGETS.get(str(facts.get("objective")), "token")


def _objective(facts: Mapping[str, Any]) -> str:
    """Return in a sentence what the model learnt, "" of a causal one."""
    columns = facts.get("label_columns") or ()
    return {
        "masked": "The model guesses hidden tokens from both sides; it writes no texts.",
        "supervised": f"The model names labels of documents ({', '.join(map(str, columns))}); "
        "it writes no texts.",
    }.get(str(facts.get("objective")), "")


def _score(trained: Pretraining) -> str:
    """Return how a model that is no causal one did on held-out documents, "" if not known."""
    masked, accuracy = trained.scored.get("masked_accuracy"), trained.facts.get("heldout_accuracy")
    if words.is_number(masked):
        loss = words.digits(trained.scored["masked_loss"], 4)
        return f"{words.share(masked)} of hidden tokens guessed, {loss} nats a guess"
    if trained.facts.get("objective") == "supervised" and words.is_number(accuracy):
        return f"{words.share(accuracy)} of labels right"
    return ""


def _variant_rows(trained: Pretraining) -> list[dict[str, str]]:
    """Return all pre-trainings as rows of a table, none if there is but one."""
    if not trained.variants:
        return []
    named = [("pre-trained", trained.facts), *((v.name, v.facts) for v in trained.variants)]
    return [_variant_row(name, facts) for name, facts in named]


def _variant_row(name: str, facts: Mapping[str, Any]) -> dict[str, str]:
    bits, accuracy = facts.get("heldout_bits_per_byte"), facts.get("heldout_accuracy")
    score = words.NOT_KNOWN
    if words.is_number(bits):
        score = f"{words.digits(bits, 4)} bits per byte"
    elif words.is_number(accuracy):
        score = f"{words.share(accuracy)} of {target_of(facts)}s right"
    return {
        "name": name,
        "objective": str(facts.get("objective", "causal")),
        "shape": str(facts.get("shape", "llama")),
        "parameters": _number(facts, "num_parameters", words.count) or words.NOT_KNOWN,
        "tokens": _number(facts, "num_tokens", words.count) or words.NOT_KNOWN,
        "loss": f"{_number(facts, 'loss', lambda v: words.digits(v, 4))} nats a {target_of(facts)}",
        "score": score,
        "time": _number(facts, "training_seconds", words.duration) or words.NOT_KNOWN,
    }


def _variant_loss(variant: Variant) -> tuple[str, str]:
    """Return the title and the chart of a further pre-training's loss."""
    target = target_of(variant.facts)
    return f"{variant.name}: loss, nats a {target}", loss_chart(variant.curve, target)


def loss_chart(curve: Curve, target: str) -> str:
    """Draw the loss on train text, smoothed over a fortieth of the run, and on held-out text."""
    mine = [(x, y) for x, y in _column(curve, "loss") if words.is_number(y)]
    window = max(1, len(mine) // 40)
    drawn = thinned(smoothed(mine, window), MAX_POINTS)
    other = _column(curve, "heldout_loss")
    series = [
        Series("train" if window == 1 else "train, smoothed", drawn, "a"),
        Series("held-out", other, "b", marked=len(other) <= 60),
    ]
    title = f"Loss in nats a {target}, by tokens read"
    return line_chart(title, [line for line in series if line.points], _unit(curve)[1])


def _rate_chart(curve: Curve) -> str:
    rates = thinned(_column(curve, "learning_rate"), MAX_POINTS)
    title = "Learning rate, by tokens read"
    series = [Series("learning rate", rates, "c")] if rates else []
    return line_chart(title, series, _unit(curve)[1], height=160)


def training_table(trained: Pretraining) -> list[tuple[str, str]]:
    """Return what the receipt tells of the training, as names and values in words."""
    facts, target = trained.facts, target_of(trained.facts)
    rates = [rate for rate in trained.curve.get("learning_rate", ()) if rate is not None]
    steps = facts.get("num_steps") or max(
        (s or 0 for s in trained.curve.get("step", ())), default=0
    )
    told: list[tuple[str, str | None]] = [
        ("objective", facts.get("objective")),
        ("shape", facts.get("shape")),
        ("parameters", _number(facts, "num_parameters", words.count)),
        ("tokens read", _number(facts, "num_tokens", words.count)),
        ("steps", words.count(steps) if steps else None),
        ("packing", _packing(facts, trained.description)),
        ("peak learning rate", f"{max(rates):.3g}" if rates else None),
        ("speed", _number(facts, "tokens_per_second", lambda v: f"{words.count(v)} tokens/s")),
        (
            "waiting for data",
            _number(facts, "waiting_ratio", lambda v: f"{words.share(v)} of the time"),
        ),
        ("training time", _number(facts, "training_seconds", words.duration)),
        ("number format", _precision(facts)),
        ("device", _device(facts)),
        ("train loss", _number(facts, "loss", lambda v: f"{words.digits(v, 4)} nats a {target}")),
        ("held-out documents", _score(trained)),
        ("gone on from step", _number(facts, "resumed_from_step", words.count)),
    ]
    nothing = (None, "", "0")
    return [(name, value) for name, value in told if value not in nothing]


def _number(facts: Mapping[str, Any], name: str, form: Any) -> str | None:
    return str(form(facts[name])) if words.is_number(facts.get(name)) else None


def _packing(facts: Mapping[str, Any], description: Mapping[str, Any]) -> str | None:
    """Return how documents made rows: the plan's name, what is in no row, what was filled up."""
    told = [str(description["packing"]).replace("_", " ")] if description.get("packing") else []
    if words.is_number(facts.get("cut_tokens")):
        told.append(f"{words.plural(facts['cut_tokens'], 'token')} in no row")
    if words.is_number(facts.get("padding_ratio")):
        told.append(f"{words.share(facts['padding_ratio'])} padding")
    return ", ".join(told) or None


def _precision(facts: Mapping[str, Any]) -> str | None:
    if not facts.get("dtype"):
        return None
    why = f" ({facts['dtype_reason']})" if facts.get("dtype_reason") else ""
    return f"{facts['dtype']}{why}"


def _device(facts: Mapping[str, Any]) -> str | None:
    threads = facts.get("num_threads")
    told = [str(facts[name]) for name in ("device", "processor") if facts.get(name)]
    return ", ".join([*told, words.plural(threads, "thread")] if words.is_number(threads) else told)


def _shape(description: Mapping[str, Any]) -> list[tuple[str, str]]:
    shape = description.get("model")
    if not isinstance(shape, dict):
        return []
    return [
        (name, words.count(shape[key]))
        for key, name in SHAPE_WORDS.items()
        if words.is_number(shape.get(key))
    ]


def _heldout(heldout: Heldout | None) -> dict[str, Any] | None:
    if heldout is None:
        return None
    groups = sorted(heldout.groups, key=lambda group: (group.bits_per_byte, group.name))
    bars = [
        Bar(
            group.name,
            group.bits_per_byte,
            f"{group.bits_per_byte:.2f}",
            f"{group.num_documents:,} docs",
            f"{group.name}: {group.bits_per_byte:.4f} bits per byte of {group.num_documents:,} "
            f"documents, {words.size(group.num_bytes)}",
        )
        for group in groups
    ]
    title = f"Bits per byte of held-out text by {heldout.grouped_by}, best first"
    mark = (heldout.bits_per_byte, f"all: {heldout.bits_per_byte:.2f}")
    return {
        "chart": bar_chart(title, bars, mark=mark),
        "bits": words.digits(heldout.bits_per_byte, 4),
        "num_documents": heldout.num_documents,
        "size": words.size(heldout.num_bytes),
        "by": heldout.grouped_by,
    }


def samples_view(trained: Pretraining | None) -> list[dict[str, Any]]:
    """Return the samples, prompt and continuation apart, long ones cut."""
    found = []
    for sample in trained.samples if trained else ():
        written = sample.text
        if written.startswith(sample.prompt):
            written = written[len(sample.prompt) :]
        found.append(
            {
                "prompt": words.clipped(sample.prompt, MAX_SAMPLE_CHARS),
                "written": words.clipped(written, MAX_SAMPLE_CHARS),
                "temperature": f"{sample.temperature:g}",
                "seed": sample.seed,
            }
        )
    return found
