"""The slow, obvious version of the engine: one design after another, straight from the definitions."""

from collections.abc import Iterator
from itertools import product

from kernels.evaluate import compute, evaluate
from sweep.space import Space


def designs(space: Space, columns: list[str]) -> Iterator[tuple[int, dict[str, float]]]:
    """Every design that meets all conditions, by id: its id and its columns, words as codes."""
    for places in product(*(range(len(axis)) for axis in space.axes)):
        given = dict(space.fixed)
        design_id = 0
        for axis, place, stride in zip(space.axes, places, space.id_strides, strict=True):
            design_id += int(axis.kept[place]) * stride
            given |= {name: values[place].item() for name, values in axis.sets.items()}
        parameters = [p for condition in space.conditions for p in condition.formula.parameters]
        values = evaluate(space.graph, [*columns, *parameters], given)
        if all(compute(space.graph, c.formula, "bool", values) for c in space.conditions):
            yield design_id, {name: values[name] for name in columns}


def frontier(rows: list[tuple[int, dict[str, float]]], minimize: list[str], maximize: list[str]) -> list[int]:
    """Ids of the designs that no other beats, by comparing every pair; by objectives, then id."""
    signed = [(i, [v[m] for m in minimize] + [-v[m] for m in maximize]) for i, v in rows]
    clean = [(i, v) for i, v in signed if all(x == x for x in v)]
    kept = [
        (v, i) for i, v in clean if not any(all(a <= b for a, b in zip(w, v, strict=True)) and w != v for _, w in clean)
    ]
    return [i for _, i in sorted(kept)]
