"""Recipes: a run is a named file of TOML, and here it becomes checked, typed values.

Each section fills the config of one step. A key that no config has, a value of another type, a rule
over a signal that does not exist: each is found before anything runs.
"""

from __future__ import annotations

import copy
import tomllib
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

from data_contracts.errors import NotFound, RecipeError, UsageError
from flows.conversations import check_conversations
from flows.source_tables import as_tables, check_sources
from flows.values import build
from flows.variants import check_variants, inherit
from pipelines.apply_policy import PolicyConfig, signals_asked
from pipelines.compute_signals import SignalsConfig
from pipelines.dedupe.choose_kept import PRIORITY, ChoiceConfig
from pipelines.dedupe.compute_signatures import SignaturesConfig
from pipelines.dedupe.dropping import preferred
from pipelines.dedupe.guard_heldout import GuardConfig
from pipelines.dedupe.near_config import NearConfig
from pipelines.dedupe.repeats_config import RepeatsConfig
from pipelines.edit_texts import EditsConfig
from pipelines.ingest.ingest import IngestConfig
from pipelines.labels.config import LabelsConfig
from pipelines.labels.score_baseline import BaselineConfig
from pipelines.materialize import MaterializeConfig
from pipelines.messages.config import ConversationsConfig
from pipelines.policies.expressions import known_signal
from pipelines.remove_requested import RemovalsConfig
from pipelines.signals.registry import ALL_SIGNALS, with_asked
from pipelines.split import SplitConfig
from pipelines.tokenizer.train_tokenizer import TokenizerConfig
from store.hints import nearest
from store.runs import check_name
from training.config import PretrainConfig
from training.finetune_config import FinetuneConfig
from training.steps.evaluate import EvaluateConfig
from training.steps.sample_texts import SampleConfig
from training.steps.score_heldout import ScoreConfig

RECIPES = Path(__file__).parent / "recipes"


@dataclass(frozen=True)
class RunConfig:
    """How a run is carried out; none of it changes rows.

    ``workers`` of 0 means one per core. ``check_room`` refuses a run that is estimated to write
    more than the home's disk has free. ``until`` names the last step to run; empty: all.
    """

    workers: int = 0
    check_room: bool = True
    until: str = ""


@dataclass(frozen=True)
class ContractsConfig:
    """Which data contracts gate the steps of a run, and who accepts it as the baseline.

    ``files`` are contracts that take the place of the shipped one of the same dataset, their paths
    relative to the working folder. ``accept``: "checks" (a run whose checks all pass accepts
    itself) or "person" (`millrace accept` alone does). ``enabled`` of false checks nothing.
    """

    enabled: bool = True
    files: tuple[str, ...] = ()
    accept: Literal["checks", "person"] = "checks"


@dataclass(frozen=True)
class ApprovalConfig:
    """Where a run waits for a person: ``after`` names a step; empty: nowhere."""

    after: str = ""


@dataclass(frozen=True)
class Recipe:
    """A resolved recipe: every section with every default written out."""

    name: str
    description: str = ""
    run: RunConfig = field(default_factory=RunConfig)
    contracts: ContractsConfig = field(default_factory=ContractsConfig)
    approval: ApprovalConfig = field(default_factory=ApprovalConfig)
    ingest: IngestConfig = field(default_factory=IngestConfig)
    sources: tuple[tuple[str, IngestConfig], ...] = ()
    removals: RemovalsConfig = field(default_factory=RemovalsConfig)
    repeats: RepeatsConfig = field(default_factory=RepeatsConfig)
    edits: EditsConfig = field(default_factory=EditsConfig)
    signals: SignalsConfig = field(default_factory=SignalsConfig)
    policy: PolicyConfig = field(default_factory=PolicyConfig)
    signatures: SignaturesConfig = field(default_factory=SignaturesConfig)
    near: NearConfig = field(default_factory=NearConfig)
    dedupe: ChoiceConfig = field(default_factory=ChoiceConfig)
    split: SplitConfig = field(default_factory=SplitConfig)
    guard: GuardConfig = field(default_factory=GuardConfig)
    materialize: MaterializeConfig = field(default_factory=MaterializeConfig)
    tokenizer: TokenizerConfig = field(default_factory=TokenizerConfig)
    pretrain: PretrainConfig = field(default_factory=PretrainConfig)
    variants: tuple[tuple[str, PretrainConfig], ...] = ()
    conversations: ConversationsConfig = field(default_factory=ConversationsConfig)
    instruct: PretrainConfig = field(default_factory=PretrainConfig)
    heldout: ScoreConfig = field(default_factory=ScoreConfig)
    samples: SampleConfig = field(default_factory=SampleConfig)
    labels: LabelsConfig = field(default_factory=LabelsConfig)
    baseline: BaselineConfig = field(default_factory=BaselineConfig)
    finetune: FinetuneConfig = field(default_factory=FinetuneConfig)
    evaluate: EvaluateConfig = field(default_factory=EvaluateConfig)

    def plain(self) -> dict[str, Any]:
        """Return the recipe as plain values, from which `recipe_from_plain` makes it again."""
        return asdict(self)


def list_recipes() -> Iterator[tuple[str, str]]:
    """Yield name and description of the recipes that come with Millrace, by name."""
    for path in sorted(RECIPES.glob("*.toml")):
        yield path.stem, load_toml(path).get("description", "")


def load_recipe(name: str, settings: Sequence[str] = ()) -> Recipe:
    """Load a recipe by the name of a shipped one or the path of a ``.toml`` file.

    ``settings`` are ``section.key=value`` texts that stand above the file; a value is read as TOML
    if it can be, else as a string.

    Raises:
        NotFound: if there is no such recipe; the nearest name is given.
        RecipeError: if a key, a type or a value is wrong.
    """
    path = _find(name)
    check_recipe_name(path.stem)
    plain = load_toml(path)
    for setting in settings:
        _apply(plain, setting)
    return recipe_from_plain({"name": path.stem, **plain})


def with_settings(plain: dict[str, Any], settings: Sequence[str]) -> Recipe:
    """Return a recipe from its plain values, with ``section.key=value`` texts above them.

    Raises:
        RecipeError: as `recipe_from_plain`.
    """
    changed = copy.deepcopy(plain)
    as_tables(changed)
    for setting in settings:
        _apply(changed, setting)
    return recipe_from_plain(changed)


def check_recipe_name(name: str) -> None:
    """Raise RecipeError unless runs can be named after a recipe of this name."""
    try:
        check_name(name)
    except UsageError:
        raise RecipeError(
            f"A recipe file cannot be called {name!r}, since runs are named after it: use letters, "
            f"digits, '-', '_' and '.' only."
        ) from None


def recipe_from_plain(plain: dict[str, Any]) -> Recipe:
    """Build a recipe from plain values and check what can be checked before anything runs.

    Raises:
        RecipeError: if a key, a type or a value is wrong.
    """
    recipe = _with_signals(build(Recipe, inherit(plain), "the recipe"))
    check_variants(recipe)
    check_conversations(recipe)
    check_sources(recipe)
    if recipe.run.workers < 0:
        raise RecipeError(f"run.workers is {recipe.run.workers}; 0 means one per core.")
    return recipe


def _with_signals(recipe: Recipe) -> Recipe:
    """Return a recipe that has the signals measured which its rules and its choice ask for."""
    asked = {name for names in signals_asked(recipe.policy.all_rules()) for name in names}
    for signal in [name for name in preferred(recipe.dedupe.prefer) if name != PRIORITY]:
        asked.add(known_signal(signal, "dedupe.prefer", ALL_SIGNALS))
    signals = replace(recipe.signals, edits=recipe.edits.use)
    return replace(recipe, signals=with_asked(signals, asked))


def load_toml(path: Path) -> dict[str, Any]:
    """Read a TOML file; raise RecipeError naming file, line and column if it is not TOML."""
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise RecipeError(f"{path} is not a TOML file: {error}.") from error
    except OSError as error:
        raise NotFound(f"{path} cannot be read ({error.strerror}).") from error


def _find(name: str) -> Path:
    if name.endswith(".toml"):
        path = Path(name)
        if not path.is_file():
            raise NotFound(f"There is no recipe file {path}; `millrace recipes` lists named ones.")
        return path
    path = RECIPES / f"{name}.toml"
    if "/" in name or not path.is_file():
        known = [recipe for recipe, _ in list_recipes()]
        raise NotFound(f"There is no recipe {name!r}; {nearest(name, known)}")
    return path


def _apply(plain: dict[str, Any], setting: str) -> None:
    """Put one ``section.key=value`` into a recipe's plain values."""
    key, equals, text = setting.partition("=")
    depth = 2 if key.startswith("policy.rules.") else -1  # the name of a rule has dots itself
    *sections, last = key.strip().split(".", depth)
    if not equals or not sections or not last:
        raise RecipeError(f"--set {setting!r} is not section.key=value, such as split.seed=7.")
    target = plain
    for section in sections:
        target = target.setdefault(section, {})
        if not isinstance(target, dict):
            raise RecipeError(f"--set {setting!r}: {section!r} is a value, not a section.")
    target[last.strip()] = _value(text)


def _value(text: str) -> Any:
    try:
        return tomllib.loads(f"value = {text}")["value"]
    except tomllib.TOMLDecodeError:
        return text
