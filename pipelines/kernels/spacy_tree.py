"""Short texts as a tree in one array, and the kernel that looks them up.

A kernel reads one array faster than several. Each row of a tree is an edge: from a node, by a code
point, to a node, and a value that is not 0 where a text ends. Rows lie where a hash of node and
code point puts them; free ones are all 0. Nodes 0, 1, … are the roots of the lists.
"""

from collections.abc import Mapping, Sequence

import numpy as np

from pipelines.kernels.compiled import compiled

FROM, CODE, TO, VALUE = range(4)


def text_tree(lists: Sequence[Mapping[str, int]]) -> np.ndarray:
    """Return the tree of some lists of texts and their values, int32 of shape (rows, 4).

    The number of rows is a power of two, more than twice that of the edges.
    """
    nodes: dict[tuple[int, int], int] = {}
    values: dict[tuple[int, int], int] = {}
    for root, texts in enumerate(lists):
        for text, value in texts.items():
            node, edge = root, (root, 0)
            for char in text:
                edge = (node, ord(char))
                node = nodes.setdefault(edge, len(lists) + len(nodes))
            values[edge] = value
    tree = np.zeros((1 << (2 * len(nodes)).bit_length(), 4), dtype=np.int32)
    for (node, code), child in nodes.items():
        row = edge_row(node, code, len(tree) - 1)
        while tree[row, TO]:
            row = (row + 1) % len(tree)
        tree[row] = node, code, child, values.get((node, code), 0)
    return tree


@compiled
def edge_row(node: int, code: int, mask: int) -> int:
    """Return the row at which looking for an edge begins."""
    mixed = node * 0x9E3779B1 + code * 0x85EBCA77
    return (mixed ^ (mixed >> 16)) & mask


@compiled
def walk(codes: np.ndarray, start: int, end: int, node: int, tree: np.ndarray) -> int:
    """Return the row of the last edge on the way of ``codes[start:end]``; -1 if there is no way."""
    row = -1
    for at in range(start, end):
        row = edge_row(node, codes[at], tree.shape[0] - 1)
        while tree[row, TO] and (tree[row, FROM] != node or tree[row, CODE] != codes[at]):
            row = (row + 1) & (tree.shape[0] - 1)
        node = tree[row, TO]
        if node == 0:
            return -1
    return row


@compiled
def find_text(codes: np.ndarray, start: int, end: int, root: int, tree: np.ndarray) -> int:
    """Return the value of ``codes[start:end]`` in a list, 0 where it is not in it."""
    row = walk(codes, start, end, root, tree)
    return tree[row, VALUE] if row >= 0 else 0
