"""A graph: steps bound to configs and to each other, in an order in which they can run."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from store.errors import NotFound
from store.hints import nearest
from store.step import Step


@dataclass(frozen=True)
class Node:
    """One step of a graph: its config, and which upstream step feeds each of its inputs."""

    step: Step
    config: Any
    inputs: Mapping[str, str] = field(default_factory=dict)  # input name -> name of a step

    def __post_init__(self) -> None:
        if set(self.inputs) != set(self.step.inputs):
            wanted, wired = set(self.step.inputs), set(self.inputs)
            raise TypeError(f"{self.name} reads {wanted} and is wired to {wired}")

    @property
    def name(self) -> str:
        """The step's name, which is unique in a graph."""
        return self.step.name


class Graph:
    """Nodes in running order: each one's inputs stand before it."""

    def __init__(self, nodes: list[Node]) -> None:
        self._nodes: dict[str, Node] = {}
        for node in nodes:
            missing = set(node.inputs.values()) - set(self._nodes)
            if missing or node.name in self._nodes:
                raise TypeError(f"{node.name} stands twice or before its inputs {missing}")
            self._nodes[node.name] = node

    def __iter__(self) -> Iterator[Node]:
        return iter(self._nodes.values())

    def __getitem__(self, name: str) -> Node:
        if name not in self._nodes:
            raise NotFound(f"There is no step {name!r}; {nearest(name, self._nodes)}")
        return self._nodes[name]

    def names(self) -> list[str]:
        """Return the names of the steps in running order."""
        return list(self._nodes)

    def upstream(self, name: str) -> list[str]:
        """Return all steps that a step depends on, directly or not, in running order."""
        wanted: set[str] = set()
        stack = [self[name]]
        while stack:
            for source in stack.pop().inputs.values():
                if source not in wanted:
                    wanted.add(source)
                    stack.append(self._nodes[source])
        return [other for other in self._nodes if other in wanted]

    def downstream(self, name: str) -> list[str]:
        """Return all steps that depend on a step, directly or not, in running order."""
        self[name]
        return [other for other in self._nodes if name in self.upstream(other)]
