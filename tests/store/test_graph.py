"""`store.graph`: a step is found by its name, or the name that was probably meant is told."""

import pytest
from toy_steps import toy_graph

from store.errors import NotFound


def test_an_unknown_step_is_answered_with_the_nearest(corpus):
    graph = toy_graph(corpus)
    assert [graph[name].name for name in graph.names()] == graph.names()
    with pytest.raises(NotFound, match=r"no step 'read_lins'; did you mean 'read_lines'\?$"):
        graph["read_lins"]
    with pytest.raises(NotFound, match=f"no step '#'; there are: {', '.join(graph.names())}"):
        graph["#"]
