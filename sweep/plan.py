"""A plan: which values the wanted columns need, along which axes each really varies, and in what blocks to walk.

A value that depends on few axes is evaluated only over those. Blocks are boxes of the space: the innermost axes whole,
one axis in slices, the outer axes one step at a time. What is small over the whole space is a table, computed once;
the rest is computed per block, and again only when the block moves along an axis it depends on.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from math import ceil, prod

from kernels.arrays import nanoseconds
from kernels.graph import Node
from kernels.language import Kind, from_text
from kernels.quantiles import quantile_of
from kernels.specialise import Specialised
from sweep import catalogue
from sweep.space import Axis, Space

BLOCK_POINTS = 65_536  # of the largest blocks that are considered
LEAST_BLOCK_POINTS = 8192  # and of the smallest
# What is walked sooner over arrays than compiled code is loaded, let alone made, is not compiled. As constants of a
# server they decide the same everywhere.
WORTH_COMPILING_NS = 2e9
REPEATED = 0.02  # of that, for one of many plans
ONE_LOOP = 0.15  # of that, for one loop
ARRAY_CALL_NS = 30_000.0  # of running one array loop for a block
FOLDED_NS = 15.0  # a design, for what becomes of it
TABLE_POINTS = 1 << 18  # what is smaller over the whole space is computed once, before the walk

# What a walk costs, in nanoseconds on one core of a 2024 server with 1 MiB of second-level cache: medians over the
# loops of lifetime_usd, loss_nats, train_gpu_hours and train_usd, 8192 cells each, a line fitted through inner loops of
# 8 to 2048 cells; calls and blocks by tests/bench/driver.py. They decide how blocks are cut, so they are the same
# everywhere, however fast the machine.
CELL_NS = 0.1  # a value; from 0.05 to 0.2 where no root or power is taken
START_NS = 1.5  # starting an inner loop
CALL_NS = 8.0  # a loop called by the driver
BLOCK_NS = 100.0  # going to a block, and what conditions and rows ask of it once
FAR = 1.12  # how much more everything takes where the block no longer fits in NEAR_CELLS
NEAR_CELLS = 98_304  # three quarters of that cache


@dataclass(frozen=True)
class Value:
    """Something a column or a loop reads.

    axes are positions in the order of the walk. A table holds the value over the whole of its axes; otherwise it is
    held over the current block.
    """

    name: str
    kind: Kind
    axes: tuple[int, ...]
    is_table: bool
    node: Node | None = None


@dataclass(frozen=True)
class Box:
    """How blocks are cut: extents per axis in the order of the walk, and which axis is cut in slices."""

    sizes: tuple[int, ...]
    extents: tuple[int, ...]
    sliced: int

    @cached_property
    def points(self) -> int:
        """Points of a full block."""
        return prod(self.extents)

    @property
    def tail(self) -> int:
        """Extent of the last slice where the axis does not divide evenly, else 0."""
        return self.sizes[self.sliced] % self.extents[self.sliced] if self.sizes else 0

    @cached_property
    def counts(self) -> tuple[int, ...]:
        """Blocks along each axis."""
        return tuple(ceil(size / extent) for size, extent in zip(self.sizes, self.extents, strict=True))

    @property
    def blocks(self) -> int:
        """Blocks in all."""
        return prod(self.counts)


def cut(sizes: Sequence[int], points: int = BLOCK_POINTS, *, halved: int = 0) -> Box:
    """Blocks of about that many points, halved so often: inner axes whole, the first that does not fit in slices, the
    rest by ones.
    """
    extents = [1] * len(sizes)
    room = points >> halved
    sliced = 0
    for axis in reversed(range(len(sizes))):
        sliced = axis
        if sizes[axis] > room:
            extents[axis] = max(1, room)
            break
        extents[axis] = max(1, sizes[axis])
        room //= max(1, sizes[axis])
    return Box(tuple(sizes), tuple(extents), sliced)


def _all_of(name: str, conditions: Sequence[str]) -> Node:
    """The value that holds when all of these do."""
    return Node(name, from_text(name, " and ".join(conditions)), "bool", "the spec", "all conditions hold", "")


class Plan:
    """What to compute for a space so that these columns come out, and how to walk.

    columns are inputs or metrics; conditions on inputs are decided before anything else of a block is computed. What
    has fewer points than largest_table over the axes it varies along is computed once. innermost are axes (by their
    places in the space) that change fastest, whatever that costs. patience is how long a walk over arrays may take
    before compiling is sooner: 1 for a plan by itself, REPEATED for one of many whose loops are the same.
    GraphError for a name that nothing declares.
    """

    def __init__(
        self,
        space: Space,
        columns: Iterable[str],
        largest_table: float = TABLE_POINTS,
        innermost: Sequence[int] = (),
        *,
        patience: float = 1.0,
    ) -> None:
        self.space = space
        self._innermost = tuple(innermost)
        self._largest_table = largest_table
        self.columns = tuple(dict.fromkeys(columns))  # inputs and metrics; axes come with every row
        drawn = catalogue.KINDS["law_draw"].sets  # a quantile gives them every draw's values, whatever they are here
        known = dict(space.constants)
        for name in drawn:
            known.pop(name, None)
        specialised = Specialised(space.graph, space.given, known)
        self._conditions = {
            f"_where_{k}": replace(condition, formula=specialised.reduced(condition.formula))
            for k, condition in enumerate(space.conditions)
        }
        wanted = list(self.columns)
        for condition in self._conditions.values():
            wanted += condition.formula.parameters
        self.nodes, self.leaves = specialised.resolve(wanted)
        missing = [leaf for leaf in self.leaves if leaf not in space.given]
        assert not missing, f"inputs without a value: {missing}"
        self._nodes = self._computed()
        self._spread = self._dependences()
        self.order, self.box = self._order()
        whole = cut(self.box.sizes)
        self.over_arrays = self._array_nanoseconds(whole) < patience * WORTH_COMPILING_NS
        if self.over_arrays:
            self.box = whole

    @cached_property
    def axes(self) -> tuple[Axis, ...]:
        """The axes in the order of the walk, outermost first."""
        return tuple(self.space.axes[i] for i in self.order)

    @property
    def points(self) -> int:
        """Points the walk visits, conditions on single axes already applied."""
        return prod(len(axis) for axis in self.space.axes)

    @cached_property
    def values(self) -> dict[str, Value]:
        """Every value by name, each after what it depends on; the place on an axis under '#' and the axis's name."""
        place = {axis: k for k, axis in enumerate(self.order)}
        kinds = self.space.graph.kinds
        values: dict[str, Value] = {}
        for axis_index, axis in enumerate(self.space.axes):
            values[f"#{axis.name}"] = Value(f"#{axis.name}", "int", (place[axis_index],), True)
        for name, spread in self._spread.items():
            axes = tuple(sorted(place[a] for a in spread))
            node = self._nodes.get(name)
            kind: Kind = node.kind if node else kinds[name]
            values[name] = Value(name, kind, axes, self._is_table(name), node)
        return values

    def is_slow(self, node: Node, cells: int) -> bool:
        """Whether so many values of one formula take longer over arrays than its loop takes to be loaded."""
        return cells * nanoseconds(node.formula) >= WORTH_COMPILING_NS * ONE_LOOP

    def _is_table(self, name: str) -> bool:
        """Whether a value is computed over the whole space at once, before the walk."""
        node = self._nodes.get(name)
        if node is None or quantile_of(node.formula) is not None:  # a quantile has no loop, so cannot wait for one
            return True
        return prod(len(self.space.axes[a]) for a in self._spread[name]) <= self._largest_table

    @property
    def keep_inputs(self) -> str | None:
        """The value that says whether the conditions on inputs hold, if there are any."""
        return "_keep_inputs" if "_keep_inputs" in self._nodes else None

    @property
    def keep(self) -> str | None:
        """The value that says whether all conditions hold, if there are any."""
        return "_keep" if "_keep" in self._nodes else None

    def _computed(self) -> dict[str, Node]:
        """Everything a loop computes: the nodes of the graph, each condition, and what the conditions come to."""
        nodes = {node.name: node for node in self.nodes}
        for label, condition in self._conditions.items():
            nodes[label] = Node(label, replace(condition.formula, name=label), "bool", "the spec", condition.text, "")
        on_inputs = [label for label, condition in self._conditions.items() if condition.on_inputs]
        if on_inputs:
            nodes["_keep_inputs"] = _all_of("_keep_inputs", on_inputs)
        if self._conditions:
            nodes["_keep"] = _all_of("_keep", list(self._conditions))
        return nodes

    def needed_for(self, names: Iterable[str]) -> set[str]:
        """The values that have to be there before these are."""
        stack, found = list(names), set()
        while stack:
            name = stack.pop()
            if name in found:
                continue
            found.add(name)
            node = self._nodes.get(name)
            stack.extend(node.formula.parameters if node else ())
        return found

    def _dependences(self) -> dict[str, frozenset[int]]:
        """The axes of the spec that each leaf, node and condition varies along."""
        spread: dict[str, frozenset[int]] = {}
        for leaf in self.leaves:
            spread[leaf] = frozenset(i for i, axis in enumerate(self.space.axes) if leaf in axis.sets)
        for name, node in self._nodes.items():
            spread[name] = frozenset().union(*(spread[p] for p in node.formula.parameters))
        return spread

    def _order(self) -> tuple[tuple[int, ...], Box]:
        """The order of the walk that costs least: what many values depend on outside, a long axis innermost.

        Cost is the share of a block that each value is computed over, summed, plus what short inner loops waste.
        """
        axes = range(len(self.space.axes))
        dependents = [sum(a in spread for spread in self._spread.values()) for a in axes]
        by_dependents = sorted(axes, key=lambda a: (-dependents[a], -len(self.space.axes[a]), a))
        if self._innermost:
            order = (*(a for a in by_dependents if a not in self._innermost), *self._innermost)
            return order, self._cut(order)
        best: tuple[float, tuple[int, ...]] | None = None
        for innermost in axes or [None]:
            order = tuple(a for a in by_dependents if a != innermost)
            order += () if innermost is None else (innermost,)
            box = cut([len(self.space.axes[a]) for a in order])
            cost = sum(self._computing(name, order, box) for name in self._nodes) / max(1, box.points)
            if best is None or cost < best[0]:
                best = (cost, order)
        assert best is not None
        return best[1], self._cut(best[1])

    def _array_nanoseconds(self, box: Box) -> float:
        """What a walk is expected to take over arrays; tables and what searches, compiled by itself, are left aside."""
        found = self.points * FOLDED_NS
        extent = dict(zip(self.order, box.extents, strict=True))
        for name, node in self._nodes.items():
            spread = self._spread[name]
            if self._is_table(name) or node.formula.finds_a_root:
                continue
            times = self._times(spread, self.order, box)
            found += times * (ARRAY_CALL_NS + prod(extent[a] for a in spread) * nanoseconds(node.formula))
        return found

    def _computing(self, name: str, order: Sequence[int], box: Box) -> float:
        """Nanoseconds that a value takes over a block."""
        extent = dict(zip(order, box.extents, strict=True))
        spread = self._spread[name]
        last = next((a for a in reversed(order) if a in spread), None)
        inner = 1 if last is None else extent[last]
        return prod(extent[a] for a in spread) * (CELL_NS + START_NS / inner)

    def _cut(self, order: Sequence[int]) -> Box:
        """The blocks of the walk in this order that cost least: large ones are fewer, small ones stay in the cache."""
        sizes = [len(self.space.axes[a]) for a in order]
        best: tuple[float, Box] | None = None
        box, halved = cut(sizes), 0
        while best is None or box.points >= LEAST_BLOCK_POINTS:
            nanoseconds = self._walking(order, box)
            if best is None or nanoseconds < best[0]:
                best = (nanoseconds, box)
            halved += 1
            box = cut(sizes, halved=halved)
        return best[1]

    def _walking(self, order: Sequence[int], box: Box) -> float:
        """Nanoseconds that a walk in this order takes on one core, tables apart, designs not read out."""
        cells = nanoseconds = 0.0
        extent = dict(zip(order, box.extents, strict=True))
        for name in self._nodes:
            spread = self._spread[name]
            if prod(box.sizes[order.index(a)] for a in spread) <= self._largest_table:
                continue
            cells += prod(extent[a] for a in spread)
            nanoseconds += self._times(spread, order, box) * self._calling(name, order, box)
        nanoseconds *= FAR if cells > NEAR_CELLS else 1.0
        return nanoseconds + box.blocks * BLOCK_NS

    def _calling(self, name: str, order: Sequence[int], box: Box) -> float:
        """Nanoseconds that computing a value once takes, over a block of the average size."""
        if not box.sizes or order[box.sliced] not in self._spread[name]:
            return CALL_NS + self._computing(name, order, box)
        full = box.sizes[box.sliced] / (box.counts[box.sliced] * box.extents[box.sliced] or 1)
        return CALL_NS + full * self._computing(name, order, box)

    @staticmethod
    def _times(spread: frozenset[int], order: Sequence[int], box: Box) -> int:
        """How often a walk computes what varies along these axes: whenever a block moves along one of them."""
        moves = [k for k, a in enumerate(order) if a in spread and box.counts[k] > 1]
        return prod(box.counts[: moves[-1] + 1]) if moves else 1

    def times(self, name: str) -> int:
        """How often a walk computes a value that is no table."""
        return self._times(self._spread[name], self.order, self.box)

    def nanoseconds(self, name: str) -> float:
        """What computing a value that is no table is expected to take over a whole walk, on one core, in a cache."""
        return self.times(name) * self._calling(name, self.order, self.box)

    @property
    def nanoseconds_a_design(self) -> float:
        """What visiting a design is expected to take on one core of the server that the constants are from.

        Tables and reading designs out are left aside, and so is what conditions on inputs save. nan where there is no
        design.
        """
        return self._walking(self.order, self.box) / self.points if self.points else float("nan")
