"""What checks of laws ask for that takes more than one of our metrics, or a count of a source's own."""

from __future__ import annotations

import csv
from collections.abc import Callable, Mapping
from math import cbrt, exp, floor, log

from kernels.optimum import implied_params, optimal_non_embedding_flops
from sweep.law_case import Case, NotCovered, budget, model

GPT2_VOCABULARY = 50257
MOST_POINTS = 10_000  # of a slope
MOST = 1e30  # parameters or tokens that anything is looked for among
SARDANA_COST = {  # Sardana et al. 2023, arXiv:2401.00448, appendix B
    "MFU_tr": 0.5,
    "MFU_in": 0.5,
    "MFU_out": 0.01,
    "tokens_in_per_request": 70.0,
    "tokens_out_per_request": 215.0,
}


def bisected(function: Callable[[float], float], low: float, high: float) -> float:
    """Where a function that rises with its argument is zero; NotCovered when that is not between low and high."""
    if not function(low) <= 0.0 <= function(high):
        raise NotCovered("nothing within reach has the value that is asked for")
    for _ in range(200):
        middle = 0.5 * (low + high)
        if middle in (low, high):
            break
        if function(middle) > 0.0:
            high = middle
        else:
            low = middle
    return 0.5 * (low + high)


# ---------------------------------------------------------------------------------------- a law beside runs


def error_percent(case: Case) -> float:
    """How far the predicted loss is from the measured one."""
    return 100.0 * abs(case.ours("loss_nats") - case["measured"]) / case["measured"]


def huber_sum(case: Case, pins: Mapping[str, float] | None = None) -> float:
    """Sum of Huber losses of ln L over runs: Hoffmann et al. 2022, arXiv:2203.15556, equation 3."""
    delta, found = case["delta"], 0.0
    for params, tokens, loss in _runs(case):
        predicted = case.ours("loss_nats", {**model(params), "train_tokens": tokens, **(pins or {})})
        error = abs(log(predicted) - log(loss))
        found += 0.5 * error * error if error <= delta else delta * (error - 0.5 * delta)
    return found


def huber_sum_at_refit(case: Case) -> float:
    """The same at other coefficients of the law's form, which stand where those of a draw do."""
    names = ("floor_nats", "params_scale", "tokens_scale", "params_exponent", "tokens_exponent")
    values = [case[key] for key in ("E", "A", "B", "alpha", "beta")]
    drawn = {f"draw_{name}": value for name, value in zip(names, values, strict=True)}
    return huber_sum(case, {**drawn, "law_has_draws": 1})


def _runs(case: Case) -> list[tuple[float, float, float]]:
    """N, D = C / (6 N) and loss of the runs in a file, less those of the highest losses."""
    name = str(case.inputs["csv"])
    path = case.folder / name
    try:
        with path.open(encoding="utf-8", newline="") as stream:
            rows = list(csv.DictReader(stream))
        runs = [(float(r["Model Size"]), float(r["Training FLOP"]), float(r["loss"])) for r in rows]
    except FileNotFoundError:
        raise NotCovered(f"the file of runs, {name}, is not there") from None
    except (OSError, UnicodeDecodeError, csv.Error) as problem:
        raise NotCovered(f"the file of runs, {name}, cannot be read: {problem}") from None
    except (KeyError, TypeError, ValueError):
        raise NotCovered(f"{name} has not a number everywhere in Model Size, Training FLOP, loss") from None
    left = len(runs) - _whole(case, "exclude_highest_loss", 0)
    if left <= 0:
        raise NotCovered(f"{name} has {len(runs)} runs, of which none is left")
    kept = sorted(runs, key=lambda run: run[2])[:left]
    return [(params, flops / (6.0 * params), loss) for params, flops, loss in kept]


def _whole(case: Case, key: str, least: int) -> int:
    number = case[key]
    if number != floor(number) or number < least:
        raise NotCovered(f"{key} is {number}, not a whole number of {least} or more")
    return int(number)


# ---------------------------------------------------------------------------------------- at equal compute


def ratio_at_optimum(case: Case) -> float:
    """Tokens over parameters of the best model."""
    return case.ours("compute_optimal_tokens") / case.ours("compute_optimal_params")


def product_over_compute(case: Case) -> float:
    """FLOPs of a token times tokens of the best model over the compute it was found for."""
    return 6.0 * case.ours("compute_optimal_params") * case.ours("compute_optimal_tokens") / case["C"]


def local_exponent(case: Case) -> float:
    """Slope of ln N over ln C of the best bodies, C log-spaced: Pearce and Song 2024, arXiv:2406.12907, section 4."""
    points = _whole(case, "points", 2)
    if points > MOST_POINTS:
        raise NotCovered(f"points is {points}; {MOST_POINTS} is the most")
    names = ("params_scale", "params_exponent", "tokens_scale", "tokens_exponent")
    law = [case.ours(f"loss_{name}") for name in names]

    def flops(x: float) -> float:
        body = exp(x)
        return log(optimal_non_embedding_flops(body, implied_params(body), *law))

    low, high = (case[key] * log(10.0) for key in ("log10_C_lo", "log10_C_hi"))
    wanted = [low + (high - low) * k / (points - 1) for k in range(points)]
    found = [bisected(lambda x, c=c: flops(x) - c, 0.0, log(MOST)) for c in wanted]  # type: ignore[misc]
    away = [c - (low + high) / 2.0 for c in wanted]
    return sum(a * x for a, x in zip(away, found, strict=True)) / sum(a * a for a in away)


# -------------------------------------------------------------------------------------- over a lifetime


def chinchilla(case: Case) -> tuple[float, float, float]:
    """N, D and loss of the model that is the best of its training compute: of that size, or of that loss."""
    if "target_loss" in case.inputs:
        served_nothing = {"inference_tokens": 0.0}
        params, tokens = (case.ours(f"inference_optimal_{what}", served_nothing) for what in ("params", "tokens"))
        return params, tokens, case["target_loss"]
    params = case["quality_of_chinchilla_N"]
    if case.ours("optimum_is_closed"):
        tokens = case.ours("tokens_for_params", model(params))
    else:
        x = bisected(lambda x: case.ours("compute_optimal_params", budget(exp(x))) - params, 0.0, 2.0 * log(MOST))
        tokens = case.ours("compute_optimal_tokens", budget(exp(x)))
    return params, tokens, case.ours("loss_nats", {**model(params), "train_tokens": tokens})


def lifetime_best(case: Case, what: str) -> float:
    """Of the model that costs the fewest FLOPs in training and serving, at the loss of the compute-optimal one."""
    return case.ours(f"inference_optimal_{what}", {"target_loss_nats": chinchilla(case)[2]})


def flops_of_chinchilla(case: Case) -> float:
    """Training the compute-optimal model and serving it."""
    params, tokens, _ = chinchilla(case)
    return _lifetime_flops(case, params, tokens)


def flops_used(case: Case) -> float:
    """Training the model that is used and serving it."""
    return _lifetime_flops(case, *used(case))


def _lifetime_flops(case: Case, params: float, tokens: float) -> float:
    return case.ours("lifetime_flops", {**model(params), "train_tokens": tokens})


def used(case: Case) -> tuple[float, float]:
    """N and D of the model that is used: of the size that is said, trained to the same loss, or the best one."""
    if "N_used" not in case.inputs:
        return lifetime_best(case, "params"), lifetime_best(case, "tokens")
    params, loss = case["N_used"], chinchilla(case)[2]

    def gained(x: float) -> float:
        return loss - case.ours("loss_nats", {**model(params), "train_tokens": exp(x)})

    return params, exp(bisected(gained, 0.0, log(MOST)))


def _prices(case: Case) -> dict[str, float]:
    """What a model of one parameter costs, in the price of a training FLOP: equations 5 and 6 of Sardana et al."""
    said = {key: case.inputs.get(key, value) for key, value in SARDANA_COST.items()}
    a_request = said["tokens_in_per_request"] / said["MFU_in"] + said["tokens_out_per_request"] / said["MFU_out"]
    return {
        "train_usd": 6.0 / said["MFU_tr"],  # of one token
        "serve_usd_per_token_by_size": 2.0 * case["cost_ratio_inf_over_train"] * a_request,  # of one request
        "serve_usd_per_token_by_depth": 0.0,
        "inference_tokens": case["requests"],
    }


def cost_best(case: Case, what: str) -> float:
    """Of the model that costs least in training and serving, at the loss of the compute-optimal one."""
    return case.ours(f"usd_optimal_{what}", {**_prices(case), "target_loss_nats": chinchilla(case)[2]})


def cost_of_chinchilla(case: Case) -> float:
    """What the compute-optimal model costs in training and serving."""
    price = _prices(case)
    params, tokens, _ = chinchilla(case)
    return params * (price["train_usd"] * tokens + price["serve_usd_per_token_by_size"] * price["inference_tokens"])


# ---------------------------------------------------------------------------------- counts of a source's own


def granular_flops(case: Case) -> float:
    """Krajewski et al. 2024, arXiv:2402.07871, equation 10 and table 2: 6 a weight, 14 a router entry, d = 64 n."""
    layers = cbrt(case["N_active"] / (12.0 * 64.0**2))
    width = 64.0 * layers
    router = 14.0 * width * case["E"] * case["G"]
    return float((6.0 * 12.0 * width**2 + router) * case["D"] * layers)


def joint_params(case: Case) -> float:
    """Ludziejewski et al. 2025, arXiv:2502.05172, equations 9 and 10: of all experts when E is said, else of one."""
    a_layer = 4.0 + 9.0 * case.inputs.get("E", 1.0)
    width = case["d_model"]
    return float(2.0 * width * GPT2_VOCABULARY + a_layer * case["n_blocks"] * width**2)


def deepseek_flops(case: Case) -> float:
    """Training FLOPs a token without the head of a plain transformer, 12 d**2 weights a layer."""
    pins = {
        **model(12.0 * case["n_layer"] * case["d"] ** 2),
        "attention_score_flops_per_layer": 4.0 * case["d"],
        "num_softmax_layers": case["n_layer"],
        "sequence_length": case["l_seq"],
    }
    return case.ours("non_embedding_flops_per_token", pins)


def deepseek_share(case: Case) -> float:
    """Six times the parameters, with the head where V is said, over M: DeepSeek-AI 2024, arXiv:2401.02954, table 3."""
    weights = 12.0 * case["n_layer"] * case["d"] ** 2 + case.inputs.get("V", 0.0) * case["d"]
    return float(6.0 * weights / deepseek_flops(case))


def hex_test_compute(case: Case) -> float:
    """Jones 2021, arXiv:2104.03113, figure 9: board games, so no metric of a language model."""
    return -1.2 * case["log10_train"] + 0.004 * case["elo"] + 29.0
