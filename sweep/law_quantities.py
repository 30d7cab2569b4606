"""What checks of laws ask for, by law and quantity: the inputs a check has to give, and which of our metrics answers.

Quantities that any law has (its loss, its optimum, how far it is from runs) follow from its record, as those of
corrections do; those of one source are listed.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from math import floor
from typing import Any

from kernels.graph import near
from sweep import catalogue
from sweep import law_formulas as formulas
from sweep.law_case import Case, NotCovered

_RECALLED = "its coefficients could only be recalled, not verified, so the law is not carried"
LEFT_OUT = {
    "levine_depth": _RECALLED,
    "chen_qat_w4a4": _RECALLED,
    "bergsma_power_lines": _RECALLED,
    "farseer": "its coefficients were found in no source, so the law is not carried",
    "minicpm": "its printed exponents are too coarse to evaluate, so the law is not carried",
}


@dataclass(frozen=True)
class Quantity:
    """Something a check can ask for: the keys of its inputs, and what we say it is.

    keys are names apart by spaces: ``a|b`` is either of two, ``a?`` need not be there.
    """

    keys: str
    value: Callable[[Case], float]

    def misfit(self, inputs: Mapping[str, Any]) -> str:
        """What is wrong with the names of a check's inputs, '' when they are what the quantity takes."""
        keys = self.keys.split()
        if "base_law" in keys and "base_law" in inputs:
            keys += _base_keys(inputs["base_law"]).split()
        takes: list[str] = []
        lacks: list[str] = []
        for key in keys:
            names = key.removesuffix("?").split("|")
            takes += names
            said = [name for name in names if name in inputs]
            if len(said) > 1:
                return f"the inputs give both {' and '.join(said)}, of which one is enough"
            if not said and not key.endswith("?"):
                lacks.append(" or ".join(names))
        unknown = [name for name in inputs if name not in takes]
        found = [f"the inputs lack {', '.join(lacks)}"] if lacks else []
        if unknown:
            found.append(f"the inputs have {', '.join(unknown)}")
        return f"{' and '.join(found)}; they are {' '.join(keys) or 'none'}" if found else ""


def quantity(law_id: str, name: str) -> Quantity:
    """The quantity of that law. NotCovered when there is no such law, or it has no such quantity."""
    if law_id in LEFT_OUT:
        raise NotCovered(LEFT_OUT[law_id])
    known: dict[str, Quantity] = {}
    for kind, of_record in RECORDS.items():
        if law_id in catalogue.records(kind) and law_id != "none":
            known |= of_record(law_id)
    known |= SOURCES.get(law_id, {})
    if not known:
        laws = [*SOURCES, *(law for kind in RECORDS for law in catalogue.records(kind))]
        raise NotCovered(f"{law_id!r} is no law we carry{near(law_id, laws)}")
    if name not in known:
        raise NotCovered(f"{name!r} is no quantity of {law_id}; it has {', '.join(known)}")
    return known[name]


def ours(metric: str, keys: str = "", factor: float = 1.0, **records: str) -> Quantity:
    """A metric of ours at what the inputs pin, in the check's unit."""
    return Quantity(keys, lambda case: factor * case.ours(metric, **records))


def pinning(metric: str, names: tuple[str, ...], key: str, more: str = "") -> Quantity:
    """A metric of ours with one of the inputs standing for all these names."""
    return Quantity(f"{key} {more}", lambda case: case.ours(metric, dict.fromkeys(names, case[key])))


# ------------------------------------------------------------------------------------------------- of any law


def _own_keys(law: str) -> str:
    """What a law knows beside N and D: experts, shape, repeats, bits."""
    said = catalogue.records("law")[law].values
    keys = {"routed": "E", "granular": "E G", "sparse": "S", "shaped": "width depth"}.get(str(said["law_form"]), "")
    bits = {"kumar": "P_w P_a P_kv", "kumar_float": "P_w", "capybara": "E_bits M_bits block"}
    repeats = "U" if said["law_repetition"] == "own" else ""
    return f"{keys} {repeats} {bits.get(str(said['law_precision']), '')}"


def _base_keys(law: str) -> str:
    """The same of a law that a check names as its base: a dense model in 16 bits, no token repeated, unless it says."""
    shaped = catalogue.records("law")[law].values["law_form"] == "shaped"
    return _own_keys(law) if shaped else _optional(_own_keys(law))


def _optional(keys: str) -> str:
    return " ".join(key if key == "G" else f"{key}?" for key in keys.split())


@lru_cache
def law_quantities(law: str) -> dict[str, Quantity]:
    """What any law of losses or of allocations can be asked for."""
    said = catalogue.records("law")[law].values
    form, more = str(said["law_form"]), _own_keys(law)
    flops = {"kaplan_alloc": "C_flop C_over_C_min", "kaplan_L_Cmin": "C|C_pfdays"}.get(law, "C")
    best = f"{flops} {_optional(more) if form in ('granular', 'shaped') else more}"
    found = {name: ours("compute_optimal_params", best) for name in ("N_opt", "N_opt_exact", "N_opt_6ND", "N_act_opt")}
    found |= {name: ours("compute_optimal_tokens", best) for name in ("D_opt", "D_opt_exact")}
    found["D_over_N_opt"] = Quantity(best, formulas.ratio_at_optimum)
    found["loss_opt"] = ours("compute_optimal_loss_nats", f"{flops} {more}" if form == "shaped" else best)
    if said["law_params_counted"] == "flops_per_token":
        found["M_opt"] = ours("compute_optimal_params", best, factor=6.0)
        found["M_times_D_over_C"] = Quantity("C", formulas.product_over_compute)
    if form == "allocation":
        return found | {"loss": ours("compute_optimal_loss_nats", flops)}
    size = {"routed": "N|N_act", "granular": "N_active|N_total", "sparse": "N|N_total"}.get(form, "N")
    tokens = "S_min" if form == "steps" else "D|token_multiplier"
    size += "" if said["law_params_scale"] else "?"
    tokens += "" if said["law_tokens_scale"] else "?"
    found |= {name: ours("loss_nats", f"{size} {tokens} {more}") for name in ("loss", "loss_vs_run")}
    found["relative_error_percent"] = Quantity(f"{size} {tokens} measured {more}", formulas.error_percent)
    found["huber_sum"] = Quantity(f"csv exclude_highest_loss delta {more}", formulas.huber_sum)
    if form == "routed" and not said["law_tokens_scale"]:
        found["effective_parameters"] = ours("dense_equivalent_params", "N E")
    if form == "power":
        refit = f"csv exclude_highest_loss delta E A B alpha beta {more}"
        found["huber_sum_at_refit"] = Quantity(refit, formulas.huber_sum_at_refit)
    return found


# ----------------------------------------------------------------------------------------------- of corrections


def _moves(kind: str, law: str, terms: Mapping[str, str]) -> str:
    """The keys of what a record of powers depends on: those whose power is not zero."""
    said = catalogue.records(kind)[law].values
    return " ".join(key for power, key in terms.items() if said[power])


def _hyperparameters(law: str) -> dict[str, Quantity]:
    def of(metric: str, **terms: str) -> Quantity:
        def value(case: Case) -> float:
            compute = {"train_tokens": 1.0, "non_embedding_flops_per_token": case["C"]} if "C" in case.inputs else {}
            return case.ours(metric, compute)

        return Quantity(_moves("hyperparameter_law", law, terms), value)

    return {
        "eta": of(
            "optimal_learning_rate",
            rate_params_exponent="N|N_ne",
            rate_tokens_exponent="D",
            rate_compute_exponent="C",
            rate_experts_exponent="E",
        ),
        "B": of("optimal_batch_tokens", batch_tokens_exponent="D", batch_compute_exponent="C"),
    }


def _critical_batch(law: str) -> dict[str, Quantity]:
    """In tokens, and in the sequences of 512 that Zhang et al. 2024 (arXiv:2410.21676) count in."""
    terms = {"critical_batch_params_exponent": "N", "critical_batch_loss_exponent": "L"}
    keys = _moves("batch_law", law, terms)
    found = {"B_crit": ours("critical_batch_tokens", keys)}
    return found | ({"B": ours("critical_batch_tokens", keys, 1.0 / 512.0)} if law.startswith("cbs_zhang") else {})


def _vocabulary(_: str) -> dict[str, Quantity]:
    def best(case: Case) -> float:
        flops = {"vocabulary_flops": case["C"]} if "C" in case.inputs else {}
        return case.ours("optimal_vocab_size", {"body_params": case["N_nv"], "embedding_width": case["d"], **flops})

    return {"V_opt": Quantity("N_nv d C?", best), "V_opt_lower_bound_70B": Quantity("N_nv d", best)}


def _leverage(law: str) -> dict[str, Quantity]:
    if catalogue.records("moe_law")[law].values["moe_gain_form"] != "leverage":
        return {}

    def gain(case: Case) -> float:
        pins = {
            "num_moe_layers": 1,
            "expert_activation_ratio": case["A"],
            "expert_expansion": 1.0 / case["A"],
            "expert_granularity": 2.0 * case["G"],  # 2 d / d_expert there, 4 d / d_expert here
        }
        return case.ours("moe_compute_multiplier", pins, moe_law=law)

    return {"EL": Quantity("A G C", gain), "G_opt": ours("optimal_granularity", moe_law=law)}


RECORDS: dict[str, Callable[[str], dict[str, Quantity]]] = {
    "law": law_quantities,
    "ptq_law": lambda _: {"delta": pinning("ptq_penalty_unclipped_nats", ("served_bits",), "P", "N D")},
    "moe_law": _leverage,
    "vocabulary_law": _vocabulary,
    "hyperparameter_law": _hyperparameters,
    "batch_law": _critical_batch,
}

# ----------------------------------------------------------------------------------------------- of one source

_LIFETIME = "base_law D_inf target_loss|quality_of_chinchilla_N"
_USED = f"{_LIFETIME} N_used?"
_COST = (
    "base_law requests cost_ratio_inf_over_train target_loss|quality_of_chinchilla_N "
    + _optional(" ".join(formulas.SARDANA_COST))
)  # fmt: skip
_ALL_BITS = ("train_weight_bits", "train_activation_bits", "train_kv_bits")


def _dense_multiplier(case: Case) -> float:
    """Under a dense law: one with experts of its own is not told of them twice."""
    dense = str(catalogue.defaults()["law"].value)
    return case.ours("moe_compute_multiplier", {"num_moe_layers": 1}, moe_law=case.law_id, law=dense)


def _rounded(metric: str) -> Quantity:
    return Quantity("P", lambda case: float(floor(case.ours(metric, {"train_weight_bits": case["P"]}) + 0.5)))


SOURCES: dict[str, dict[str, Quantity]] = {
    "inference_optimal": {
        "N_star": Quantity(_LIFETIME, lambda case: formulas.lifetime_best(case, "params")),
        "D_star": Quantity(_LIFETIME, lambda case: formulas.lifetime_best(case, "tokens")),
        "total_flop": Quantity(_LIFETIME, lambda case: formulas.lifetime_best(case, "lifetime_flops")),
        "chinchilla_D": Quantity(
            "base_law target_loss|quality_of_chinchilla_N D_inf?", lambda case: formulas.chinchilla(case)[1]
        ),
        "D_ratio_to_chinchilla": Quantity(_USED, lambda case: formulas.used(case)[1] / formulas.chinchilla(case)[1]),
        "flop_saving": Quantity(_USED, lambda case: formulas.flops_of_chinchilla(case) - formulas.flops_used(case)),
        "flop_saving_fraction": Quantity(
            _USED, lambda case: 1.0 - formulas.flops_used(case) / formulas.flops_of_chinchilla(case)
        ),
        "flop_excess_of_chinchilla": Quantity(
            _USED, lambda case: formulas.flops_of_chinchilla(case) / formulas.flops_used(case) - 1.0
        ),
    },
    "inference_optimal_cost": {
        "N_star": Quantity(_COST, lambda case: formulas.cost_best(case, "params")),
        "D_star": Quantity(_COST, lambda case: formulas.cost_best(case, "tokens")),
        "cost_saving_fraction": Quantity(
            _COST, lambda case: 1.0 - formulas.cost_best(case, "lifetime_usd") / formulas.cost_of_chinchilla(case)
        ),
        "cost_excess_of_chinchilla": Quantity(
            _COST, lambda case: formulas.cost_of_chinchilla(case) / formulas.cost_best(case, "lifetime_usd") - 1.0
        ),
    },
    "pearce_song": {
        "C_nonemb": ours("optimal_non_embedding_flops", "base_law N_nonemb"),
        "N_total": ours("implied_params", "N_nonemb"),
        "local_exponent": Quantity("base_law log10_C_lo log10_C_hi points", formulas.local_exponent),
    },
    "kaplan_overfit": {"D_min": ours("overfitting_free_tokens", "N")},
    "muennighoff_data": {
        "U_N": pinning("repetition_base_params", ("law_tokens", "unique_tokens"), "U"),
        "D_eff": ours("effective_tokens", "N? D U"),
        "N_eff": ours("repeated_params", "N D U"),
    },
    "kumar_train": {
        "factor_weights": pinning("kumar_weight_factor", _ALL_BITS, "P"),
        "factor_activations": pinning("kumar_activation_factor", _ALL_BITS, "P"),
        "factor_kv": pinning("kumar_kv_factor", _ALL_BITS, "P"),
        "factor_all": pinning("precision_params_factor", _ALL_BITS, "P"),
    },
    "kumar_train_fp": {"factor_weights": pinning("kumar_float_factor", _ALL_BITS, "P")},
    "kumar_opt_precision": {"P_star": ours("optimal_train_bits", precision_law="kumar_train")},
    "capybara_fp": {
        "loss_bf16": ours("loss_nats", "N D"),
        "D_crit": ours("critical_tokens", "N E_bits M_bits block"),
        "M_opt_continuous": pinning("optimal_mantissa_bits", ("train_weight_bits",), "P"),
        "E_opt_continuous": pinning("optimal_exponent_bits", ("train_weight_bits",), "P"),
        "M_opt_rounded": _rounded("optimal_mantissa_bits"),
        "E_opt_rounded": _rounded("optimal_exponent_bits"),
    },
    "krajewski_moe": {"train_flop": Quantity("N_active E D G", formulas.granular_flops)},
    "joint_moe": {
        "m(E)": ours("loss_params_scale", "E"),
        "mu(E)": ours("loss_params_exponent", "E", factor=-1.0),  # printed as a power of N
        "n(E)": ours("loss_tokens_scale", "E"),
        "nu(E)": ours("loss_tokens_exponent", "E", factor=-1.0),
        "N_total": Quantity("d_model n_blocks E", formulas.joint_params),
        "N_act": Quantity("d_model n_blocks", formulas.joint_params),
        "dense_compute_multiplier": Quantity("C E", _dense_multiplier),
    },
    "tao_compression": {"tokens_per_char": ours("tokens_per_char", "V")},
    "deepseek_flops": {
        "M": Quantity("n_layer d l_seq", formulas.deepseek_flops),
        "6N1_over_M": Quantity("n_layer d l_seq", formulas.deepseek_share),
        "6N2_over_M": Quantity("n_layer d l_seq V", formulas.deepseek_share),
    },
    "jones_train_test": {"log10_test": Quantity("log10_train elo", formulas.hex_test_compute)},
}
