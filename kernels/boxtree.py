"""Which rows does some row of a fixed set beat: a search tree of boxes around rows.

A row beats another when it is <= in all objectives and < in at least one. Rows are laid along a Z-shaped curve
(kernels.zorder), so rows close in every objective stand together, and every node of a binary tree keeps the smallest
box around its rows. A row is beaten once a box lies wholly before it, and a box that does not begin before it is
passed over with all it holds: on a frontier of f rows a search meets a few dozen boxes, where comparing would meet f
rows.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from kernels.compiler import jit

Floats = npt.NDArray[np.float64]


@jit
def find_dominator(boxes: Floats, rows: Floats, i: int) -> int:
    """The number of a node whose rows are all <= rows[i] in every objective, and one < in some; 0 if there is none.

    Node n holds the box from boxes[n, 0] to boxes[n, 1] and has the children 2 n and 2 n + 1. The walk needs no stack:
    from a finished node it goes up for as long as it came from the right, and then to the right. rows[i] has no nan.
    """
    num_objectives = rows.shape[1]
    node = 1
    while True:
        begins_before = False
        for j in range(num_objectives):
            if not boxes[node, 0, j] <= rows[i, j]:  # an empty node too: its corners are nan
                begins_before = False
                break
            begins_before = begins_before or boxes[node, 0, j] < rows[i, j]
        if begins_before:
            lies_before = True
            for j in range(num_objectives):
                if boxes[node, 1, j] > rows[i, j]:
                    lies_before = False
                    break
            if lies_before:
                return node
            node *= 2  # there are children: both corners of a leaf are the same row
            continue
        while node & 1:
            node >>= 1
        if node == 0:
            return 0
        node += 1


@jit
def are_dominated(boxes: Floats, rows: Floats) -> npt.NDArray[np.bool_]:
    """For each of rows[n, k], whether a row of the tree beats it. A row does not beat its equal, so not itself."""
    dominated = np.empty(rows.shape[0], dtype=np.bool_)
    for i in range(rows.shape[0]):
        dominated[i] = find_dominator(boxes, rows, i) != 0
    return dominated


@jit
def enclose(boxes: Floats) -> None:
    """Fill the inner nodes from the leaves up, in place."""
    for node in range(boxes.shape[0] // 2 - 1, 0, -1):
        left, right = 2 * node, 2 * node + 1
        for j in range(boxes.shape[2]):  # empty nodes stand to the right and are nan, which is never < or >
            boxes[node, 0, j] = boxes[right, 0, j] if boxes[right, 0, j] < boxes[left, 0, j] else boxes[left, 0, j]
            boxes[node, 1, j] = boxes[right, 1, j] if boxes[right, 1, j] > boxes[left, 1, j] else boxes[left, 1, j]


def build_tree(rows: Floats) -> Floats:
    """The boxes[2 m, 2, k] around rows[n, k], which stand in z_order; m is the power of two that holds n leaves."""
    num_rows, num_objectives = rows.shape
    num_leaves = 1 << max(0, num_rows - 1).bit_length()
    boxes = np.full((2 * num_leaves, 2, num_objectives), np.nan)
    boxes[num_leaves : num_leaves + num_rows] = rows[:, None, :]
    enclose(boxes)
    return boxes
