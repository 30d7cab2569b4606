"""The links between GPUs: how fast they are, how many GPUs they reach, and what a collective over them takes.

A replica within one scale-up domain talks over that; the domains of a larger one talk over the scale-out network. A
link that nobody states is nan, and so is the time of a replica of more than one GPU over it.
"""

from kernels.graph import Input


def _number(name: str, unit: str, meaning: str, low: float = 0.0, high: float = float("inf")) -> Input:
    return Input(name, unit, "float", meaning, low, high)


LINKS = (
    _number("gpu_scaleup_byte_per_s", "byte/s", "bandwidth of one GPU to the others of its domain, one direction"),
    _number("gpu_scaleup_domain", "", "GPUs that reach each other over the scale-up link; 1 where there is none", 1.0),
    _number(
        "gpu_scaleout_bit_per_s",
        "bit/s",
        "bandwidth of one GPU beyond its domain: of its network adapter, or of the link"
        " to its host where no adapter belongs to it",
    ),
)
COLLECTIVES = (
    _number("gpu_collective_base_s", "s", "fixed time of a collective of two GPUs, less one hop"),
    _number("gpu_collective_hop_s", "s", "what every further GPU adds to the fixed time of a collective"),
    _number("gpu_collective_share", "", "share of a link that large messages reach", 0.0, 1.1),
    _number("scaleout_latency_s", "s", "fixed time that the network between domains adds to a collective"),
    Input("collective_ring_gpus", "", "int", "GPUs of a domain past which a further one adds no hop", 2, 2**20),
)
LINK_INPUTS: tuple[Input, ...] = (*LINKS, *COLLECTIVES)
"""Everything a collective starts from."""
