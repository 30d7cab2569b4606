"""Random formulas of the metric language as text, for tests that hold their meaning to somebody else's."""

from collections.abc import Callable, Sequence

from hypothesis import strategies as st

FORMS = ("leaf", "binary", "binary", "minus", "call", "extreme", "conditional")


@st.composite
def formulas(
    draw: st.DrawFn,
    leaves: Sequence[str],
    operators: Sequence[str],
    conditions: Callable[[int], st.SearchStrategy[str]],
    depth: int = 3,
    forms: Sequence[str] = FORMS,
) -> str:
    """A formula so many operations deep; conditions gives those of its conditionals, of a depth.

    What stands in leaves, operators and forms several times comes that much more often.
    """
    form = draw(st.sampled_from(forms)) if depth else "leaf"
    inner = formulas(leaves, operators, conditions, depth - 1, forms)
    if form == "leaf":
        return draw(st.sampled_from(leaves))
    if form == "binary":
        return f"({draw(inner)} {draw(st.sampled_from(operators))} {draw(inner)})"
    if form == "minus":
        return f"(-{draw(inner)})"
    if form == "call":
        return f"{draw(st.sampled_from(['ceil', 'floor', 'sqrt', 'log', 'log2', 'exp']))}({draw(inner)})"
    if form == "extreme":
        numbers = draw(st.lists(inner, min_size=2, max_size=3))
        return f"{draw(st.sampled_from(['min', 'max']))}({', '.join(numbers)})"
    return f"({draw(inner)} if {draw(conditions(depth - 1))} else {draw(inner)})"
