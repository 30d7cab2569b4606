"""The graph of all inputs and metrics."""

from types import ModuleType

from kernels import (
    activations,
    attention,
    attention_activations,
    cache,
    capacity,
    collectives,
    corrections,
    cost,
    decoding,
    disaggregation,
    energy,
    experts,
    flops,
    lifetime,
    loss,
    memory,
    optimum,
    parameters,
    precision,
    prefill,
    price,
    prompt,
    quantisation,
    repetition,
    roofline,
    schedule,
    serving,
    sharding,
    speculative,
    stages,
    train_communication,
    train_compute,
    train_data_parallel,
    train_elementwise,
    train_layers,
    train_rates,
    train_step,
    train_time,
    training_memory,
    training_overhead,
    training_stages,
    vocabulary,
    workspace,
)
from kernels.graph import Graph, Metric, declared_input
from kernels.inputs import INPUTS
from kernels.layouts import LAYOUT_INPUTS, layout_metric
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
    *(train_rates, train_compute, train_elementwise, train_communication, train_layers),
    *(train_data_parallel, train_step),
    *(roofline, collectives, decoding, prefill, prompt, serving),
    *(train_time, capacity, price, speculative, disaggregation, cost, energy, lifetime),
)
METRICS = [m for module in MODULES for m in metrics_of(module)]
GRAPH = Graph(
    (*INPUTS, *LAYOUT_INPUTS, declared_input(lifetime.target_loss_nats)),
    [*METRICS, layout_metric(), *quantiles({m.name: m for m in METRICS})],
)
