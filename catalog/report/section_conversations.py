"""Conversations as the page shows them: what was packed, what was not, and what was learnt."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from catalog.report import words
from catalog.report.facts import ConversationFacts, ConversationSide
from catalog.report.section_trained import Curve, loss_chart, training_table
from catalog.report.section_tuned import plain_settings

TONES = {"train": "a", "heldout": "b"}
MEANINGS = {
    "messages.too_long": "one exchange is longer than a sample may be",
    "messages.unanswered": "what fits has no answer",
    "messages.no_messages": "it has no list of turns",
    "messages.bad_role": "a turn is of no known role, or a system turn is not the first",
    "messages.bad_content": "what a turn says is no text",
}


def conversations_view(found: ConversationFacts | None) -> dict[str, Any] | None:
    """Return what the template shows of conversations."""
    if found is None:
        return None
    return {
        "sentences": list(sentences(found)),
        "sides": [_side(side) for side in found.sides],
        "lost": list(_lost(found)),
        "settings": plain_settings(found.settings),
        "differences": plain_settings(found.differences),
        "chart": loss_chart(_from_before(found), "token") if found.taught else "",
        "facts": training_table(found.taught) if found.taught else [],
    }


def sentences(found: ConversationFacts) -> Iterator[str]:
    """Yield the totals, and what the training came to, as a person would tell them."""
    packed = sum(side.num_conversations for side in found.sides)
    unread, left_out = sum(found.errors.values()), sum(found.left_out.values())
    yield (
        f"{words.plural(found.num_read, 'conversation')} came in: {words.count(packed)} packed, "
        f"{words.count(left_out)} left out, {words.count(unread)} in quarantine."
    )
    if found.aside:
        reasons = ", ".join(f"{words.count(n)} {reason}" for reason, n in found.aside.items())
        yield (
            f"{words.plural(sum(found.aside.values()), 'exchange')} of packed ones found no place "
            f"in a sample: {reasons}."
        )
    if change := _change(found):
        yield change


def losses(found: ConversationFacts) -> tuple[float | None, float | None]:
    """Return the loss on held-out conversations before and after the training, where known."""
    if found.taught is None:
        return None, None
    facts, curve = found.taught.facts, found.taught.curve.get("heldout_loss", ())
    last = next((loss for loss in reversed(curve) if loss is not None), None)
    told = facts.get("heldout_loss_before"), facts.get("heldout_loss", last)
    before, after = (loss if words.is_number(loss) else None for loss in told)
    return before, after


def _change(found: ConversationFacts) -> str:
    before, after = losses(found)
    if after is None:
        return ""
    began = "" if before is None else f"; of the model that it began with it is {before:.3f}"
    return (
        f"On held-out conversations the loss of what the assistant says is {after:.3f} nats a token"
        f"{began}."
    )


def _side(side: ConversationSide) -> dict[str, str]:
    return {
        "name": "held out" if side.split == "heldout" else side.split,
        "tone": TONES.get(side.split, "d"),
        "conversations": words.count(side.num_conversations),
        "samples": words.count(side.num_samples),
        "tokens": words.count(side.num_tokens),
        "asked": words.count(side.num_asked),
        "share": words.share(side.num_asked / side.num_tokens if side.num_tokens else None),
    }


def _lost(found: ConversationFacts) -> Iterator[dict[str, str]]:
    """Yield the reasons why conversations are not packed, those of packing first."""
    for reason, number in found.left_out.items():
        yield _row("left out", reason, number)
    for reason, number in found.errors.items():
        yield _row("in quarantine", reason, number)


def _row(fate: str, reason: str, number: int) -> dict[str, str]:
    meaning = MEANINGS.get(reason, "")
    return {"fate": fate, "reason": reason, "meaning": meaning, "count": words.count(number)}


def _from_before(found: ConversationFacts) -> Curve:
    """Return the curve with, at no tokens, the held-out loss of the model that it began with."""
    assert found.taught is not None
    curve, (before, _) = found.taught.curve, losses(found)
    if before is None:
        return curve
    start = {"num_tokens": 0.0, "heldout_loss": before}
    return {name: (start.get(name), *values) for name, values in curve.items()}
