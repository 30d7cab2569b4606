"""The graph of all inputs and metrics."""

from types import ModuleType

from kernels import (
    activations,
    attention,
    attention_activations,
    cache,
    collectives,
    corrections,
    cost,
    decoding,
    experts,
    flops,
    lifetime,
    loss,
    memory,
    optimum,
    parameters,
    precision,
    prefill,
    quantisation,
    repetition,
    roofline,
    schedule,
    serving,
    sharding,
    stages,
    train_time,
    training_memory,
    training_overhead,
    training_stages,
    vocabulary,
    workspace,
)
from kernels.graph import Graph, Metric, declared_input
from kernels.inputs import INPUTS
from kernels.quantiles import quantiles


def metrics_of(module: ModuleType) -> list[Metric]:
    """The metrics a module declares, in its order."""
    found = [getattr(value, "__metric__", None) for value in vars(module).values()]
    return [m for m in found if m is not None and m.function.__module__ == module.__name__]


MODULES = (
    *(attention, parameters, flops, cache, memory),
    *(loss, repetition, precision, experts, corrections, quantisation, vocabulary, optimum, schedule),
    *(attention_activations, activations, sharding, stages, workspace),
    *(training_stages, training_memory, training_overhead),
    *(roofline, collectives, decoding, prefill, serving),
    *(train_time, cost, lifetime),
)
METRICS = [m for module in MODULES for m in metrics_of(module)]
GRAPH = Graph(
    (*INPUTS, declared_input(lifetime.target_loss_nats)), [*METRICS, *quantiles({m.name: m for m in METRICS})]
)
