"""How near-duplicates are looked for: which hashes of a text must meet for a comparison."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

from data_contracts.errors import RecipeError

Preset = Literal["fineweb", "high-recall", "text-dedup", "minhash@datatrove-0.10", "none"]
MAX_PERMUTATIONS = 4096
MAX_BUCKETS = 2**16

# Bands and rows. 14 x 8: FineWeb (Penedo et al. 2024, section 3.4). 18 x 6: finds 0.996 of pairs
# at a similarity of 0.8. 24 x 10: what text-dedup draws from 240 permutations for a threshold of
# 0.7, with as much weight on what is missed as on what is compared in vain.
BANDINGS: dict[str, tuple[int, int]] = {
    "fineweb": (14, 8),
    "high-recall": (18, 6),
    "text-dedup": (24, 10),
    "minhash@datatrove-0.10": (14, 8),
    "none": (0, 0),
}


@dataclass(frozen=True)
class BandsConfig:
    """The bands of a text's signature.

    ``dialect`` is whose words, hashes and permutations they are. ``num_bands`` of 0: no near-
    duplicates are looked for, and no text is read. ``num_buckets``: into how many parts, at least
    1, the search is divided; it bounds memory and changes no pair.
    """

    dialect: Literal["millrace", "datatrove-0.10"] = "millrace"
    num_bands: int = 14
    num_rows: int = 8
    num_buckets: int = 16

    def __post_init__(self) -> None:
        if not 1 <= self.num_buckets <= MAX_BUCKETS:
            raise RecipeError(f"near.num_buckets is {self.num_buckets}; give 1 to {MAX_BUCKETS}.")
        if self.num_bands == 0:
            return
        if min(self.num_bands, self.num_rows) < 1 or self.num_bands * self.num_rows > (
            MAX_PERMUTATIONS
        ):
            raise RecipeError(
                f"near.num_bands is {self.num_bands} and near.num_rows {self.num_rows}; give at "
                f"least one of each, and at most {MAX_PERMUTATIONS} as their product."
            )
        if self.dialect == "datatrove-0.10" and (self.num_bands, self.num_rows) != (14, 8):
            raise RecipeError("minhash@datatrove-0.10 has 14 bands of 8 rows, and no others.")


@dataclass(frozen=True)
class CandidatesConfig:
    """``max_band_texts``: how many texts that share one key are compared with each other.

    Of more, the first so many in the order of their hashes are, and the others are listed; so the
    comparisons that a key costs are at most ``max_band_texts * (max_band_texts - 1) / 2``.
    """

    max_band_texts: int = 500
    num_buckets: int = 16

    def __post_init__(self) -> None:
        if not 2 <= self.max_band_texts <= 100_000:
            raise RecipeError(f"near.max_band_texts is {self.max_band_texts}; give 2 to 100000.")


@dataclass(frozen=True)
class NearConfig:
    """How near-duplicates are looked for.

    ``preset`` names bands and rows; ``num_bands`` and ``num_rows`` above 0 stand above it. "none"
    looks for none. The other fields are those of `BandsConfig` and `CandidatesConfig`.
    """

    preset: Preset = "fineweb"
    num_bands: int = 0
    num_rows: int = 0
    max_band_texts: int = 500
    num_buckets: int = 16

    def __post_init__(self) -> None:
        if self.preset not in get_args(Preset):
            raise RecipeError(f"near.preset is {self.preset!r}; give one of {get_args(Preset)}.")
        self.bands()
        self.candidates()

    def bands(self) -> BandsConfig:
        """Return what signing texts needs to know of it; raises as `BandsConfig` does."""
        num_bands, num_rows = BANDINGS[self.preset]
        if self.preset != "none":
            num_bands, num_rows = self.num_bands or num_bands, self.num_rows or num_rows
        dialect: Literal["millrace", "datatrove-0.10"] = "millrace"
        if self.preset.endswith("@datatrove-0.10"):
            dialect = "datatrove-0.10"
        return BandsConfig(dialect, num_bands, num_rows, self.num_buckets)

    def candidates(self) -> CandidatesConfig:
        """Return what finding candidates needs to know of it; raises as `CandidatesConfig` does."""
        return CandidatesConfig(self.max_band_texts, self.num_buckets)
