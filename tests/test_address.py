"""What is written for the machine rather than in Python gives what its definition says."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kernels.address import LEAST_RUN, leading_zeros, trailing_zeros
from kernels.compiler import jit_uncounted
from kernels.dominance import GROUP, begins_before
from kernels.groups import greatest_of, least_of

WORDS = st.integers(-(2**63), 2**63 - 1)


@pytest.mark.nojit
@settings(deadline=None)
@given(st.lists(st.floats(), max_size=5 * LEAST_RUN), st.integers(0, 20))
def test_the_best_of_a_run_passes_over_nan(values: list[float], before: int) -> None:
    cells = np.array([-np.inf, np.inf] * 10 + values + [np.inf, -np.inf])
    known = [value for value in cells[before : before + len(values)].tolist() if value == value]
    assert least_of(cells, before, len(values)) == min(known, default=np.inf)
    assert greatest_of(cells, before, len(values)) == max(known, default=-np.inf)


@pytest.mark.nojit
@settings(deadline=None)
@given(st.lists(st.tuples(*[st.integers(0, 3)] * 3), min_size=2 * GROUP, max_size=2 * GROUP), st.data())
def test_words_compare_field_by_field(fields: list[tuple[int, int, int]], data: st.DataObject) -> None:
    """Three fields of two bits, a spare one above each."""
    words = np.array([a | b << 3 | c << 6 for a, b, c in fields], np.int64)
    own = data.draw(st.sampled_from(fields))
    guard = 0b100100100
    guarded = own[0] | own[1] << 3 | own[2] << 6 | guard
    for group in range(2):
        found = int(begins_before(words, group, guarded, guard))
        lanes = fields[group * GROUP : (group + 1) * GROUP]
        assert [found >> lane & 1 for lane in range(GROUP)] == [
            all(a <= b for a, b in zip(lane, own, strict=True)) for lane in lanes
        ]


@jit_uncounted
def zeros(word: int) -> tuple[int, int]:
    return leading_zeros(word), trailing_zeros(word)


@pytest.mark.nojit
@settings(deadline=None)
@given(WORDS.filter(bool) | st.integers(0, 62).map(lambda place: 1 << place))
def test_zeros_of_a_word(word: int) -> None:
    text = f"{word % 2**64:064b}"
    assert zeros(np.array([word])[0]) == (len(text) - len(text.lstrip("0")), len(text) - len(text.rstrip("0")))
