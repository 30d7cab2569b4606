"""Fit what cannot be calibrated in the time of a training step to published steps: which numbers, on which rows.

`python -m tests.fit_train [MEASUREMENTS.csv ...]`, of tables beside the shipped one, prints each fitted number beside
the one in ``data/``, and the errors of every group before and after; with `--leave-out`, each group's errors under
numbers fitted on all the others. Rows weigh so that a group counts as the root of its size. The error is that of the
logarithm of time, less and less per unit beyond 5 %, so that a few odd rows do not pull; steps are damped Gauss-Newton
ones.

A device that a single source ran has a level of its own that is fitted last, to its rows alone. Its rows teach nothing
else, for that level is not known while the rest is fitted; where its group is left out, it is as its kin.
"""

import argparse
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from kernels.model import GRAPH
from sweep import asked, measured_train
from sweep.measured import Design, Figure, Row, read
from sweep.points import evaluate_rows
from sweep.resources import resource_dir
from tests.vectorised import Vectorised

Array = Any
Values = dict[str, Array]
WANTED = ("train_tokens_per_s_per_gpu", "layer_s", "layer_forward_s")
SCALE = 0.05  # of an error in the logarithm, beyond which it counts less: two runs of one layout differ as much
HOPPER, BLACKWELL, TPU = ("h100", "h200"), ("b200", "b300", "gb"), ("tpu",)
LEVEL = "gpu_matmul_factor"
OWN = {  # devices with a level of their own
    "matmuls on TPU v4": ("tpu_v4",),
    "matmuls on Trillium": ("tpu_v6e",),
    "matmuls on Ironwood": ("tpu_v7",),
    "matmuls on Volta": ("v100",),
}
KIN = {"matmuls on Volta": "a100"}  # as which they count while the rest is fitted, TPUs as v5
LEVELS = np.arange(0.5, 1.5, 0.005)  # that are tried
# rows that predict but do not teach: layouts half known, outliers by their notes, and what everything was tried on
ASIDE = (
    *("megatron-core-h100", "narayanan-t1", "nanogpt"),
    *("dgxc", "gpu-recipes-a3ultra", "gpu-recipes-a4", "tpu-recipes-v5p"),
)
NOTES_ASIDE = ("outlier",)


@dataclass(frozen=True)
class Rows:
    """Measured seconds beside the inputs of each row; what says which rows are which, and whether a layout is told."""

    measured: Array
    inputs: Values
    cells: list[Mapping[str, str]]
    quantity: Array
    told: Array

    def column(self, name: str) -> Array:
        return np.array([cells.get(name, "") for cells in self.cells])

    def holds(self, name: str, words: Sequence[str]) -> Array:
        return np.array([any(word in cell for word in words) for cell in self.column(name)])


@dataclass(frozen=True)
class Number:
    """A number to be fitted: the input it is, where it applies, and whether it is a share, so at most 1."""

    label: str
    name: str
    where: Array
    share: bool

    def free(self, value: float) -> float:
        """The number on a scale without ends."""
        bounded = min(max(value, 1e-7), 1.0 - 1e-4)
        return float(np.log(bounded / (1.0 - bounded)) if self.share else np.log(value))

    def value(self, free: float) -> float:
        return float(1.0 / (1.0 + np.exp(-free)) if self.share else np.exp(free))


def load(*paths: Path) -> Rows:
    """The rows of files of measurements that the model of a step has something to say of, those of one id once."""
    frame = pl.concat([pl.read_csv(path, infer_schema=False) for path in paths], how="diagonal")
    frame = frame.unique("id", keep="first", maintain_order=True)
    kept: list[tuple[Row, Figure]] = []
    for row in read(frame, " and ".join(map(str, paths)), measured_train.NEEDED):
        if row.set_aside:
            continue
        kept.extend(
            (row, figure)
            for figure in measured_train.figures(row)
            if figure.quantity in ("train_token_s", "layer_s", "layer_forward_s") and _one_or_best(figure)
        )
    answers = asked.Answers(ask for _, figure in kept for ask in figure.asks if len(figure.asks) > 1)
    designs = [_design(figure, answers) for _, figure in kept]
    columns = asked._read(list(WANTED), {})
    table = pl.DataFrame({n: asked._column(n, designs) for n in columns}, schema=dict.fromkeys(columns, pl.String))
    leaves = Vectorised(GRAPH, WANTED).leaves
    found, bad = evaluate_rows(table, leaves)
    refused = {report.row for report in bad}
    good = np.array([k not in refused and design.get("parallelism") == "given" for k, design in enumerate(designs)])
    inputs = {n: _numpy(found[f"{n}_computed" if n in table.columns else n])[good] for n in leaves}
    rows = [entry for entry, use in zip(kept, good, strict=True) if use]
    return Rows(
        np.array([figure.measured for _, figure in rows]),
        inputs,
        [row.cells for row, _ in rows],
        np.array([figure.quantity for _, figure in rows]),
        np.array([len(figure.asks) == 1 for _, figure in rows]),
    )


def _one_or_best(figure: Figure) -> bool:
    """Whether a figure is the time of one layout, told or chosen; not a mean of two."""
    return len(figure.asks) == 1 or any(ask.metric == "train_fits" for ask in figure.asks)


def _design(figure: Figure, answers: asked.Answers) -> Design:
    """The layout of a figure; of several, the one that is chosen under the numbers in data."""
    if len(figure.asks) == 1:
        return figure.asks[0].design
    return figure.asks[measured_train.fastest([answers(ask)[0] for ask in figure.asks])].design


def _numpy(series: pl.Series) -> Array:
    if series.dtype == pl.String:
        return np.array([cell or "" for cell in series.to_list()])
    return series.cast(pl.Float64).fill_null(float("nan")).to_numpy().copy()


def numbers(rows: Rows) -> list[Number]:
    """What is fitted, each on the rows that know it: a run without overlap says nothing of overlap."""
    every = np.ones(len(rows.measured), bool)
    waits = ~rows.holds("notes", ("overlap switched off",))
    given = rows.inputs
    deepspeed = given["collective_rails"] == 1
    return [
        Number("matmuls on Hopper", "gpu_matmul_factor", rows.holds("gpu", HOPPER), False),
        Number("matmuls on Blackwell", "gpu_matmul_factor", rows.holds("gpu", BLACKWELL), False),
        Number("matmuls on TPUs", "gpu_matmul_factor", rows.holds("gpu", TPU), False),
        Number("matmuls in 8 and 4 bits", "train_matmul_factor", given["train_matmul_factor"] != 1, False),
        Number("matmuls of experts", "grouped_half_width", every, False),
        Number("operands", "matmul_traffic_factor", every, False),
        Number("attention before Hopper", "flash_attention_factor", given["flash_attention_factor"] != 1, False),
        Number(
            "such attention on Hopper",
            "gpu_earlier_attention_factor",
            (given["flash_attention_factor"] != 1) & rows.holds("gpu", HOPPER),
            False,
        ),
        Number("attention over odd heads", "misaligned_factor", every, True),
        Number("launches", "layer_launch_s", every, False),
        Number("tensor overlap", "tensor_overlap_share", waits & (given["tensor_kernel_overlap_share"] == 0), True),
        Number("in kernels", "tensor_kernel_overlap_share", given["tensor_kernel_overlap_share"] > 0, True),
        Number("data overlap", "data_overlap_share", waits & (given["exchange_overlap_share"] == 0), True),
        Number("data overlap of XLA", "exchange_overlap_share", rows.holds("framework", ("MaxText",)), True),
        Number("host", "host_byte_per_s", given["host_bytes_per_param"] > 0, False),
        Number("expert overlap", "expert_overlap_share", waits, True),
        Number("DeepSpeed's overhead", "framework_overhead_share", deepspeed, True),
        Number(
            "InternEvo's overhead",
            "framework_overhead_share",
            (given["framework_overhead_share"] > 0) & ~deepspeed,
            True,
        ),
    ]


def taught(rows: Rows) -> Array:
    """The rows that are fitted on."""
    aside = np.isin(rows.column("source_group"), ASIDE) | rows.holds("notes", NOTES_ASIDE)
    alone = rows.holds("gpu", [word for words in OWN.values() for word in words])
    return ~aside & ~alone & (rows.column("micro_batch_size") != "") & rows.told


def as_kin(rows: Rows) -> Rows:
    """Devices with a level of their own at that of their kin: other TPUs as v5, Volta as Ampere."""
    levels = rows.inputs[LEVEL].copy()
    for label, words in OWN.items():
        levels[rows.holds("gpu", words)] = levels[rows.holds("gpu", (KIN.get(label, "tpu_v5"),))][0]
    return replace(rows, inputs=rows.inputs | {LEVEL: levels})


class Fit:
    """The step's model on arrays of rows, and its fit."""

    def __init__(self, rows: Rows) -> None:
        self.data = rows.inputs
        self.rows = as_kin(rows)
        self.numbers = numbers(self.rows)
        self._metrics = Vectorised(GRAPH, WANTED)

    def logs(self, found: Values) -> Array:
        """Logarithms of ours over measured; 0 where there is none of ours."""
        token = 1.0 / found["train_tokens_per_s_per_gpu"]
        layer = np.where(self.rows.quantity == "layer_s", found["layer_s"], found["layer_forward_s"])
        error = np.log(np.where(self.rows.quantity == "train_token_s", token, layer) / self.rows.measured)
        return np.where(np.isfinite(error), error, 0.0)

    def start(self) -> Array:
        """The numbers as they stand in data, on their free scales."""
        return np.array([n.free(float(self.rows.inputs[n.name][n.where][0])) for n in self.numbers if n.where.any()])

    def inputs(self, free: Array) -> Values:
        values = dict(self.rows.inputs)
        for number, at in zip(self.numbers, free, strict=True):
            values[number.name] = np.where(number.where, number.value(at), values[number.name])
        return values

    def errors(self, free: Array) -> Array:
        return np.exp(self.logs(self._metrics(self.inputs(free)))) - 1.0

    def before(self) -> Array:
        """Errors of the numbers in data."""
        return np.exp(self.logs(self._metrics(self.data))) - 1.0

    def own(self, free: Array, errors: Array) -> dict[str, float]:
        """The levels of devices that have their own, under these numbers; their rows' errors are put in place."""
        found = self._metrics(self.inputs(free))
        best: dict[str, float] = {}
        for label, words in OWN.items():
            where = self.rows.holds("gpu", words) & (self.rows.quantity == "train_token_s")
            tried = [
                self.logs(self._metrics({**found, LEVEL: np.where(where, level, found[LEVEL])}, [LEVEL]))[where]
                for level in LEVELS
            ]
            least = int(np.argmin([_cost(error, np.ones(len(error))) for error in tried]))
            best[label], errors[where] = float(LEVELS[least]), np.exp(tried[least]) - 1.0
        return best

    def solve(self, weights: Array, steps: int = 30) -> Array:
        """The free numbers that make the weighted, damped errors least."""
        free, damping = self.start(), 1e-2
        found = self._metrics(self.inputs(free))
        error = self.logs(found)
        cost = _cost(error, weights)
        for _ in range(steps):
            slopes = np.array([self._slope(free, k, found, error) for k in range(len(free))])
            curved = weights / np.sqrt(1.0 + (error / SCALE) ** 2)
            squares, down = (slopes * curved) @ slopes.T, (slopes * curved) @ error
            better = False
            while not better and damping < 1e6:
                damped = squares + damping * np.diag(np.diag(squares)) + 1e-9 * np.eye(len(free))
                trial = free - np.clip(np.linalg.solve(damped, down), -1.0, 1.0)
                found_there = self._metrics(self.inputs(trial))
                error_there = self.logs(found_there)
                better = _cost(error_there, weights) < cost
                damping = damping / 4.0 if better else damping * 4.0
            if not better:
                break
            gain = cost - _cost(error_there, weights)
            free, found, error, cost = trial, found_there, error_there, cost - gain
            if gain < 1e-5 * cost:
                break
        return free

    def _slope(self, free: Array, k: int, found: Values, error: Array) -> Array:
        moved = free.copy()
        moved[k] += 1e-3
        there = self._metrics({**found, **self.inputs(moved)}, [self.numbers[k].name])
        return (self.logs(there) - error) / 1e-3


def _cost(error: Array, weights: Array) -> float:
    return float((weights * (np.sqrt(1.0 + (error / SCALE) ** 2) - 1.0)).sum())


def weights(groups: Array, rows: Array) -> Array:
    """Of each row, so that a group of n rows counts as the root of n."""
    sizes = {group: max(1, int(((groups == group) & rows).sum())) for group in set(groups)}
    return np.array([sizes[group] ** -0.5 for group in groups]) * rows


def shown(errors: Array, where: Array) -> str:
    size = np.abs(errors[where])
    return f"{100 * np.median(size):6.1f} {100 * np.quantile(size, 0.9):6.1f} {100 * np.median(errors[where]):+7.1f}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("measurements", type=Path, nargs="*")
    parser.add_argument("--leave-out", action="store_true", help="fit without each group in turn, and predict it")
    options = parser.parse_args()
    rows = load(*options.measurements, resource_dir("data") / "measurements_train.csv")
    fit, groups, teaching = Fit(rows), rows.column("source_group"), taught(rows)
    before = fit.before()
    free = fit.solve(weights(groups, teaching))
    after = fit.errors(free)
    own = fit.own(free, after)
    for number, start, at in zip(fit.numbers, fit.start(), free, strict=True):
        print(
            f"{number.label:26} {number.name:30} in data {number.value(start):10.4g}  fitted {number.value(at):10.4g}"
        )
    for label, level in own.items():
        stands = rows.inputs[LEVEL][rows.holds("gpu", OWN[label])][0]
        print(f"{label:26} {LEVEL:30} in data {stands:10.4g}  fitted {level:10.4g}  alone")
    steps = rows.quantity == "train_token_s"
    named: list[tuple[str, Array]] = [
        (g, (groups == g) & steps) for g in dict.fromkeys(groups) if ((groups == g) & steps).any()
    ]
    left: Callable[[Array], str] = lambda where: ""  # noqa: E731
    if options.leave_out:
        without = np.full(len(after), np.nan)
        for group, where in named:
            without[where] = fit.errors(fit.solve(weights(groups, teaching & (groups != group))))[where]
        left = lambda where: f" | left out {shown(without, where)}"  # noqa: E731
    for label, where in [*named, ("all", steps)]:
        print(
            f"{label:24} {int(where.sum()):4} | data {shown(before, where)} | fitted {shown(after, where)}{left(where)}"
        )


if __name__ == "__main__":
    main()
