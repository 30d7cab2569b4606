"""The other rival: what a person writes who wants two objectives of first-look and nothing else.

    python -m tests.bench.hoisted

A nested numba loop over the axes, what does not change inside a loop taken out of it, nothing stored, the least of each
objective kept. Both start from the same tables (what depends on the shape alone, and the serving cost), so that what is
timed is the walk. The engine stores its blocks and reduces them in a kernel of its own, which calls the driver block by
block without leaving compiled code. Both are compared before they are timed: the same minima to 1e-12, on rows too.
"""

import math
import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from math import prod
from typing import Any

import numba
import numpy as np

from kernels.driver import POINTS, start_of, visit
from sweep.execute import Evaluator, Worker, rows
from sweep.plan import Plan
from sweep.resolve import load
from sweep.space import Space
from tests.bench.measure import machine

OBJECTIVES = ["loss_nats", "lifetime_usd"]
SHAPE = ("hidden_size", "num_layers", "num_experts", "vocab_size")
PASSES = 9


def table(space: Space, name: str, axes: Sequence[str]) -> Any:
    """A metric or input along these axes."""
    plan = Plan(space, [name], largest_table=math.inf)
    evaluator = Evaluator(plan)
    value = plan.values[name]
    along = [plan.axes[a].name for a in value.axes]
    sizes = [plan.box.sizes[a] for a in value.axes]
    place = evaluator.place(name)
    held = evaluator.tables[place : place + prod(sizes)]
    held = (held.view(np.float64) if value.kind == "float" else held.astype(np.float64)).reshape(sizes)
    held = held.transpose([along.index(axis) for axis in axes if axis in along])
    lengths = {axis.name: len(axis) for axis in space.axes}
    shape = [lengths[axis] if axis in along else 1 for axis in axes]
    wide = np.broadcast_to(held.reshape(shape), [lengths[axis] for axis in axes])
    return np.ascontiguousarray(wide).reshape(-1, *wide.shape[len(axes) - 1 :]) if len(axes) > 1 else wide.copy()


@numba.njit(nogil=True, error_model="numpy")
def by_hand(floor, params_term, factor, tokens_term, flops, price, serve, tokens, rows, out):
    """The least loss and the least lifetime cost, each kept in a number as it comes.

    floor (); params_term and flops (shapes,); factor (shapes, tokens); tokens_term and tokens (tokens,); price, USD per
    FLOP, (shapes, gpus); serve, USD, (shapes, gpus, precisions). out (gpus, precisions, tokens) takes the lifetime
    costs of the last shape, to be compared.
    """
    least_loss = least_cost = np.inf
    shapes, gpus, precisions = serve.shape
    for s in range(shapes):
        for t in range(tokens.shape[0]):
            loss = floor + (params_term[s] * factor[s, t] + tokens_term[t])
            least_loss = loss if loss < least_loss else least_loss
        for g in range(gpus):
            rate = flops[s] * price[s, g]
            for p in range(precisions):
                served = serve[s, g, p]
                for t in range(tokens.shape[0]):
                    cost = rate * tokens[t] + served
                    least_cost = cost if cost < least_cost else least_cost
    for g in range(gpus):
        for p in range(precisions):
            for t in range(tokens.shape[0]):
                out[g, p, t] = flops[shapes - 1] * price[shapes - 1, g] * tokens[t] + serve[shapes - 1, g, p]
    return least_loss, least_cost


@numba.njit(nogil=True, error_model="numpy", fastmath=True)
def by_hand_in_rows(floor, params_term, factor, tokens_term, flops, price, serve, tokens, rows, out):
    """As by_hand by someone who knows that a least number does not vectorise and a row of them, one a token, does."""
    rows[:] = np.inf
    losses, costs = rows[0], rows[1]
    shapes, gpus, precisions = serve.shape
    for s in range(shapes):
        for t in range(tokens.shape[0]):
            loss = floor + (params_term[s] * factor[s, t] + tokens_term[t])
            losses[t] = loss if loss < losses[t] else losses[t]
        for g in range(gpus):
            rate = flops[s] * price[s, g]
            for p in range(precisions):
                served = serve[s, g, p]
                for t in range(tokens.shape[0]):
                    cost = rate * tokens[t] + served
                    costs[t] = cost if cost < costs[t] else costs[t]
    return losses.min(), costs.min()


@numba.njit(nogil=True, error_model="numpy")
def by_hand_exactly(floor, params_term, factor, tokens_term, flops, seconds, hourly, serve, tokens, rows):
    """As by_hand_in_rows by someone who keeps the operations of the definitions, so that every bit is the engine's.

    seconds, FLOP an hour, and hourly, USD, are (shapes, gpus); what the training costs is a row shared by formats.
    """
    rows[:] = np.inf
    losses, costs, trained = rows[0], rows[1], rows[2]
    shapes, gpus, precisions = serve.shape
    for s in range(shapes):
        for t in range(tokens.shape[0]):
            loss = floor + (params_term[s] * factor[s, t] + tokens_term[t])
            losses[t] = loss if loss < losses[t] else losses[t]
        for g in range(gpus):
            hour, usd = seconds[s, g], hourly[s, g]
            for t in range(tokens.shape[0]):
                trained[t] = flops[s] * tokens[t] / hour * usd
            for p in range(precisions):
                served = serve[s, g, p]
                for t in range(tokens.shape[0]):
                    cost = trained[t] + served
                    costs[t] = cost if cost < costs[t] else costs[t]
    return losses.min(), costs.min()


@numba.njit(nogil=True, error_model="numpy")
def least(cells, lanes):
    """The least of cells, one in every so many kept in a lane of its own: that vectorises."""
    lanes[:] = np.inf
    whole = cells.shape[0] // lanes.shape[0] * lanes.shape[0]
    for begin in range(0, whole, lanes.shape[0]):
        part = cells[begin : begin + lanes.shape[0]]
        for k in range(lanes.shape[0]):
            lanes[k] = part[k] if part[k] < lanes[k] else lanes[k]
    found = np.inf
    for k in range(lanes.shape[0]):
        found = min(found, lanes[k])
    for k in range(whole, cells.shape[0]):
        found = min(found, cells[k])
    return found


@numba.njit(nogil=True, error_model="numpy")
def by_driver(loops, program, state, columns, repeats, lanes, blocks):
    """The least value of two columns over all blocks; repeats (2,) is for how many points a cell stands."""
    first = second = np.inf
    for block in range(blocks):
        visit(loops, program, state, block, block + 1)
        start, points = start_of(program, state, columns[0]), state.words[POINTS]
        first = min(first, least(state.floats[start : start + points // repeats[0]], lanes))
        start = start_of(program, state, columns[1])
        second = min(second, least(state.floats[start : start + points // repeats[1]], lanes))
    return first, second


BY_HAND: Any = by_hand
BY_HAND_IN_ROWS: Any = by_hand_in_rows
BY_HAND_EXACTLY: Any = by_hand_exactly
BY_DRIVER: Any = by_driver


def rate(points: int, works: dict[str, Callable[[], Any]]) -> dict[str, float]:
    """Million designs a second of processor time: medians of passes that take turns."""
    spent: dict[str, list[float]] = {name: [] for name in works}
    for k in range(PASSES + 1):
        for name, work in works.items():
            start = time.process_time()
            work()
            if k:
                spent[name].append(time.process_time() - start)
    return {name: points / statistics.median(times) / 1e6 for name, times in spent.items()}


def main() -> None:
    space = replace(load("first-look"), conditions=())
    plan = Plan(space, OBJECTIVES, patience=0.0)
    evaluator = Evaluator(plan)
    worker = Worker(evaluator)
    gpus, precisions = (len(space.axis(name) or ()) for name in ("gpu", "precision"))
    tokens = table(space, "train_tokens", ["train_tokens"])
    shapes = prod(len(space.axis(name) or ()) for name in SHAPE)
    by_gpu = (*SHAPE, "gpu")
    seconds = table(space, "train_peak_flop_per_s", by_gpu) * table(space, "mfu", by_gpu) * 3600.0
    inputs = [
        space.fixed.get("loss_floor_nats", table(space, "loss_floor_nats", ["gpu"])[0]),
        table(space, "loss_params_term_nats", (*SHAPE, "gpu")).reshape(shapes, gpus)[:, 0].copy(),
        table(space, "moe_tokens_factor", (*SHAPE, "train_tokens")).reshape(shapes, len(tokens)),
        table(space, "loss_tokens_term_nats", ["train_tokens"]),
        table(space, "train_flops_per_token", by_gpu).reshape(shapes, gpus)[:, 0].copy(),
        (table(space, "gpu_usd_per_hour", by_gpu) / seconds).reshape(shapes, gpus),
        table(space, "serve_usd_per_million_tokens", (*SHAPE, "gpu", "precision")).reshape(shapes, gpus, precisions)
        * (space.fixed["inference_tokens"] / 1e6),
        tokens,
        np.empty((2, len(tokens))),
        np.empty((gpus, precisions, len(tokens))),
    ]
    floor, params_term, factor, tokens_term, flops, _, serve, _, _, out = inputs
    hourly = table(space, "gpu_usd_per_hour", by_gpu).reshape(shapes, gpus)
    exact = [floor, params_term, factor, tokens_term, flops, seconds.reshape(shapes, gpus), hourly, serve, tokens]
    exact.append(np.empty((3, len(tokens))))
    columns = np.array([evaluator.read.index(name) for name in OBJECTIVES])
    varies = [{a for a in plan.values[name].axes if plan.box.extents[a] > 1} for name in OBJECTIVES]
    repeats = [prod(e for a, e in enumerate(plan.box.extents) if a not in axes) for axes in varies]
    arguments: Any = (evaluator.steps, evaluator.program, worker.state, columns, np.array(repeats))
    arguments += (np.empty(128), plan.box.blocks)
    np.testing.assert_allclose(BY_HAND_IN_ROWS(*inputs), BY_DRIVER(*arguments), rtol=1e-12)
    assert BY_HAND_EXACTLY(*exact) == BY_DRIVER(*arguments)
    np.testing.assert_allclose(BY_HAND(*inputs), BY_DRIVER(*arguments), rtol=1e-12)
    last = rows(worker, range(plan.box.blocks), OBJECTIVES)
    order = np.argsort(last.design_id)
    whole = last.columns["lifetime_usd"][order].reshape([len(axis) for axis in space.axes])
    ours = whole[-1, -1, -1, -1].transpose(2, 0, 1)  # as written: precision, train_tokens, gpu
    np.testing.assert_allclose(out, ours, rtol=1e-12)
    found = rate(
        plan.points,
        {
            "by hand, hoisted and reduced": lambda: BY_HAND(*inputs),
            "by hand, reduced in rows": lambda: BY_HAND_IN_ROWS(*inputs),
            "by hand, to the engine's bits": lambda: BY_HAND_EXACTLY(*exact),
            "engine, evaluated": lambda: worker.count(range(plan.box.blocks)),
            "engine, evaluated and reduced": lambda: BY_DRIVER(*arguments),
        },
    )
    print(
        f"first-look: {plan.points:,} designs, {' and '.join(OBJECTIVES)}, conditions left out, one thread; {machine()}"
    )
    for name, value in found.items():
        ratios = ", ".join(f"{value / hand:5.2f}" for hand in list(found.values())[:3])
        print(f"  {name:<32} {value:10.1f} M designs/s/core  {ratios} of the three by hand")


if __name__ == "__main__":
    main()
