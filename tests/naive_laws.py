"""The slow, obvious version of the scaling laws: every formula as its source prints it, at 40 digits.

Coefficients are typed in again from the papers, in their own letters, and optima are found by trying. Nothing here
leans on the metrics or on data/: it is what they are compared with.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

import mpmath  # type: ignore[import-untyped]
from mpmath import mpf

from tests.naive_search import INF, Real, exp, halved, lowest, optimal_at

PF_DAY = mpf("8.64e19")  # FLOPs


@dataclass(frozen=True)
class Run:
    """What a law may ask of a run: N and D as the law counts them, and what else its authors varied."""

    params: Real
    tokens: Real
    experts: Real = 1  # per active expert
    granularity: Real = 1  # 4 d / width of an expert
    width: Real = 1
    depth: Real = 1
    unique: Real = INF
    batch: Real = 1
    weight_bits: Real = 16
    activation_bits: Real = 16
    kv_bits: Real = 16
    exponent_bits: Real = 8
    mantissa_bits: Real = 7
    block: Real = 1


def exactly(run: Run) -> Run:
    """The same run in numbers of 40 digits."""
    return Run(**{name: mpf(value) for name, value in vars(run).items()})


Law = Callable[[Run], Real]
Loss = Callable[[Real, Real], Real]


class Core(NamedTuple):
    """E + A N^-alpha + B D^-beta."""

    E: Real
    A: Real
    alpha: Real
    B: Real
    beta: Real

    def loss(self, params: Real, tokens: Real) -> Real:
        return self.E + self.A * params**-self.alpha + self.B * tokens**-self.beta

    def of(self, kind: type) -> "Core":
        """The same with all coefficients as numbers of that kind."""
        return Core(*(kind(value) for value in self))


def _core(E: str, A: str, alpha: str, B: str, beta: str) -> Core:
    return Core(mpf(E), mpf(A), mpf(alpha), mpf(B), mpf(beta))


def _log_core(e: str, a: str, alpha: str, b: str, beta: str) -> Core:
    return Core(mpmath.exp(mpf(e)), mpmath.exp(mpf(a)), mpf(alpha), mpmath.exp(mpf(b)), mpf(beta))


CORES = {
    "besiroglu_2024": _core("1.8172", "482.01", "0.3478", "2085.43", "0.3658"),
    "besiroglu_2024_full": _log_core(
        "0.5971119597824348", "6.177955975826981", "0.34781302903942635", "7.6427323622433505", "0.3658541172951044"
    ),
    "hoffmann_a3_tex": _log_core("0.5267228", "6.0073404", "0.33917084", "6.0179186", "0.2849083"),
    "hoffmann_a3_rounded": _core("1.69", "406.4", "0.34", "410.7", "0.28"),
    "sardana_planning": _core("1.69", "406.4", "0.336", "410.7", "0.283"),
    "sardana_refit_100": _core("0.17", "7.199", "0.08", "25.97", "0.13"),
    "sardana_refit_250": _core("0.98", "14.23", "0.13", "39.54", "0.16"),
    "sardana_refit_500": _core("0.95", "17.07", "0.13", "35.80", "0.16"),
    "sardana_refit_all": _core("1.45", "33.66", "0.18", "138.9", "0.24"),
    "muennighoff_c4": _log_core("0.6254804", "6.255414", "0.3526596", "7.3049974", "0.3526596"),
    "gadre_c4": _core(
        "1.5082605245575023", "113.69260030769108", "0.24247223732482584", "152.51225154946144", "0.24247223732482584"
    ),
    "gadre_rpj": _core(
        "1.836648386034357", "166.21098566842642", "0.27285070343717993", "287.16808307333713", "0.27285070343717993"
    ),
    "gadre_rw": _core(
        "1.7344620846759002", "125.09569459935658", "0.2543948441252356", "196.0293077453033", "0.2543948441252356"
    ),
    "kumar_base": _core("2.7648", "4299.0", "0.4965", "18060.0", "0.4965"),
    "krajewski_dense": _core("0.47", "16.3", "0.126", "26.7", "0.127"),
    "capybara_bf16": _core("1.9061", "69.2343", "0.2368", "68973.0621", "0.5162"),
}
"""Laws of two powers; in the order E, A, alpha, B, beta, or their logarithms where those are what was published."""


def _of_core(core: Core) -> Law:
    return lambda run: core.loss(run.params, run.tokens)


# ------------------------------------------------------------------------ Kaplan et al. 2020, arXiv:2001.08361


def kaplan_critical_batch(loss: Real) -> Real:
    """B_crit = B* / L^(1 / 0.21) tokens."""
    return mpf("2.1e8") / loss ** (1 / mpf("0.21"))


def kaplan_min_steps(run: Run, loss: Real) -> Real:
    """S_min = S / (1 + B_crit / B), S = D / B."""
    return run.tokens / run.batch / (1 + kaplan_critical_batch(loss) / run.batch)


def kaplan_size_and_steps(run: Run) -> Real:
    """L(N, S_min), with the critical batch at the very loss that is reached: halving a bracket of L."""
    of_size = (mpf("6.5e13") / run.params) ** mpf("0.077")

    def over(loss: Real) -> Real:
        return of_size + (mpf("2.1e3") / kaplan_min_steps(run, loss)) ** mpf("0.76") - loss

    return halved(over, of_size, of_size + mpf(10) ** 9)


def _kaplan_size_and_data(run: Run) -> Real:
    of_size = (mpf("6.4e13") / run.params) ** (mpf("0.076") / mpf("0.103"))
    return (of_size + mpf("1.8e13") / min(run.tokens, run.unique)) ** mpf("0.103")


# ----------------------------------------------------------------------------------------------------------- experts


def effective_experts(experts: Real, start: Real, most: Real) -> Real:
    """1 / Eh = 1 / (E - 1 + 1 / (1 / E_start - 1 / E_max)) + 1 / E_max, of Clark et al. and of the joint law."""
    return 1 / (1 / (experts - 1 + 1 / (1 / start - 1 / most)) + 1 / most)


CLARK = {  # a, b, c, d, E_start, E_max; Clark et al. 2022, arXiv:2202.01169, table 3
    "clark_sbase": ("-0.082", "-0.108", "0.009", "1.104", "1.847", "314.478"),
    "clark_rlr": ("-0.083", "-0.126", "0.012", "1.111", "1.880", "469.982"),
    "clark_hash": ("-0.087", "-0.136", "0.012", "1.157", "4.175", "477.741"),
}


def _clark(name: str) -> Law:
    a, b, c, d, start, most = (mpf(text) for text in CLARK[name])

    def loss(run: Run) -> Real:
        n, e = mpmath.log10(run.params), mpmath.log10(effective_experts(run.experts, start, most))
        return 10 ** (a * n + b * e + c * n * e + d)

    return loss


def clark_effective_params(name: str, params: Real, experts: Real) -> Real:
    """Nbar = N^(al(Eh) / al(E_start)) (Eh / E_start)^(b / al(E_start)), al(x) = a + c log10 x."""
    a, b, c, _, start, most = (mpf(text) for text in CLARK[name])
    many = effective_experts(experts, start, most)
    one = a + c * mpmath.log10(start)
    return params ** ((a + c * mpmath.log10(many)) / one) * (many / start) ** (b / one)


def joint_core(experts: Real) -> Core:
    """Ludziejewski et al. 2025, arXiv:2502.05172, equation 6, for one number of experts."""
    many = effective_experts(experts, mpf("2.0732"), mpf("290.4521"))
    mu = mpf("-0.1889") + mpf("0.0098") * mpmath.log(many)
    nu = mpf("-0.1775") + mpf("-0.0259") * mpmath.log(many)
    return Core(mpf("1.3637"), mpf("35.91") * many ** mpf("-0.2285"), -mu, mpf("35.98") * many ** mpf("0.5529"), -nu)


def joint_multiplier(experts: Real, flops: Real) -> Real:
    """m with L_joint(E, C) = L_joint(1, m C), both at their optimum: L is searched over N, and m by secants."""

    def best(number: Real, budget: Real) -> Real:
        core = joint_core(number)
        return optimal_at(core.loss, budget / 6)[1]

    wanted = best(experts, flops)
    return mpmath.exp(mpmath.findroot(lambda x: best(mpf(1), mpmath.exp(x) * flops) - wanted, (mpf(0), mpf(1))))


def leverage(activation: Real, granularity: Real, flops: Real) -> Real:
    """EL of Tian et al. 2025 (Ling), arXiv:2507.17702, equations 10 and 13; G = 2 d / width of an expert."""
    start, most = mpf("0.0163"), mpf("5.28e16")
    seen = 1 / (1 / (activation + 1 / (1 / start - 1 / most)) + 1 / most)
    g = mpmath.log(granularity, 2)
    return seen ** (mpf("1.23") - mpf("0.0761") * mpmath.log10(flops) + mpf("0.0167") * g**2 - mpf("0.117") * g)


def krajewski(run: Run) -> Real:
    """Krajewski et al. 2024, arXiv:2402.07871, equation 9."""
    of_size = (mpf("2.1") / run.granularity ** mpf("0.58") + mpf("18.1")) / run.params ** mpf("0.115")
    return mpf("0.47") + of_size + mpf("30.8") / run.tokens ** mpf("0.147")


def abnar(run: Run) -> Real:
    """Abnar et al. 2025, arXiv:2501.12370, equation 6; S is the share of inactive experts, lambda = -0.1666."""
    active = 1 - (run.experts - 1) / run.experts
    return (
        mpf("16612.50") * run.params ** mpf("-0.5962")
        + mpf("5455.67") * run.tokens ** mpf("-0.3954")
        + mpf("0.4598") * active ** mpf("0.1666")
        + mpf("17.26") * active ** mpf("-0.1603") * run.params ** mpf("-0.1595")
        + mpf("0.94")
    )


# ------------------------------------------------------------------------------------------------- width and depth

GEMSTONES = {  # exponents of width, depth, N, D and logarithms of their scales, then of the floor; arXiv:2502.06857
    "gemstones_shape_hot": (
        ("0.2446914313", "0.3871516764", "0.5000838843", "0.4761055541"),
        ("1.4520106404", "-0.0781020281", "7.9700333376", "10.0594263846"), "0.39245797",
    ),
    "gemstones_shape_cool_end": (
        ("0.30146699", "0.3655461733", "0.5055007692", "0.4670177667"),
        ("1.6375654653", "-0.0254911443", "7.8653383939", "9.9838221358"), "0.4195179541",
    ),
}  # fmt: skip


def gemstones_terms(name: str, run: Run) -> list[Real]:
    """The terms in width, depth, N and D."""
    exponents, scales, _ = GEMSTONES[name]
    sizes = (run.width, run.depth, run.params, run.tokens)
    return [mpmath.exp(mpf(c)) * x ** -mpf(e) for e, c, x in zip(exponents, scales, sizes, strict=True)]


def _gemstones(name: str) -> Law:
    return lambda run: sum(gemstones_terms(name, run)) + mpmath.exp(mpf(GEMSTONES[name][2]))


def shape_penalty(name: str, width: Real, depth: Real, params: Real, aspect: Real) -> Real:
    """Against a model of N = 12 n d^2 with d = aspect n."""
    layers = mpmath.cbrt(params / (12 * aspect**2))
    own = gemstones_terms(name, Run(params, mpf(1), width=width, depth=depth))[:2]
    other = gemstones_terms(name, Run(params, mpf(1), width=aspect * layers, depth=layers))[:2]
    return sum(own) - sum(other)


# ------------------------------------------------------------------------------------------------------ in few bits

KUMAR = {  # gamma and n of 1 - exp(-P / gamma + n); Kumar et al. 2024, arXiv:2411.04330, appendices K and N
    "weights": ("2.6745", "0.3037"), "activations": ("2.2102", "1.4072"), "kv": ("0.9578", "2.4185"),
    "float_weights": ("2.8111", "0.1240"),
}  # fmt: skip


def kumar_factor(tensor: str, bits: Real) -> Real:
    """Share of the parameters left, none where the formula would be negative."""
    gamma, n = (mpf(text) for text in KUMAR[tensor])
    return max(mpf(0), 1 - mpmath.exp(-bits / gamma + n))


def kumar_factors(weight_bits: Real, activation_bits: Real, kv_bits: Real) -> Real:
    factors = kumar_factor("weights", weight_bits) * kumar_factor("activations", activation_bits)
    return factors * kumar_factor("kv", kv_bits)


def normalised(factor: Real, at_16_bits: Real) -> Real:
    """Told to a law that was fitted in 16 bits: over the value there, and never more than 1."""
    return min(mpf(1), factor / at_16_bits)


def _kumar(run: Run) -> Real:
    left = kumar_factors(run.weight_bits, run.activation_bits, run.kv_bits)
    return CORES["kumar_base"].loss(run.params * left, run.tokens)


def _kumar_float(run: Run) -> Real:
    return CORES["kumar_base"].loss(run.params * kumar_factor("float_weights", run.weight_bits), run.tokens)


def capybara_term(params: Real, tokens: Real, exponent_bits: Real, mantissa_bits: Real, block: Real) -> Real:
    """Sun et al. 2025, arXiv:2501.02423, equation 26: what a float of few bits adds."""
    half = mpf(1) / 2
    format_cost = mpf("11334.5197") * (exponent_bits + half) ** mpf("3.1926") * (mantissa_bits + half) ** mpf("2.9543")
    return tokens ** mpf("0.5162") / params ** mpf("0.2368") * mpmath.log(block, 2) / format_cost


def _capybara(run: Run) -> Real:
    plain = CORES["capybara_bf16"].loss(run.params, run.tokens)
    added = capybara_term(run.params, run.tokens, run.exponent_bits, run.mantissa_bits, run.block)
    return plain + added if run.weight_bits < 16 else plain


# ------------------------------------------------------------------ repeats: Muennighoff et al. 2023, arXiv:2305.16264

R_TOKENS, R_PARAMS = mpf("15.387756"), mpf("5.309743")


def worth_of_tokens(tokens: Real, unique: Real) -> Real:
    """D' = U_D + U_D R* (1 - exp(-R_D / R*)), U_D the unique tokens seen and R_D the repeats."""
    seen = min(tokens, unique)
    decay = R_TOKENS if not isinstance(tokens, float) else float(R_TOKENS)
    return seen + seen * decay * (1 - exp(-(tokens / seen - 1) / decay))


def worth_of_params(params: Real, tokens: Real, unique: Real, core: Core) -> Real:
    """N' the same, U_N the parameters for which U_D are the best number of tokens."""
    G = (core.alpha * core.A / (core.beta * core.B)) ** (1 / (core.alpha + core.beta))
    enough = min(params, G * (G * min(tokens, unique)) ** (core.beta / core.alpha))
    decay = R_PARAMS if not isinstance(params, float) else float(R_PARAMS)
    return enough + enough * decay * (1 - exp(-(params / enough - 1) / decay))


def _nothing(params: Real, tokens: Real) -> Real:
    return 0


def _one(params: Real, tokens: Real) -> Real:
    return 1


def corrected(core: Core, unique: Real = INF, worth: Loss = _one, added: Loss = _nothing) -> Loss:
    """The loss of a law that is told of repeats, of what a parameter is worth, and of a term that is added.

    Parameters and tokens count in full until a token is repeated, and as D' and N' after.
    """

    def loss(params: Real, tokens: Real) -> Real:
        left = worth_of_params(params, tokens, unique, core) if tokens > unique else params
        plain = core.loss(left * worth(params, tokens), worth_of_tokens(tokens, unique))
        return plain + added(params, tokens)

    return loss


def _muennighoff(run: Run) -> Real:
    core = CORES["muennighoff_c4"]
    worth = worth_of_params(run.params, run.tokens, run.unique, core)
    return core.loss(worth, worth_of_tokens(run.tokens, run.unique))


LOSSES: dict[str, Law] = {
    **{name: _of_core(core) for name, core in CORES.items() if name != "capybara_bf16"},
    **{name: _clark(name) for name in CLARK},
    **{name: _gemstones(name) for name in GEMSTONES},
    "kaplan_L_N": lambda run: (mpf("8.8e13") / run.params) ** mpf("0.076"),
    "kaplan_L_D": lambda run: (mpf("5.4e13") / min(run.tokens, run.unique)) ** mpf("0.095"),
    "kaplan_L_ND": _kaplan_size_and_data,
    "kaplan_L_NS": kaplan_size_and_steps,
    "clark_dense": lambda run: (mpf("3.568e13") / run.params) ** mpf("0.078"),
    "krajewski_moe": krajewski,
    "joint_moe": lambda run: joint_core(run.experts).loss(run.params, run.tokens),
    "abnar_sparsity": abnar,
    "muennighoff_data": _muennighoff,
    "kumar_train": _kumar,
    "kumar_train_fp": _kumar_float,
    "capybara_fp": _capybara,
}
"""Every law that has a loss, by the name it has in data/."""

Allocation = Callable[[Real], Real]


def _powers(k: str, a: str, over: int = 1) -> Allocation:
    return lambda flops: mpf(k) * flops ** mpf(a) / over


ALLOCATIONS: dict[str, tuple[Allocation | None, Allocation | None]] = {
    "kaplan_alloc": (
        lambda flops: mpf("1.3e9") * (flops / PF_DAY) ** mpf("0.73"),
        lambda flops: mpf("2.0e10") * (flops / PF_DAY) ** mpf("0.27"),
    ),
    "hoffmann_a1": (_powers("0.0991589", "0.49810"), _powers("1.69608", "0.50185")),
    "hoffmann_a2": (_powers("0.144877", "0.48994"), _powers("1.15276", "0.51002")),
    "hoffmann_a3_table": (_powers("0.534622", "0.45866"), _powers("0.31537", "0.54098")),
    "porian_rw_kaplan_repro": (_powers("4.2319659184965657e-8", "0.8353000424913991"), None),
    "porian_rw_head_counted": (_powers("1.2701847832482018e-5", "0.7064699122200796"), None),
    "porian_rw_short_warmup": (_powers("0.0014309165592833362", "0.6020375267309686"), None),
    "porian_rw_cosine": (_powers("0.0047692867893526685", "0.5714947855747434"), None),
    "porian_rw_tuned": (_powers("0.11892648397493802", "0.49689507817885203"), None),
    "porian_owt2_tuned": (_powers("0.046935346310548694", "0.5184542057238083"), None),
    "deepseek_alloc": (_powers("0.1715", "0.5243", 6), _powers("5.8316", "0.4757")),
    "ling_alloc_dense": (_powers("0.0655", "0.5422", 6), _powers("15.2582", "0.4578")),
    "ling_alloc_moe": (_powers("0.1915", "0.5095", 6), _powers("5.2232", "0.4905")),
    "llama3_tokens": (None, _powers("0.299", "0.537")),
}
"""N and D by compute; FLOPs per token over six where those were published; None where it was left to C = 6 N D."""


def allocation(law: str, flops: Real) -> tuple[Real, Real]:
    """N and D of the best model of that compute; whichever is not stated follows from C = 6 N D."""
    of_params, of_tokens = ALLOCATIONS[law]
    params = of_params(flops) if of_params else None
    tokens = of_tokens(flops) if of_tokens else None
    return params or flops / 6 / tokens, tokens or flops / 6 / params


def kaplan_loss_of_compute(flops: Real) -> Real:
    """(C_c / C_min)^0.050, both in PF-days."""
    return (mpf("3.1e8") / (flops / PF_DAY)) ** mpf("0.050")


# ------------------------------------------------------------------------------------------------ the other figures


def ptq_penalty(name: str, params: Real, tokens: Real, bits: Real) -> Real:
    """Ouyang et al. 2024, arXiv:2411.17691, figure 6; Kumar et al. 2024, arXiv:2411.04330, equation 2."""
    if name == "qid_gptq":
        return mpf("0.017") * tokens ** mpf("0.5251") / (params ** mpf("0.2261") * bits ** mpf("5.4967"))
    return mpf("0.0598") * tokens ** mpf("0.5068") / params ** mpf("0.3439") * mpmath.exp(-bits / mpf("0.5907"))


def tokens_per_char(vocab: Real) -> Real:
    """Tao et al. 2024, arXiv:2407.13623, section 2, up to 200,000 entries."""
    x = mpmath.log(min(vocab, mpf(200000)))
    return mpf("0.00639222") * x**2 - mpf("0.15811069") * x + mpf("1.20470122")


def vocabulary_body_flops(body: Real) -> Real:
    """The same, section 4.1: N_nv = exp(-2.48...) C^0.5."""
    return (body / mpmath.exp(mpf("-2.4846510161625193"))) ** 2


def vocabulary_surface(vocab: Real, body: Real, width: Real, flops: Real) -> Real:
    """The same, section 4.3: the two terms that the vocabulary moves at C = 6 (N_nv + V d) D."""
    v = vocab * width
    tokens = flops / (6 * (body + v)) / mpf("1e9")
    size = mpf("0.19584238398665638") * (v / mpf("1e6")) ** mpf("-0.6707374679896795")
    return size + mpf("2.1241123120064955") * tokens ** mpf("-0.44660634152009615")


def best_vocabulary(name: str, body: Real, width: Real) -> Real:
    """The same, sections 4.1, 4.2 and 4.3: the last by trying."""
    flops = vocabulary_body_flops(body)
    if name == "tao_a1":
        return mpmath.exp(mpf("-1.589031299255507")) * flops ** mpf("0.4163622634135234") / width
    if name == "tao_a2":
        return 3145728 * (body / mpf("33e6")) ** mpf("0.8353974035228025") / width
    return mpmath.exp(lowest(lambda x: vocabulary_surface(mpmath.exp(x), body, width, flops), mpf(0), mpf(30))[0])


def steps_overhead(batch_over_critical: Real) -> Real:
    """s with (s - 1) (e - 1) = 1 and e = s B / B_crit (McCandlish et al. 2018, arXiv:1812.06162)."""
    b = batch_over_critical
    return halved(lambda s: 1 - (s - 1) * (s * b - 1), max(mpf(1), 1 / b), 2 + 2 / b)
