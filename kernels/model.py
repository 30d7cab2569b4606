"""The graph of all inputs and metrics."""

from types import ModuleType

from kernels import attention, cache, cost, flops, loss, memory, parameters, roofline
from kernels.graph import Graph, Metric
from kernels.inputs import INPUTS


def metrics_of(module: ModuleType) -> list[Metric]:
    """The metrics a module declares, in its order."""
    found = [getattr(value, "__metric__", None) for value in vars(module).values()]
    return [m for m in found if m is not None and m.function.__module__ == module.__name__]


GRAPH = Graph(
    INPUTS,
    [m for module in (attention, parameters, flops, cache, memory, loss, roofline, cost) for m in metrics_of(module)],
)
