"""A plan: which values the wanted columns need, along which axes each really varies, and in what blocks to walk.

A value that depends on few axes is evaluated only over those. Blocks are boxes of the space: the innermost axes whole,
one axis in slices, the outer axes one step at a time. What is small over the whole space is a table, computed once;
the rest is computed per block, and again only when the block moves along an axis it depends on.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from math import ceil, prod

from kernels.graph import Node
from kernels.language import Kind, from_text
from kernels.pace import IN_LOOPS, OVER_ARRAYS, nanoseconds
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

# What a walk costs beside its formulas (kernels.pace), in nanoseconds on one core of a 2024 server with 1 MiB of
# second-level cache: a line fitted through inner loops of 8 to 2048 cells; calls and blocks by tests/bench/driver.py.
# They decide how blocks are cut, so they are the same everywhere, however fast the machine.
START_NS = 1.5  # starting an inner loop
CALL_NS = 8.0  # a loop called by the driver
BLOCK_NS = 100.0  # going to a block, and what conditions and rows ask of it once
FAR = 1.12  # how much more everything takes where the block no longer fits in NEAR_CELLS
NEAR_CELLS = 98_304  # three quarters of that cache
WORTH_ORDERING_NS = 2e7  # a walk of which other orders are tried than the first that seems good


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
    places in the space) that change fastest, whatever that costs, and beside those that do after one other. patience is
    how long a walk over arrays may take before compiling is sooner: 1 for a plan by itself, REPEATED for one of many
    whose loops are the same. times is how many plans of such tables there are, one after the other. known
    are values that formulas may take for granted: what is constant in the space, unless given.
    GraphError for a name that nothing declares.
    """

    def __init__(
        self,
        space: Space,
        columns: Iterable[str],
        largest_table: float = TABLE_POINTS,
        innermost: Sequence[int] = (),
        *,
        beside: Sequence[int] = (),
        patience: float = 1.0,
        times: int = 1,
        known: Mapping[str, int | float] | None = None,
    ) -> None:
        self.space = space
        self._repeats = times
        self._innermost, self._beside = tuple(innermost), tuple(beside)
        self._largest_table = largest_table
        self.columns = tuple(dict.fromkeys(columns))  # inputs and metrics; axes come with every row
        drawn = catalogue.KINDS["law_draw"].sets  # a quantile gives them every draw's values, whatever they are here
        known = dict(space.constants if known is None else known)
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
        return self._repeats * cells * nanoseconds(node.formula, OVER_ARRAYS) >= WORTH_COMPILING_NS * ONE_LOOP

    def _is_table(self, name: str) -> bool:
        """Whether a value is computed over the whole space at once, before the walk."""
        node = self._nodes.get(name)
        if node is None or quantile_of(node.formula) is not None:  # a quantile has no loop, so cannot wait for one
            return True
        return prod(len(self.space.axes[a]) for a in self._spread[name]) <= self._largest_table

    @property
    def drawn(self) -> list[tuple[list[int], float]]:
        """Of each quantile over draws the axes that it varies along, by their places in the space, and what one costs.

        That is the nanoseconds a compiled loop takes for everything that it follows from, once.
        """
        found = []
        for name, node in self._nodes.items():
            if (quantile := quantile_of(node.formula)) is not None:
                before = self.needed_for([quantile[0]])
                cost = sum(nanoseconds(node.formula, IN_LOOPS) for key, node in self._nodes.items() if key in before)
                found.append((sorted(self._spread[name]), cost))
        return found

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
        """The order of the walk that costs least: what costs much depends on what is outside, a long axis innermost."""
        weights = [sum(n + ns for spread, (n, ns) in self._work.items() if a in spread) for a in range(self._num_axes)]
        heaviest = sorted(range(self._num_axes), key=lambda a: (-weights[a], -len(self.space.axes[a]), a))
        tails = [(*self._beside, a) for a in range(self._num_axes) if a not in self._beside] or [self._beside]
        if self._innermost:
            tails = [self._innermost]
        orders = [(*(a for a in heaviest if a not in tail), *tail) for tail in tails]
        costs = [self._walking(order, self._whole(order)) for order in orders]
        order, cost = min(zip(orders, costs, strict=True), key=lambda found: found[1])
        if cost > WORTH_ORDERING_NS:
            order = self._bettered(order, cost, len(tails[0]))
        return order, self._cut(order)

    def _bettered(self, order: tuple[int, ...], cost: float, inside: int) -> tuple[int, ...]:
        """An order in which no two neighbours outside the innermost ones change places for the better."""
        k = 0
        while k + 1 < len(order) - inside:
            swapped = (*order[:k], order[k + 1], order[k], *order[k + 2 :])
            found = self._walking(swapped, self._whole(swapped))
            if found < cost:
                order, cost, k = swapped, found, max(0, k - 1)
            else:
                k += 1
        return order

    @property
    def _num_axes(self) -> int:
        return len(self.space.axes)

    def _whole(self, order: Sequence[int]) -> Box:
        """The largest blocks of a walk in this order."""
        return cut([len(self.space.axes[a]) for a in order])

    @cached_property
    def _work(self) -> dict[frozenset[int], tuple[int, float]]:
        """By the axes that they vary along, how many values a walk computes and the nanoseconds of a cell of each."""
        found: dict[frozenset[int], tuple[int, float]] = {}
        for name, node in self._nodes.items():
            if not self._is_table(name):
                count, spent = found.get(self._spread[name], (0, 0.0))
                found[self._spread[name]] = count + 1, spent + nanoseconds(node.formula, IN_LOOPS)
        return found

    def _array_nanoseconds(self, box: Box) -> float:
        """What a walk is expected to take over arrays; tables and what searches, compiled by itself, are left aside."""
        found = self.points * FOLDED_NS
        extent = dict(zip(self.order, box.extents, strict=True))
        for name, node in self._nodes.items():
            spread = self._spread[name]
            if self._is_table(name) or node.formula.finds_a_root:
                continue
            times = self._times(spread, self.order, box)
            found += times * (ARRAY_CALL_NS + prod(extent[a] for a in spread) * nanoseconds(node.formula, OVER_ARRAYS))
        return found

    def _cut(self, order: Sequence[int]) -> Box:
        """The blocks of the walk in this order that cost least: large ones are fewer, small ones stay in the cache."""
        sizes = [len(self.space.axes[a]) for a in order]
        best: tuple[float, Box] | None = None
        box, halved = cut(sizes), 0
        while best is None or box.points >= LEAST_BLOCK_POINTS:
            cost = self._walking(order, box)
            if best is None or cost < best[0]:
                best = (cost, box)
            halved += 1
            box = cut(sizes, halved=halved)
        return best[1]

    def _walking(self, order: Sequence[int], box: Box) -> float:
        """Nanoseconds that a walk in this order takes on one core, tables apart, designs not read out."""
        cells = spent = 0.0
        for spread, (count, formulas) in self._work.items():
            cells += count * prod(box.extents[k] for k, a in enumerate(order) if a in spread)
            spent += self._times(spread, order, box) * self._calling(spread, count, formulas, order, box)
        return spent * (FAR if cells > NEAR_CELLS else 1.0) + box.blocks * BLOCK_NS

    @staticmethod
    def _calling(spread: frozenset[int], count: int, formulas: float, order: Sequence[int], box: Box) -> float:
        """Nanoseconds that computing so many values once takes, over a block of the average size."""
        along = [k for k, a in enumerate(order) if a in spread]
        inner = box.extents[along[-1]] if along else 1
        filled = 1.0
        if box.sizes and box.sliced in along:
            filled = box.sizes[box.sliced] / (box.counts[box.sliced] * box.extents[box.sliced] or 1)
        cells = prod(box.extents[k] for k in along)
        return count * CALL_NS + filled * cells * (formulas + count * START_NS / (inner or 1))

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
        formula = nanoseconds(self._nodes[name].formula, IN_LOOPS)
        return self.times(name) * self._calling(self._spread[name], 1, formula, self.order, self.box)

    @property
    def nanoseconds_a_design(self) -> float:
        """What visiting a design is expected to take on one core of the server that the constants are from.

        Tables and reading designs out are left aside, and so is what conditions on inputs save. nan where there is no
        design.
        """
        return self._walking(self.order, self.box) / self.points if self.points else float("nan")
