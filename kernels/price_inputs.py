"""The inputs of money, energy and two ways to serve: prices, power, a grid, drafts, pools."""

from kernels.graph import Input

BASES = ("on_demand", "low", "hyperscaler", "owned")


def _number(name: str, unit: str, meaning: str, low: float = 0.0, high: float = float("inf")) -> Input:
    return Input(name, unit, "float", meaning, low, high)


def _share(name: str, meaning: str, high: float = 1.0) -> Input:
    return Input(name, "", "float", meaning, 0.0, high)


PRICE = (
    Input("price_basis", "", "word", "which price of a GPU-hour dollars are counted at: a list price, on demand, the "
          "lowest one or a hyperscaler's, or what an owned GPU costs an hour", words=BASES),
)  # fmt: skip

GPU = (
    _number("price_low_usd_per_hour", "USD/hour", "lowest price of one GPU for an hour; nan where none is known"),
    _number("price_hyperscaler_usd_per_hour", "USD/hour", "price of one GPU for an hour at a hyperscaler, on demand"),
    _number("launch_price_usd", "USD", "price of one GPU at launch; nan where none is known"),
)

OWNED = (
    _number("server_cost_factor", "", "price of a GPU with its share of server and network, over that of the GPU alone",
            1.0, 100.0),
    _number("depreciation_years", "year", "years over which an owned server is written off", 0.1, 100.0),
    _share("residual_share", "what an owned server sells for in the end, as a share of its price"),
    _number("owned_utilisation", "", "share of all hours in which an owned GPU is at work", 0.001, 1.0),
    _share("staff_space_share", "staff, space and upkeep of owned hardware, over its depreciation", 100.0),
    _number("electricity_usd_per_kwh", "USD/kWh", "price of electricity of owned hardware"),
)  # fmt: skip

POWER = (
    _share("train_power_share", "power of a GPU in training, as a share of its board power", 2.0),
    _share("prefill_power_share", "power of a GPU while it reads prompts, as a share of its board power", 2.0),
    _share("decode_power_share", "power of a GPU while it generates, as a share of its board power", 2.0),
    _share("idle_power_share", "power of a GPU with nothing to do, as a share of its board power"),
    _share("host_power_share", "power of the rest of the server at work, over the board power of its GPUs", 10.0),
    _number("pue", "", "power usage effectiveness: what the site draws over what its computers draw", 1.0, 10.0),
)

GRID = (_number("grid_kg_co2_per_kwh", "kg/kWh", "CO2 equivalents of a kWh of the grid's electricity"),)

SPECULATION = (
    Input(
        "draft_tokens", "", "int", "tokens drafted before each check of speculative decoding; 0 drafts none", 0, 1024
    ),
    _share("draft_acceptance_rate", "chance that a drafted token is kept, each on its own"),
    _share("draft_cost_share", "time of drafting one token, over a decode step of the model itself"),
)

DISAGGREGATION = (
    Input("disaggregation", "", "bool", "1 when prompts are read by GPUs of their own, which send the cache to those "
          "that generate", 0, 1),
    _number("kv_transfer_link_share", "", "share of the network's rate that sending a cache reaches", 0.001, 1.0),
)  # fmt: skip

PRICE_INPUTS: tuple[Input, ...] = (*PRICE, *GPU, *OWNED, *POWER, *GRID, *SPECULATION, *DISAGGREGATION)
