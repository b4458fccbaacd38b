"""The wiring: which step reads what from which, as one graph per recipe."""

from flows.recipe import Recipe
from pipelines.apply_policy import STEP as APPLY_POLICY
from pipelines.compute_signals import STEP as COMPUTE_SIGNALS
from pipelines.dedupe.choose_kept import STEP as CHOOSE_KEPT
from pipelines.dedupe.compute_signatures import STEP as COMPUTE_SIGNATURES
from pipelines.dedupe.link_duplicates import STEP as LINK_DUPLICATES
from pipelines.dedupe.link_duplicates import LinkConfig
from pipelines.ingest.ingest import STEP as INGEST
from pipelines.materialize import STEP as MATERIALIZE
from pipelines.split import STEP as SPLIT
from store.graph import Graph, Node


def build_graph(recipe: Recipe) -> Graph:
    """Return the steps of a recipe in running order."""
    choice_inputs = {
        "decisions": "apply_policy",
        "signals": "compute_signals",
        "edges": "link_duplicates",
    }
    materialize_inputs = {"documents": "ingest", "signals": "compute_signals", "splits": "split"}
    link = LinkConfig(recipe.signatures.num_buckets)
    return Graph(
        [
            Node(INGEST, recipe.ingest),
            Node(COMPUTE_SIGNALS, recipe.signals, {"documents": "ingest"}),
            Node(APPLY_POLICY, recipe.policy, {"signals": "compute_signals"}),
            Node(COMPUTE_SIGNATURES, recipe.signatures, {"documents": "ingest"}),
            Node(LINK_DUPLICATES, link, {"signatures": "compute_signatures"}),
            Node(CHOOSE_KEPT, recipe.dedupe, choice_inputs),
            Node(
                SPLIT,
                recipe.split,
                {"signatures": "compute_signatures", "choices": "choose_kept"},
            ),
            Node(MATERIALIZE, recipe.materialize, materialize_inputs),
        ]
    )
