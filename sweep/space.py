"""A space: the product of its axes, what is fixed beside them, and the conditions that its designs must meet."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from math import prod
from typing import Any

import numpy as np
import numpy.typing as npt

from kernels.graph import Graph
from kernels.language import Formula

Column = npt.NDArray[Any]


@dataclass(frozen=True)
class Axis:
    """The values one input takes, or the records that are chosen among.

    labels are what a person calls the values (numbers, words or record ids); sets holds, for every input the axis
    decides, its values along it (int64 or float64, words as codes); kept are the places of these values on the axis
    as it was written, fewer once conditions on this axis alone have removed some.
    """

    name: str
    labels: tuple[Any, ...]
    sets: Mapping[str, Column]
    kept: Column
    length: int  # of the axis as written: what design ids count with

    def __len__(self) -> int:
        return len(self.kept)

    @property
    def is_words(self) -> bool:
        """Whether labels are words or record ids, not numbers."""
        return bool(self.labels) and isinstance(self.labels[0], str)

    def take(self, places: Column) -> "Axis":
        """The axis with only these of its values."""
        return Axis(
            self.name,
            tuple(self.labels[i] for i in places) if self.labels else (),  # axes made one have none
            {name: values[places] for name, values in self.sets.items()},
            self.kept[places],
            self.length,
        )


@dataclass(frozen=True)
class Condition:
    """A condition of a spec: designs for which it does not hold are not part of the space.

    is_inherent says that without it a design contradicts itself, so that nobody can ask for less.
    """

    label: str
    text: str
    formula: Formula
    on_inputs: bool
    is_inherent: bool = False


@dataclass(frozen=True)
class Written:
    """The axes and conditions of a space before conditions on one axis alone took values from it."""

    axes: tuple[Axis, ...]
    conditions: tuple[Condition, ...]


def _is_constant(values: Column) -> bool:
    """Whether there is one value along a column: nan is one, 0.0 and -0.0 are two."""
    if not len(values):
        return False
    bits = values.view(np.int64)
    return bool((bits == bits[0]).all() or np.isnan(values).all())


@dataclass(frozen=True)
class Space:
    """Axes in the order of the spec, the first one slowest in the numbering of designs.

    fixed maps every other input (and metrics given by hand) to its value, words as codes. chosen are the record ids
    that fixed some of them. stated says, of each input that the spec left open, which default was used. written is
    what conditions on one axis alone were applied to, for those who ask what each condition removes.
    """

    name: str
    graph: Graph
    axes: tuple[Axis, ...]
    fixed: Mapping[str, int | float]
    conditions: tuple[Condition, ...] = ()
    minimize: tuple[str, ...] = ()
    maximize: tuple[str, ...] = ()
    columns: tuple[str, ...] = ()
    chosen: Mapping[str, str] = field(default_factory=dict)
    stated: Mapping[str, str] = field(default_factory=dict)
    own_metrics: tuple[str, ...] = ()
    description: str = ""
    text: str = ""  # the spec as given
    written: Written | None = field(default=None, repr=False, compare=False)

    @property
    def unpruned(self) -> "Space":
        """The space with every value of its axes and every condition, those on one axis alone too."""
        if self.written is None:
            return self
        return replace(self, axes=self.written.axes, conditions=self.written.conditions, written=None)

    @cached_property
    def size(self) -> int:
        """Designs of the unfiltered product."""
        return prod(axis.length for axis in self.axes)

    @cached_property
    def given(self) -> frozenset[str]:
        """Names whose values are given: nothing is computed for them."""
        return frozenset(self.fixed).union(*(axis.sets for axis in self.axes))

    @cached_property
    def constants(self) -> dict[str, int | float]:
        """What is the same in every design: fixed, or decided by an axis and equal all along it."""
        found = dict(self.fixed)
        for axis in self.axes:
            for name, values in axis.sets.items():
                found.pop(name, None)
                if _is_constant(values):
                    found[name] = values[0].item()
        return found

    @cached_property
    def id_strides(self) -> tuple[int, ...]:
        """What one step along each axis adds to the design id."""
        strides = []
        stride = 1
        for axis in reversed(self.axes):
            strides.append(stride)
            stride *= axis.length
        return tuple(reversed(strides))

    def axis(self, name: str) -> Axis | None:
        """The axis of that name, if there is one."""
        return next((axis for axis in self.axes if axis.name == name), None)
