"""What knowing one efficiency of each device would reach: the error of a time that is its FLOPs over one share of peak.

The share is the hardware FLOPs utilisation (HFU), the median of the rows of one group on one GPU in one precision. It
knows nothing of layouts, so it is what a model of them has to be nearer than; it is fitted to the very rows it is
held against, and meets a device's only row exactly.
"""

from __future__ import annotations

import math
from collections.abc import Hashable, Sequence
from statistics import median


def one_hfu_errors(hfus: Sequence[float], devices: Sequence[Hashable]) -> list[float]:
    """Signed errors in per cent of times at the median HFU of their device; nan where a time has no HFU.

    A time is FLOPs over HFU, so that ours over the measured one is the measured HFU over the median.
    """
    found: dict[Hashable, list[float]] = {}
    for hfu, device in zip(hfus, devices, strict=True):
        if math.isfinite(hfu):
            found.setdefault(device, []).append(hfu)
    medians = {device: median(values) for device, values in found.items()}
    return [
        100.0 * (hfu / medians[device] - 1.0) if math.isfinite(hfu) else math.nan
        for hfu, device in zip(hfus, devices, strict=True)
    ]
