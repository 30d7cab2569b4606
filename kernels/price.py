"""What a GPU-hour costs: a list price, or depreciation, upkeep and electricity of hardware of one's own."""

from kernels.graph import metric

LISTED = "list price of one GPU; see the accelerator's row for source and date"
OWNED = "Cottier et al. 2024, arXiv:2405.21015, section 2: amortised hardware and energy; interest is left out"


@metric(unit="USD/hour", source=OWNED)
def owned_capital_usd_per_hour(
    launch_price_usd, server_cost_factor, residual_share, depreciation_years, owned_utilisation
):
    """Depreciation of an owned GPU and its share of the server, per hour at work, in a straight line."""
    lost = launch_price_usd * server_cost_factor * (1.0 - residual_share)
    return lost / (depreciation_years * 8760.0 * owned_utilisation)


@metric(unit="USD/hour", source=OWNED)
def owned_electricity_usd_per_hour(
    gpu_tdp_w, train_power_share, idle_power_share, host_power_share, owned_utilisation, pue, electricity_usd_per_kwh
):
    """Electricity of an owned GPU, per hour at work: drawn as in training, and in the idle hours that go with it."""
    idle_hours = (1.0 - owned_utilisation) / owned_utilisation
    share = train_power_share + host_power_share + idle_hours * (idle_power_share + host_power_share)
    return gpu_tdp_w * share * pue * electricity_usd_per_kwh / 1000.0


@metric(unit="USD/hour", source=OWNED)
def owned_gpu_hour_usd(owned_capital_usd_per_hour, staff_space_share, owned_electricity_usd_per_hour):
    """What an owned GPU costs for each hour it works; nan without a launch price."""
    return owned_capital_usd_per_hour * (1.0 + staff_space_share) + owned_electricity_usd_per_hour


@metric(unit="USD/hour", source=f"{LISTED}; nan where that price is not known, never another one")
def gpu_hour_usd(
    price_basis, gpu_usd_per_hour, price_low_usd_per_hour, price_hyperscaler_usd_per_hour, owned_gpu_hour_usd
):
    """The price of a GPU-hour that dollars are counted at."""
    dear = price_hyperscaler_usd_per_hour if price_basis == "hyperscaler" else owned_gpu_hour_usd
    other = price_low_usd_per_hour if price_basis == "low" else dear
    return gpu_usd_per_hour if price_basis == "on_demand" else other
