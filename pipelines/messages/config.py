"""What a recipe says about its conversations: the ``[conversations]`` table."""

from __future__ import annotations

from dataclasses import dataclass, field

from data_contracts.errors import RecipeError
from pipelines.messages.chat import ChatConfig
from store.step import uncounted


@dataclass(frozen=True)
class ReadConversationsConfig:
    """Where conversations lie and which field of a record holds them.

    Where a file lies is not part of identity: the file itself is.
    """

    path: str = uncounted("")
    messages_field: str = "messages"
    max_record_bytes: int = 16_777_216


@dataclass(frozen=True)
class ConversationsConfig:
    """Conversations that a model learns to answer, after the corpus; without a path, none.

    ``path`` is a folder, a file, a glob or an address of JSON Lines, packed or not, whose records
    have ``messages_field``. No sample is longer than ``max_tokens``, BOS and EOS counted; 0 is what
    a row of ``[instruct]`` takes. ``heldout_ratio`` is the expected share that is held out, by hash
    of what is said. ``marks`` are control symbols of the tokenizer.

    Raises:
        RecipeError: for a value that cannot be, naming its key.
    """

    path: str = uncounted("")
    messages_field: str = uncounted("messages")  # these two change rows by reading alone
    max_record_bytes: int = uncounted(16_777_216)
    max_tokens: int = 0
    heldout_ratio: float = 0.05
    seed: int = 0
    marks: ChatConfig = field(default_factory=ChatConfig)

    def __post_init__(self) -> None:
        if self.max_tokens != 0 and self.max_tokens < 8:
            raise RecipeError(
                f"conversations.max_tokens is {self.max_tokens}; give 8 or more, or 0 for a row."
            )
        if not 0 <= self.heldout_ratio < 1 or not 0 <= self.seed < 2**32:
            raise RecipeError(
                f"conversations.heldout_ratio is {self.heldout_ratio} and seed {self.seed}; the "
                f"ratio must be in [0, 1) and the seed in [0, 2**32)."
            )
        if self.max_record_bytes < 1 or not self.messages_field:
            raise RecipeError(
                "conversations.max_record_bytes must be 1 or more, and messages_field a name."
            )

    def reading(self) -> ReadConversationsConfig:
        """Return what `read_conversations` needs of this."""
        return ReadConversationsConfig(self.path, self.messages_field, self.max_record_bytes)
