"""Quantiles of metrics over the joint draws of a law's coefficients: 5, 50 and 95 %.

A draw is a refit of the law to a resample of its runs, all coefficients together. The engine evaluates the metric once
per draw and takes the quantile; there is no formula for that, so neither SQL nor a single evaluation has it.
What they hold is how well the coefficients are known, nothing of how far a single run lies from its law.
"""

import ast
from collections.abc import Mapping

from kernels.graph import Metric
from kernels.language import Formula

PERCENTS = (5, 50, 95)
BASES = (
    *("loss_nats", "excess_loss_nats", "tokens_for_params"),
    *("compute_optimal_params", "compute_optimal_tokens", "compute_optimal_loss_nats"),
    *("inference_optimal_params", "inference_optimal_tokens", "inference_optimal_lifetime_flops"),
)
SOURCE = "joint bootstrap of the law's own runs, see data/law_draws.csv; Besiroglu et al. 2024, arXiv:2404.10102"


def quantile(base: Metric, percent: int) -> Metric:
    """The metric that is a percentage point of another over the draws of the law."""
    call = ast.Call(ast.Name("draw_quantile", ast.Load()), [ast.Name(base.name, ast.Load()), ast.Constant(percent)], [])
    name = f"{base.name}_p{percent:02d}"
    meaning = f"{percent} % of the draws of the law's coefficients give less: {base.meaning}"
    return Metric(name, base.unit, SOURCE, meaning, Formula(name, (base.name,), (), call))


def quantiles(metrics: Mapping[str, Metric]) -> list[Metric]:
    """All of them."""
    return [quantile(metrics[base], percent) for base in BASES for percent in PERCENTS]


def quantile_of(formula: Formula) -> tuple[str, float] | None:
    """The metric and the share that a formula is a quantile of, None when it is none."""
    match formula.result:
        case ast.Call(
            func=ast.Name(id="draw_quantile"), args=[ast.Name(id=base), ast.Constant(value=int() as percent)]
        ):
            return base, percent / 100.0
    return None
