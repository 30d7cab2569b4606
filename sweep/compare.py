"""The laws against each other at equal training compute, and against optima and runs that were published."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from math import isfinite, nan
from typing import TYPE_CHECKING

from sweep import catalogue
from sweep.law_case import Case, NotCovered
from sweep.resources import resource_dir

if TYPE_CHECKING:
    import polars as pl

AT = (1e21, 1e24)
OPTIMUM = ("compute_optimal_params", "compute_optimal_tokens", "compute_optimal_loss_nats")


def compare_laws(flops: Iterable[float] = AT, expansion: float = 1.0) -> pl.DataFrame:
    """What every law calls the best model of a training budget: a row for each law and budget, laws in their order.

    params are what the law counts, so that they compare only where params_counted is the same; losses are nats of the
    law's own data and tokenizer and compare only where these are. Laws without a compute of their own are left out, and
    what a law does not say is null. expansion is how many experts there are to each active one, for laws that know;
    laws of width and depth are asked at the default shape.
    times_outside is how far that model lies outside the runs of its law: 1 inside.
    """
    import polars as pl

    rows = []
    for law, record in catalogue.records("law").items():
        for budget in flops:
            params, tokens, loss = optimum(law, budget, expansion)
            if not (isfinite(params) or isfinite(loss)):
                continue
            outside = _value(law, {"N": params, "D": tokens, "E": expansion}, "times_outside_fitted_range")
            rows.append(
                {
                    "law": law,
                    "flops": budget,
                    "params": params,
                    "params_counted": str(record.values["law_params_counted"]),
                    "tokens": tokens,
                    "tokens_per_param": tokens / params,
                    "loss_nats": loss,
                    "times_outside": outside,
                    "unit": record.facts.get("unit", ""),
                    "source": record.source,
                }
            )
    return pl.DataFrame(rows).with_columns(pl.selectors.float().fill_nan(None))


def compare_published() -> pl.DataFrame:
    """Published optima and runs beside our laws: a row for each, in their order.

    own_ratio and own_loss_nats are by the law of the same authors, default_ratio by the default law; low_ratio and
    high_ratio span all laws that count N alike. A ratio is tokens over published tokens at the published compute, or
    parameters over published parameters where no tokens were published.
    """
    import polars as pl

    default = str(catalogue.defaults()["law"].value)
    rows = []
    for fact in catalogue.read_rows(resource_dir("data") / "published_optima.csv"):
        known = {name: float(fact[name]) if fact[name] else nan for name in NUMBERS}
        alike = [
            law
            for law, record in catalogue.records("law").items()
            if record.values["law_params_counted"] == fact["params_counted"]
        ]
        is_run = fact["kind"] == "run"
        ratios = [] if is_run else [_ratio(law, known) for law in alike]
        said = [ratio for ratio in ratios if isfinite(ratio)]
        case = {"N": known["params"], "D": known["tokens"], "E": known["expansion"]}
        loss = _value(fact["own_law"], case, "loss_nats") if is_run else nan
        rows.append(
            {
                "published": fact["id"],
                **{name: known[name] for name in ("flops", "params", "tokens", "loss_nats")},
                "own_law": fact["own_law"],
                "own_ratio": nan if is_run else _ratio(fact["own_law"], known),
                "default_ratio": nan if is_run or default not in alike else _ratio(default, known),
                "low_ratio": min(said, default=nan),
                "high_ratio": max(said, default=nan),
                "own_loss_nats": loss,
                "loss_error_pct": 100.0 * (loss / known["loss_nats"] - 1.0),
                "source": fact["source"],
            }
        )
    return pl.DataFrame(rows).with_columns(pl.selectors.float().fill_nan(None))


NUMBERS = ("flops", "params", "tokens", "expansion", "loss_nats")


def optimum(law: str, flops: float, expansion: float = 1.0) -> Sequence[float]:
    """N, D and loss of the best model of a budget under a law; nan for what the law does not say.

    Where N is the parameters of all experts, compute is that of the active ones: 6 N D over the expansion.
    """
    counts_all = str(catalogue.records("law")[law].values["law_params_counted"]).startswith("all_experts")
    spent = flops * expansion if counts_all else flops
    return [_value(law, {"C": spent, "E": expansion}, metric) for metric in OPTIMUM]


def _ratio(law: str, known: dict[str, float]) -> float:
    params, tokens, _ = optimum(law, known["flops"], known["expansion"])
    return tokens / known["tokens"] if known["tokens"] == known["tokens"] else params / known["params"]


def _value(law: str, inputs: dict[str, float], metric: str) -> float:
    try:
        return Case(law, inputs).ours(metric)
    except NotCovered:
        return nan
