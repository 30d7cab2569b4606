"""The questions of queries/ answered the slow, obvious way: a plain loop over all designs for each.

An oracle takes the designs as a list of dicts, the parameters and the names of the axes, and yields the rows that its
question promises. What has no value is nan, and a design without a value that is compared is left aside.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from statistics import median
from typing import Any

from sweep import catalogue

Row = dict[str, Any]
Oracle = Callable[["Asked"], Iterable[tuple[Any, ...]]]

ORACLES: dict[str, Oracle] = {}


@dataclass(frozen=True)
class Asked:
    """Designs, parameters with their defaults filled in, and the axes of the space."""

    rows: list[Row]
    axes: list[str]
    params: dict[str, Any]

    def __getattr__(self, name: str) -> Any:
        return self.params[name]

    def having(self, *names: str) -> list[Row]:
        """The designs for which all of these columns have a value."""
        return [row for row in self.rows if not any(row[name] != row[name] for name in names)]

    def of(self, row: Row) -> tuple[Any, ...]:
        """Where a design lies on the axes."""
        return tuple(row[axis] for axis in self.axes)

    def row(self, design_id: int) -> Row:
        """The design of that id."""
        return next(row for row in self.rows if row["design_id"] == design_id)

    @property
    def sign(self) -> int:
        """What makes the best objective the least."""
        return -1 if self.params["more_is_better"] else 1

    def score(self, row: Row) -> float:
        """The objective, less being better."""
        return self.sign * float(row[self.params["objective"]])


def oracle(function: Oracle) -> Oracle:
    """Let a function answer the question of its name."""
    ORACLES[function.__name__] = function
    return function


def ordered(values: Iterable[Any]) -> list[Any]:
    """Each value once, from the least."""
    return sorted(set(values))


def by(rows: Iterable[Row], column: str) -> dict[Any, list[Row]]:
    """Designs by their value of a column."""
    groups: dict[Any, list[Row]] = {}
    for row in rows:
        groups.setdefault(row[column], []).append(row)
    return groups


def first(rows: Iterable[Row], *columns: str) -> Row | None:
    """The design with the least of these, one after the other, then the lowest id."""
    return min(rows, key=lambda row: (*(row[c] for c in columns), row["design_id"]), default=None)


def ratio(a: float, b: float) -> float:
    """a / b; nan or infinite where b is 0."""
    return a / b if b else (math.nan if a == 0 or a != a else math.copysign(math.inf, a))


# --------------------------------------------------------------------------------------------- budgets and targets


@oracle
def best_per_budget(q: Asked) -> Iterator[tuple[Any, ...]]:
    for budget in ordered(q.budgets_usd):
        found = first([r for r in q.having("loss_nats") if r["train_usd"] <= budget], "loss_nats", "train_usd")
        if found:
            yield (budget, found["design_id"], *q.of(found), found["loss_nats"], found["train_usd"])


@oracle
def cheapest_to_reach(q: Asked) -> Iterator[tuple[Any, ...]]:
    for target in reversed(ordered(q.losses_nats)):
        found = first([r for r in q.having(q.cost) if r["loss_nats"] <= target], q.cost, "loss_nats")
        if found:
            yield (target, found["design_id"], *q.of(found), found["loss_nats"], found[q.cost])


@oracle
def price_of_the_next_step(q: Asked) -> Iterator[tuple[Any, ...]]:
    """The cheapest design to each step; where it is the same one for several, the lowest of them counts."""
    rows = q.having(q.cost, "loss_nats")
    lowest: dict[int, tuple[int, float]] = {}
    for step in sorted({math.ceil(r["loss_nats"] / q.step_nats) for r in rows}, reverse=True):
        found = first([r for r in rows if math.ceil(r["loss_nats"] / q.step_nats) <= step], q.cost, "loss_nats")
        assert found is not None
        lowest[found["design_id"]] = (step, found[q.cost])
    before: tuple[int, float] | None = None
    for design_id, (step, cost) in lowest.items():
        more = cost - before[1] if before else None
        per_nat = more / ((before[0] - step) * q.step_nats) if before and more is not None else None
        yield step * q.step_nats, design_id, cost, more, per_nat
        before = (step, cost)


@oracle
def days_to_train(q: Asked) -> Iterator[tuple[Any, ...]]:
    for gpus in ordered(q.gpu_counts):
        in_time = [r for r in q.having("loss_nats") if r["train_gpu_hours"] / (24 * gpus) <= q.max_days]
        found = first(in_time, "loss_nats", "train_gpu_hours")
        if found:
            days = found["train_gpu_hours"] / (24 * gpus)
            yield (gpus, found["design_id"], *q.of(found), found["loss_nats"], days, found["train_usd"])


@oracle
def fewest_gpu_hours(q: Asked) -> Iterator[tuple[Any, ...]]:
    hours, usd = "train_gpu_hours", "train_usd"
    for target in reversed(ordered(q.losses_nats)):
        good = [r for r in q.having(hours, usd) if r["loss_nats"] <= target]
        quick, cheap = first(good, hours, usd), first(good, usd, hours)
        if quick and cheap:
            saved = cheap[hours] - quick[hours]
            price = (quick[usd] - cheap[usd]) / saved if saved else None
            ends = [(r["design_id"], r[hours], r[usd]) for r in (quick, cheap)]
            yield (target, *ends[0], *ends[1], price)


# ------------------------------------------------------------------------------------------- a lifetime of serving


def lifetime(row: Row, demand: float) -> float:
    """What training a design and serving so many tokens costs."""
    return float(row["train_usd"] + row["serve_usd_per_million_tokens"] * demand / 1e6)


def servable(q: Asked) -> list[Row]:
    """Designs whose two prices are known."""
    return q.having("train_usd", "serve_usd_per_million_tokens")


@oracle
def overtraining_pays(q: Asked) -> Iterator[tuple[Any, ...]]:
    good = [r for r in servable(q) if r["loss_nats"] <= q.max_loss_nats]
    plain = first(good, "train_usd", "serve_usd_per_million_tokens")
    for demand in ordered(q.demands_tokens) if plain else []:
        found = min(good, key=lambda r: (lifetime(r, demand), r["train_usd"], r["design_id"]))
        usd = lifetime(found, demand)
        assert plain is not None
        saved = lifetime(plain, demand) - usd
        yield (demand, found["design_id"], *q.of(found), found["tokens_per_param"], usd, saved)


@oracle
def break_even(q: Asked) -> Iterator[tuple[Any, ...]]:
    """By bisection between no demand and a very large one: where the difference changes its sign."""
    good = [r for r in servable(q) if r["loss_nats"] <= q.max_loss_nats]
    ends = []
    for given, prices in ((q.first_id, ("train_usd", "serve_usd_per_million_tokens")),
                          (q.second_id, ("serve_usd_per_million_tokens", "train_usd"))):  # fmt: skip
        ends.append(
            first(good, *prices) if given is None else next((r for r in servable(q) if r["design_id"] == given), None)
        )
    a, b = ends
    if a is None or b is None:
        return
    told = [v for r in (a, b) for v in (r["design_id"], r["train_usd"], r["serve_usd_per_million_tokens"])]
    low, high = 0.0, 1e40

    def difference(tokens: float) -> float:
        return lifetime(a, tokens) - lifetime(b, tokens)

    if a["serve_usd_per_million_tokens"] == b["serve_usd_per_million_tokens"] or difference(low) * difference(high) > 0:
        yield (*told, None, None)
        return
    for _ in range(300):
        middle = (low + high) / 2
        low, high = (middle, high) if difference(middle) * difference(high) <= 0 else (low, middle)
    yield (*told, low, lifetime(a, low))


@oracle
def winner_by_demand(q: Asked) -> Iterator[tuple[Any, ...]]:
    good = [r for r in servable(q) if r["loss_nats"] <= q.max_loss_nats]
    for demand in ordered(q.demands_tokens):
        found = [min((lifetime(r, demand), r["design_id"]) for r in rows) for rows in by(good, q.axis).values()]
        for usd, design_id in sorted(found):
            yield demand, q.row(design_id)[q.axis], design_id, usd, ratio(usd, min(found)[0]) - 1


@oracle
def against_the_optima(q: Asked) -> Iterator[tuple[Any, ...]]:
    for target, design_id, *_ in cheapest_to_reach(q):
        row = q.row(design_id)
        ratios = [ratio(row["train_tokens"], row[f"{kind}_optimal_tokens"]) for kind in ("compute", "inference")]
        yield (target, design_id, *q.of(row), row["excess_loss_nats"], *ratios)


# ----------------------------------------------------------------------------------- what matters, and what it costs


def text(value: Any) -> str:
    """A value of an axis as DuckDB writes it, for the values of these tests."""
    return str(value)


def values_of_axes(q: Asked) -> Iterator[tuple[str, str, int, float, int]]:
    """Of each value of each axis: the designs, the best score and the design that has it."""
    for axis in q.axes:
        for value, rows in by(q.having(q.objective), axis).items():
            yield (axis, text(value), len(rows), *min((q.score(r), r["design_id"]) for r in rows))


@oracle
def marginal_bests(q: Asked) -> Iterator[tuple[Any, ...]]:
    found = list(values_of_axes(q))
    best = min((score for *_, score, _ in found), default=math.nan)
    found.sort(key=lambda v: (q.axes.index(v[0]), v[3], v[4], v[1]))
    for axis, value, designs, score, design_id in found:
        yield axis, value, designs, design_id, q.sign * score, abs(ratio(score, best) - 1)


@oracle
def what_matters(q: Asked) -> Iterator[tuple[Any, ...]]:
    rows = []
    for axis in q.axes:
        found = sorted((score, design_id, value) for a, value, _, score, design_id in values_of_axes(q) if a == axis)
        if not found:
            continue
        (best, _, first_value), (worst, _, last_value) = found[0], found[-1]
        lost = abs(ratio(worst, best) - 1)
        rows.append((axis, len(found), first_value, last_value, q.sign * best, q.sign * worst, lost))
    yield from sorted(rows, key=lambda r: -r[-1])


@oracle
def near_optimal(q: Asked) -> Iterator[tuple[Any, ...]]:
    rows = q.having(q.objective)
    best = min(map(q.score, rows), default=math.nan)
    near = Asked([r for r in rows if q.score(r) <= best + q.within * abs(best)], q.axes, q.params)
    found = sorted(values_of_axes(near), key=lambda v: (q.axes.index(v[0]), -v[2], v[4], v[1]))
    for axis, value, designs, score, design_id in found:
        yield axis, value, designs, designs / len(near.rows), design_id, abs(ratio(score, best) - 1)


@oracle
def price_of_a_limit(q: Asked) -> Iterator[tuple[Any, ...]]:
    rows = q.having(q.objective)
    for limit in ordered(q.limits):
        under = [r for r in rows if r[q.limited] <= limit]
        if under:
            score, design_id = min((q.score(r), r["design_id"]) for r in under)
            yield limit, len(under), design_id, q.sign * score, abs(ratio(score, min(map(q.score, rows))) - 1)


def summed(regrets: dict[Any, list[tuple[float, Any]]]) -> list[tuple[Any, ...]]:
    """Of each value how often it was possible, the most and the mean regret, and where it was most; the best first."""
    found = []
    for value, pairs in regrets.items():
        most = max(regret for regret, _ in pairs)
        worst = min(case for regret, case in pairs if regret == most)
        found.append((value, len(pairs), most, sum(regret for regret, _ in pairs) / len(pairs), worst))
    return sorted(found, key=lambda r: (-r[1], r[2], r[3], r[0]))


@oracle
def regret_across_budgets(q: Asked) -> Iterator[tuple[Any, ...]]:
    rows = q.having("loss_nats")
    regrets: dict[Any, list[tuple[float, Any]]] = {}
    for budget in ordered(q.budgets_usd):
        bought = [r for r in rows if r["train_usd"] <= budget]
        for value, own in by(bought, q.axis).items():
            regret = min(r["loss_nats"] for r in own) - min(r["loss_nats"] for r in bought)
            regrets.setdefault(value, []).append((regret, budget))
    yield from summed(regrets)


@oracle
def spread(q: Asked) -> Iterator[tuple[Any, ...]]:
    found = []
    for value, rows in by(q.having(q.objective), q.axis).items():
        numbers = sorted(float(r[q.objective]) for r in rows)
        quantiles = []
        for share in (0.05, 0.25, 0.5, 0.75, 0.95):
            place = share * (len(numbers) - 1)
            low, high = numbers[math.floor(place)], numbers[math.ceil(place)]
            quantiles.append(low + (high - low) * (place - math.floor(place)))
        found.append((value, len(rows), numbers[0], *quantiles, numbers[-1]))
    yield from sorted(found, key=lambda r: (r[5], r[2], r[0]))


@oracle
def twins(q: Asked) -> Iterator[tuple[Any, ...]]:
    families: dict[tuple[Any, ...], list[Row]] = {}
    for row in q.having(*q.measured):
        families.setdefault(tuple(row[name] for name in q.measured), []).append(row)
    sets: dict[str, list[list[int]]] = {}
    for rows in families.values():
        if len(rows) > 1:
            differs = ", ".join(axis for axis in q.axes if len({row[axis] for row in rows}) > 1)
            sets.setdefault(differs, []).append(sorted(row["design_id"] for row in rows))
    found = []
    for differs, ids in sets.items():
        example = min(ids)
        found.append((differs, len(ids), sum(map(len, ids)), example[0], example[-1]))
    yield from sorted(found, key=lambda r: (-r[2], r[0]))


# ------------------------------------------------------------------------------------------- hardware and formats


@oracle
def beaten_at_equal(q: Asked) -> Iterator[tuple[Any, ...]]:
    choices: dict[tuple[Any, ...], list[Row]] = {}
    for row in q.having(q.objective):
        choices.setdefault(tuple(row[a] for a in q.axes if a != q.axis), []).append(row)
    tally: dict[Any, list[tuple[bool, bool, float, int]]] = {}
    for rows in choices.values():
        best = min(map(q.score, rows))
        winners = [r for r in rows if q.score(r) == best]
        for row in rows if len(rows) > 1 else []:
            is_best = row in winners
            away = abs(ratio(q.score(row), best) - 1)
            tally.setdefault(row[q.axis], []).append(
                (is_best and len(winners) == 1, is_best and len(winners) > 1, away, row["design_id"])
            )
    found = []
    for value, met in tally.items():
        wins, ties = sum(m[0] for m in met), sum(m[1] for m in met)
        nearest = min((away, design_id) for *_, away, design_id in met)[1]
        found.append((value, len(met), wins, ties, wins + ties == 0, median(m[2] for m in met), nearest))
    yield from sorted(found, key=lambda r: (-r[2], -r[3], r[0]))


@oracle
def best_per(q: Asked) -> Iterator[tuple[Any, ...]]:
    good = [r for r in q.having(q.cost) if r["loss_nats"] <= q.max_loss_nats]
    groups = by(good, q.axis)
    best = [first(rows, q.cost, "loss_nats") for rows in groups.values()]
    for row in sorted((r for r in best if r), key=lambda r: (r[q.cost], r["design_id"])):
        over = ratio(row[q.cost], min(r[q.cost] for r in good)) - 1
        count = len(groups[row[q.axis]])
        yield (row[q.axis], count, row["design_id"], *q.of(row), row["loss_nats"], row[q.cost], over)


@oracle
def price_change(q: Asked) -> Iterator[tuple[Any, ...]]:
    for target in reversed(ordered(q.losses_nats)):
        good = [r for r in q.having("lifetime_usd") if r["loss_nats"] <= target]
        if not good:
            continue
        row = first(good, "lifetime_usd")
        assert row is not None
        new = [
            (r["lifetime_usd"] * (q.price_factor if r["gpu"] == q.gpu else 1), r["design_id"], r["gpu"]) for r in good
        ]
        usd, design_id, gpu = min(new)
        before = (row["gpu"], row["design_id"], row["lifetime_usd"])
        yield (target, *before, gpu, design_id, usd, 1 - ratio(usd, row["lifetime_usd"]))


@oracle
def price_to_win(q: Asked) -> Iterator[tuple[Any, ...]]:
    prices = {record.id: record.values["gpu_usd_per_hour"] for record in catalogue.records("gpu").values()}
    good = [r for r in q.having("lifetime_usd") if r["loss_nats"] <= q.max_loss_nats]
    best = sorted(min((r["lifetime_usd"], r["design_id"]) for r in rows) for rows in by(good, "gpu").values())
    for place, (usd, design_id) in enumerate(best):
        rivals = [other for k, (other, _) in enumerate(best) if k != place]
        gpu = q.row(design_id)["gpu"]
        yield gpu, design_id, usd, ratio(min(rivals), usd) if rivals else None, prices.get(gpu)


@oracle
def never_on_frontier(q: Asked) -> Iterator[tuple[Any, ...]]:
    rows = q.having("loss_nats", q.cost)
    points = {(r["loss_nats"], r[q.cost]) for r in rows}
    on_it = {p for p in points if not any(o != p and o[0] <= p[0] and o[1] <= p[1] for o in points)}
    found = []
    for value, own in by(rows, q.axis).items():
        frontier = [r for r in own if (r["loss_nats"], r[q.cost]) in on_it]
        cheapest = first(frontier, q.cost)
        bests = min(r["loss_nats"] for r in own), min(r[q.cost] for r in own)
        found.append((value, len(own), len(frontier), cheapest["design_id"] if cheapest else None, *bests))
    yield from sorted(found, key=lambda r: (-r[2], r[4], r[0]))


@oracle
def serving_cost(q: Asked) -> Iterator[tuple[Any, ...]]:
    price = "serve_usd_per_million_tokens"
    groups: dict[tuple[str, str], list[Row]] = {}
    for row in q.having(price):
        if row["params_total"] >= q.min_params:
            groups.setdefault((row["gpu"], row["precision"]), []).append(row)
    found = []
    for (gpu, precision), rows in groups.items():
        best = min(rows, key=lambda r: (r[price], -r["params_total"], r["design_id"]))
        middle = median(r[price] for r in rows)
        found.append((gpu, precision, len(rows), best[price], middle, best["params_total"], best["design_id"]))
    yield from sorted(found, key=lambda r: (r[3], r[6]))


# ------------------------------------------------------------------------------------------------ memory and speed


@oracle
def fits_on(q: Asked) -> Iterator[tuple[Any, ...]]:
    groups: dict[tuple[str, str], list[Row]] = {}
    for row in q.rows:
        if row["min_gpus_to_serve"] <= q.num_gpus:
            groups.setdefault((row["gpu"], row["precision"]), []).append(row)
    found = []
    for (gpu, precision), rows in groups.items():
        best = min(rows, key=lambda r: (-r["params_total"], r["serve_bytes"], r["design_id"]))
        found.append((gpu, precision, len(rows), best["design_id"], best["params_total"], best["serve_bytes"]))
    yield from sorted(found, key=lambda r: (-r[4], r[5], r[3]))


@oracle
def headroom(q: Asked) -> Iterator[tuple[Any, ...]]:
    alike: dict[tuple[float, float], list[int]] = {}
    for row in q.having("serve_bytes", "min_gpus_to_serve", "gpu_usable_bytes"):
        room = row["min_gpus_to_serve"] * row["gpu_usable_bytes"]
        alike.setdefault((row["serve_bytes"], room), []).append(row["design_id"])
    fullest = sorted(alike.items(), key=lambda item: (-item[0][0] / item[0][1], min(item[1])))[: q.max_rows]
    for (used, room), ids in fullest:
        row = q.row(min(ids))
        spare = math.floor((room - used) / row["kv_cache_bytes_per_token"])
        yield (row["design_id"], *q.of(row), len(ids), used / room, room - used, spare)


@oracle
def largest_at_speed(q: Asked) -> Iterator[tuple[Any, ...]]:
    speed = "decode_tokens_per_s"
    fast = [r for r in q.rows if r[speed] >= q.min_tokens_per_s]
    best = [min(g, key=lambda r: (-r["params_total"], -r[speed], r["design_id"])) for g in by(fast, "gpu").values()]
    for row in sorted(best, key=lambda r: (-r["params_total"], -r[speed], r["design_id"])):
        yield (row["design_id"], *q.of(row), row["params_total"], row[speed])


@oracle
def longest_context(q: Asked) -> Iterator[tuple[Any, ...]]:
    def speed(row: Row) -> float:
        found = float(row["decode_tokens_per_s"])
        return 0.0 if found != found else found

    groups: dict[tuple[Any, str], list[Row]] = {}
    for row in q.rows:
        if row["min_gpus_to_serve"] <= q.num_gpus:
            groups.setdefault((row[q.model_axis], row["gpu"]), []).append(row)
    best = [min(g, key=lambda r: (-r["context_tokens"], -speed(r), r["design_id"])) for g in groups.values()]
    best.sort(key=lambda r: (-r["context_tokens"], -r["params_total"], -speed(r), r["design_id"]))
    for row in best:
        yield row[q.model_axis], row["gpu"], row["context_tokens"], row["design_id"], row["serve_bytes"], speed(row)


@oracle
def batch_or_wait(q: Asked) -> Iterator[tuple[Any, ...]]:
    price = "serve_usd_per_million_tokens"
    for limit in ordered(q.step_limits_s):
        quick = [r for r in q.having(price) if r["params_total"] >= q.min_params and r["decode_step_s"] <= limit]
        found = first(quick, price, "decode_step_s")
        if found:
            yield limit, found["gpu"], found["design_id"], found["decode_step_s"], found[price], len(quick)


# ------------------------------------------------------------------------------------------------ shape and experts


@oracle
def moe_at_equal_loss(q: Asked) -> Iterator[tuple[Any, ...]]:
    for target in reversed(ordered(q.losses_nats)):
        good = [r for r in q.having(q.cost) if r["loss_nats"] <= target]
        kinds = [[r for r in good if r["num_experts"] == 1], [r for r in good if r["num_experts"] > 1]]
        dense, mixed = (first(kind, q.cost) for kind in kinds)
        told = [v for r in (dense, mixed) for v in ((r["design_id"], r[q.cost]) if r else (None, None))]
        if good:
            yield (target, *told, 1 - ratio(mixed[q.cost], dense[q.cost]) if dense and mixed else None)


@oracle
def moe_at_equal_cost(q: Asked) -> Iterator[tuple[Any, ...]]:
    for budget in ordered(q.budgets_usd):
        bought = [r for r in q.having("loss_nats") if r["train_usd"] <= budget]
        kinds = [[r for r in bought if r["num_experts"] == 1], [r for r in bought if r["num_experts"] > 1]]
        dense, mixed = (first(kind, "loss_nats", "train_usd") for kind in kinds)
        told = [v for r in (dense, mixed) for v in ((r["design_id"], r["loss_nats"]) if r else (None, None))]
        if bought:
            yield (budget, *told, dense["loss_nats"] - mixed["loss_nats"] if dense and mixed else None)


@oracle
def vocabulary_value(q: Asked) -> Iterator[tuple[Any, ...]]:
    for budget in ordered(q.budgets_usd):
        bought = [r for r in q.having("bits_per_char") if r["train_usd"] <= budget]
        best = [first(rows, "bits_per_char", "train_usd") for rows in by(bought, "vocab_size").values()]
        for row in sorted((r for r in best if r), key=lambda r: (r["bits_per_char"], r["design_id"])):
            over = ratio(row["bits_per_char"], min(r["bits_per_char"] for r in bought)) - 1
            yield budget, row["vocab_size"], row["design_id"], row["bits_per_char"], over


@oracle
def deep_or_wide(q: Asked) -> Iterator[tuple[Any, ...]]:
    cells: dict[tuple[int, int], list[tuple[float, int]]] = {}
    for row in q.having(q.per_parameter):
        size = next(k for k in range(64) if 2**k <= row["params_active"] < 2 ** (k + 1))
        aspect = next(k for k in range(-40, 40) if 2.0**k <= row["hidden_size"] / row["num_layers"] < 2.0 ** (k + 1))
        value = 1e9 * row[q.per_parameter] / row["params_active"]
        cells.setdefault((size, aspect), []).append((value, row["design_id"]))
    found = []
    for (size, aspect), met in cells.items():
        best = min(min(other) for (s, _), other in cells.items() if s == size)[0]
        value, design_id = min(met)
        ends = (2.0**size, 2.0 ** (size + 1), 2.0**aspect, 2.0 ** (aspect + 1))
        found.append((*ends, len(met), design_id, value, ratio(value, best) - 1))
    yield from sorted(found, key=lambda r: (r[0], r[6], r[5]))


@oracle
def nearest_models(q: Asked) -> Iterator[tuple[Any, ...]]:
    best = first(q.having("loss_nats"), "loss_nats")
    row = best if q.design_id is None else q.row(q.design_id)
    if row is None:
        return
    found = []
    for model in catalogue.frame("models").to_dicts():
        theirs = model["total_params_oracle"], model["active_params_oracle"]
        if None not in theirs:
            pairs = zip(theirs, (row["params_total"], row["params_active"]), strict=True)
            apart = max(max(a / b, b / a) for a, b in pairs)
            found.append((model["model"], model["kind"], model["release_date"], *theirs, apart, row["design_id"]))
    yield from sorted(found, key=lambda r: (r[5], r[0]))[: q.max_rows]


# ---------------------------------------------------------------------------------------------- how far to trust it


@oracle
def price_of_trust(q: Asked) -> Iterator[tuple[Any, ...]]:
    rows = q.having("loss_nats")
    for limit in ordered(q.times_outside):
        inside = [r for r in rows if r["times_outside_fitted_range"] <= limit]
        best = first(inside, "loss_nats")
        good = [r for r in inside if r["loss_nats"] <= q.max_loss_nats and r[q.cost] == r[q.cost]]
        cheap = first(good, q.cost)
        if best:
            over = best["loss_nats"] - min(r["loss_nats"] for r in rows)
            told = (cheap[q.cost], cheap["design_id"]) if cheap else (None, None)
            yield (limit, len(inside), best["loss_nats"], best["design_id"], over, *told)


@oracle
def regret_across(q: Asked) -> Iterator[tuple[Any, ...]]:
    good = [r for r in q.having(q.cost) if r["loss_nats"] <= q.max_loss_nats]
    regrets: dict[Any, list[tuple[float, Any]]] = {}
    for case, rows in by(good, q.across).items():
        for value, own in by(rows, q.axis).items():
            regret = ratio(min(r[q.cost] for r in own), min(r[q.cost] for r in rows)) - 1
            regrets.setdefault(value, []).append((regret, case))
    yield from summed(regrets)
