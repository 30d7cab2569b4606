"""Refits L = E + A N^-alpha + B D^-beta to the 240 digitised runs of Hoffmann et al. 2022, Figure 4, and to resamples.

`python -m tests.refit RUNS.csv OUT.csv` writes data/law_draws.csv: the coefficients of one refit a row, so that their
joint uncertainty can be carried through the law. RUNS.csv is data/svg_extracted_data.csv of
epoch-research/analyzing-chinchilla, which has no licence and is not distributed here; the five highest losses are left
out, as Besiroglu et al. 2024 (arXiv:2404.10102) do.

The fit is theirs: the least sum of Huber losses, delta 1e-3, of ln L. So are the resamples: RandomState(42) is the
generator of their notebook, whose stream numpy has promised not to change, and draw 1 is row 0 of their table.
Their optimiser stops at a gradient of 1e-5, ours at 1e-12 or below.

A fit is searched for as theta = (ln E, ln of the parameter term at N = 1e9, alpha, ln of the token term at D = 2e10,
beta): in the middle of the runs the five are far less entangled than ln A with alpha and ln B with beta.
"""

import argparse
import csv
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from sweep.catalogue import LAW_COEFFICIENTS

Floats = NDArray[np.float64]

LAW = "besiroglu_2024"
DROPPED = 5  # runs with the highest losses
DELTA = 1e-3  # in ln L, where Huber's loss turns from a parabola into a line
LEVEL = 1e-12  # objectives this close, of themselves, differ by rounding: 240 errors of 1e-16 in ln L near DELTA
LN_N = np.log(1e9)
LN_D = np.log(2e10)
# Starts of a resample's refit beside the optimum of all runs, several standard errors away on either side.
NUDGES = np.array([[0.0, 0.0, 0.0, 0.0, 0.0], [0.05, -0.3, 0.1, 0.3, -0.1], [-0.05, 0.3, -0.1, -0.3, 0.1]])


@dataclass(frozen=True)
class Runs:
    """Natural logarithms of N, D and L (nats per token) of every run, each of shape (runs,)."""

    log_params: Floats
    log_tokens: Floats
    log_loss: Floats


def read_runs(path: Path) -> Runs:
    """The runs of the file less those with the highest losses, in the file's order; D = C / (6 N)."""
    with path.open(newline="") as file:
        rows = [[float(row[key]) for key in ("Model Size", "Training FLOP", "loss")] for row in csv.DictReader(file)]
    params, flops, loss = np.array(rows).T
    kept = loss < np.sort(loss)[-DROPPED]
    return Runs(*(np.log(column[kept]) for column in (params, flops / (6.0 * params), loss)))


def coefficients(theta: Floats) -> Floats:
    """E, A, alpha, B, beta from theta, both (fits, 5)."""
    log_floor, log_params_term, alpha, log_tokens_term, beta = theta.T
    scales = np.exp(log_params_term + alpha * LN_N), np.exp(log_tokens_term + beta * LN_D)
    return np.stack([np.exp(log_floor), scales[0], alpha, scales[1], beta], axis=1)


def objective(theta: Floats, weights: Floats, runs: Runs) -> tuple[Floats, Floats, Floats]:
    """Weighted sum of Huber losses (fits,), its gradient (fits, 5) and Hessian (fits, 5, 5).

    The logarithms of the three terms of L are linear in theta, so d ln L is their slopes averaged by share of L.
    weights of shape (fits, runs) say how often each run counts.
    """
    one, zero = np.ones_like(runs.log_loss), np.zeros_like(runs.log_loss)
    slopes = np.array(
        [
            [one, zero, zero, zero, zero],
            [zero, one, LN_N - runs.log_params, zero, zero],
            [zero, zero, zero, one, LN_D - runs.log_tokens],
        ]
    ).transpose(0, 2, 1)  # (terms, runs, 5)
    log_terms = np.einsum("tri,fi->ftr", slopes, theta)
    highest = log_terms.max(axis=1, keepdims=True)
    shares = np.exp(log_terms - highest)
    total = shares.sum(axis=1, keepdims=True)
    shares /= total
    error = (highest + np.log(total))[:, 0] - runs.log_loss

    size = np.abs(error)
    value = (weights * np.where(size <= DELTA, 0.5 * error**2, DELTA * (size - 0.5 * DELTA))).sum(axis=1)
    first = weights * np.clip(error, -DELTA, DELTA)
    second = weights * (size <= DELTA)
    slope = np.einsum("ftr,tri->fri", shares, slopes)
    gradient = np.einsum("fr,fri->fi", first, slope)
    squares = np.einsum("tri,trj->trij", slopes, slopes).reshape(-1, 25)
    hessian = (slope * (second - first)[:, :, None]).transpose(0, 2, 1) @ slope
    hessian += ((first[:, None] * shares).reshape(len(theta), -1) @ squares).reshape(-1, 5, 5)
    return value, gradient, hessian


def descend(start: Floats, weights: Floats, runs: Runs, steps: int = 400) -> tuple[Floats, Floats, Floats]:
    """Damped Newton from theta (fits, 5), all fits at once: theta, the objective, the largest slope of the gradient.

    Curvatures enter by size, so a saddle repels. A step that does not lower the objective is taken back and the next
    one damped ten times more; a fit is done when its gradient is rounding error, or no damping helps.
    """
    theta, damping = start.copy(), np.full(len(start), 1e-3)
    value, gradient, hessian = objective(theta, weights, runs)
    for _ in range(steps):
        slope = np.abs(gradient).max(axis=1)
        (open_,) = np.nonzero((slope > 1e-15) & (damping < 1e6))
        if not open_.size:
            break
        curvatures, axes = np.linalg.eigh(hessian[open_])
        along = np.einsum("fji,fj->fi", axes, gradient[open_]) / (np.abs(curvatures) + damping[open_, None])
        step = -np.einsum("fij,fj->fi", axes, along)
        step *= np.minimum(1.0, 2.0 / np.abs(step).max(axis=1, keepdims=True))
        new = objective(theta[open_] + step, weights[open_], runs)
        level = new[0] <= value[open_] * (1 + LEVEL)  # the objective tells no more: then the flatter is better
        better = (new[0] < value[open_]) | (level & (np.abs(new[1]).max(axis=1) < slope[open_]))
        taken = open_[better]
        theta[taken] += step[better]
        value[taken], gradient[taken], hessian[taken] = (part[better] for part in new)
        damping[taken] = np.maximum(damping[taken] / 10, 1e-16)
        damping[open_[~better]] = np.maximum(damping[open_[~better]] * 10, 1e-10)
    return theta, value, np.abs(gradient).max(axis=1)


def fit_all(runs: Runs) -> tuple[Floats, float]:
    """theta (1, 5) and the objective: best of 243 starts, every other value of the grid of Hoffmann et al., D.3."""
    scales, floors, exponents = [0.0, 10.0, 20.0], [-1.0, 0.0, 1.0], [0.0, 1.0, 2.0]
    a, b, e, alpha, beta = np.meshgrid(scales, scales, floors, exponents, exponents)
    starts = np.stack([e, a - alpha * LN_N, alpha, b - beta * LN_D, beta], axis=-1).reshape(-1, 5)
    theta, value, slope = descend(starts, np.ones((len(starts), len(runs.log_loss))), runs)
    best = int(np.where(value <= value.min() * (1 + LEVEL), slope, np.inf).argmin())
    assert slope[best] < 1e-12, slope[best]
    return theta[best : best + 1], float(value[best])


def resamples(runs: int, draws: int, seed: int) -> Floats:
    """How often each run is in each resample, (draws, runs): the stream of np.random.seed(seed), choice(runs)."""
    stream = np.random.RandomState(seed)
    return np.array([np.bincount(stream.choice(runs, size=runs), minlength=runs) for _ in range(draws)], dtype=float)


def refit(runs: Runs, weights: Floats, optimum: Floats) -> Floats:
    """theta (draws, 5) of every resample, the best found from the optimum of all runs (1, 5) and beside it."""
    theta, value, slope = descend(np.repeat(optimum, len(weights), axis=0), weights, runs)
    for nudge in NUDGES[1:]:
        other = descend(np.repeat(optimum + nudge, len(weights), axis=0), weights, runs)
        better = other[1] < value * (1 - 1e-9)
        theta[better], value[better], slope[better] = (part[better] for part in other)
    assert slope.max() < 1e-12, slope.max()
    return theta


def write_draws(path: Path, fits: Floats) -> None:
    """E, A, alpha, B, beta (draws, 5) as data/law_draws.csv holds them, draws counted from 1."""
    with path.open("w", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(["law", "draw", *LAW_COEFFICIENTS])
        for draw, fit in enumerate(fits, start=1):
            writer.writerow([LAW, draw, *(format(number, ".12g") for number in fit)])


def main() -> None:
    """Refit, say what was found, write the draws."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("runs", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--draws", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=42)
    given = parser.parse_args()
    runs = read_runs(given.runs)
    optimum, value = fit_all(runs)
    print(f"{len(runs.log_loss)} runs, objective {value:.14g}")
    fits = coefficients(refit(runs, resamples(len(runs.log_loss), given.draws, given.seed), optimum))
    for name, best, error in zip(LAW_COEFFICIENTS, coefficients(optimum)[0], fits.std(axis=0, ddof=1), strict=True):
        print(f"{name:20} {best:.10g} +- {error:.4g}")
    write_draws(given.out, fits)


if __name__ == "__main__":
    main()
