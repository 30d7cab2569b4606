"""The collective columns of data/accelerators.csv, from the all-reduces of data/collectives.csv.

    python -m tests.fit_collectives

Fixed time is ``base + hop (n - 1)`` over the small-message times of 2, 4 and 8 GPUs, by least squares of relative
errors; share is the geometric mean of what the largest message reaches of the data sheet's rate in one direction.
"""

from __future__ import annotations

import numpy as np

from sweep import catalogue
from sweep.resources import resource_dir


def rows() -> list[dict[str, str]]:
    """Measured all-reduces."""
    path = resource_dir("data") / catalogue.EVIDENCE["collectives"]
    return [row for row in catalogue.read_rows(path) if row["collective"] == "all_reduce"]


def fitted() -> dict[str, tuple[float, float, float, float]]:
    """By device: base and hop in seconds, share of the link, and the largest relative error of the fixed time."""
    found = {}
    for device in dict.fromkeys(row["gpu"] for row in rows()):
        mine = [row for row in rows() if row["gpu"] == device]
        gpus = np.array([float(row["gpus"]) for row in mine])
        floor_s = np.array([float(row["latency_floor_us"]) for row in mine]) * 1e-6
        design = np.stack([np.ones(len(gpus)), gpus - 1.0], axis=1) / floor_s[:, None]
        (base, hop), *_ = np.linalg.lstsq(design, np.ones(len(gpus)), rcond=None)
        reached = [float(row["bus_bandwidth_largest_message_gb_s"]) / float(row["link_gb_s"]) for row in mine]
        share = min(1.0, float(np.exp(np.mean(np.log(reached)))))
        worst = float(np.abs(design @ np.array([base, hop]) - 1.0).max())
        found[device] = float(base), float(hop), share, worst
    return found


if __name__ == "__main__":
    for gpu, (base, hop, share, worst) in fitted().items():
        print(
            f"{gpu:22} base {base * 1e6:5.2f} us  hop {hop * 1e6:5.2f} us  share {share:.3f}  worst {100 * worst:.1f} %"
        )
