"""The order along a Z-shaped curve, against bits taken in turns one by one."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from kernels.zorder import STEPS_PER_LEVEL, interleave, layout_of, ranks_of, z_order


@pytest.mark.nojit
@given(st.integers(2, 40), st.data())
def test_bits_are_taken_in_turns(num_objectives: int, data: st.DataObject) -> None:
    num_fields, width, _ = layout_of(num_objectives)
    ranks = data.draw(st.lists(st.integers(0, (1 << (width - 1)) - 1), min_size=num_fields, max_size=num_fields))
    word = sum(rank << (width * field) for field, rank in enumerate(ranks))
    bits = "".join(f"{rank >> bit & 1}" for bit in range(width - 2, -1, -1) for rank in ranks)
    assert interleave(np.array([word]), num_fields, width).tolist() == [int(bits, 2)]


@pytest.mark.nojit
@given(arrays(np.float64, st.tuples(st.integers(0, 60), st.integers(0, 8)), elements=st.floats(width=16)))
def test_every_row_has_its_place(rows: np.ndarray) -> None:
    """Of any floats, nan and infinities among them, and of no objective at all."""
    assert sorted(z_order(rows).tolist()) == list(range(len(rows)))


def test_ranks_never_fall_as_values_grow_however_many() -> None:
    """Sorted where rows are few, read from steps where they are many."""
    num_fields, width, guard = layout_of(5)
    few = STEPS_PER_LEVEL << (width - 1)
    for num_rows in (few - 1, few + 1):
        rows = np.exp(np.random.default_rng(num_rows).normal(size=(num_rows, 5)))
        rows[:: num_rows // 7, 1] = np.inf
        rows[:, 2] = np.round(rows[:, 2])
        words = ranks_of(rows)
        assert not (words & guard).any()
        for field in range(num_fields):
            ranks = words >> (width * field) & ((1 << (width - 1)) - 1)
            order = np.argsort(rows[:, field])
            assert (np.diff(ranks[order]) >= 0).all()
            is_equal = rows[order[1:], field] == rows[order[:-1], field]
            assert (np.diff(ranks[order])[is_equal] == 0).all()
            assert len(np.unique(ranks)) > min(100, len(np.unique(rows[:, field])) / 2)
