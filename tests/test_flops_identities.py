"""FLOPs that others printed, or the formulas they printed, reached from the architecture and nothing else.

The conventions differ and each test says which one its source follows: causal or full attention, weights that are
multiplied with or all parameters, with or without what the backward pass computes again. A tolerance is what the
printed digits leave open.
"""

import pytest

from kernels.evaluate import evaluate
from kernels.model import GRAPH
from sweep.resolve import single

Number = int | float | str
Design = dict[str, Number]


def values(metrics: list[str], design: Design, **changed: Number) -> dict[str, float]:
    """Metrics of one design described by its inputs and records."""
    space = single({name: str(number) for name, number in {**design, **changed}.items()})
    found = evaluate(GRAPH, metrics, space.fixed)
    return {name: float(found[name]) for name in metrics}


def value(metric: str, design: Design, **changed: Number) -> float:
    return values([metric], design, **changed)[metric]


def gpt(hidden_size: int, num_layers: int, num_heads: int, vocab_size: int, sequence_length: int) -> Design:
    """A GPT-2 or GPT-3 shaped model: MLP of 4 h, biases, LayerNorm, learned positions, one table for both ends."""
    return {
        "hidden_size": hidden_size, "num_layers": num_layers, "vocab_size": vocab_size,
        "num_heads": num_heads, "num_kv_heads": num_heads, "head_dim": hidden_size // num_heads,
        "ffn_size": 4 * hidden_size, "ffn_gated": 0, "qkv_bias": 1, "attn_out_bias": 1, "mlp_bias": 1,
        "norm_kind": "layernorm", "position_kind": "learned", "learned_position_rows": sequence_length,
        "tied_embeddings": 1, "sequence_length": sequence_length, "attention_flops_convention": "full",
    }  # fmt: skip


# --------------------------------------------------------------------------------- NVIDIA Megatron-Bridge: causal

MEGATRON_BRIDGE = (  # model, tokens/s/GPU, model TFLOP/s/GPU
    ("llama-3-8b", 14_451, 744),
    ("llama-3-70b", 1_602, 719),
    ("llama-3.1-405b", 292, 737),
)
OTHER_GPUS = (  # the same page, release 25.11: GB300, GB200 and B200
    ("llama-3-8b", 37_556, 1933),
    ("llama-3-8b", 31_508, 1622),
    ("llama-3-8b", 30_624, 1576),
    ("llama-3-70b", 4_520, 2030),
    ("llama-3-70b", 4_312, 1937),
    ("llama-3.1-405b", 999, 2522),
    ("llama-3.1-405b", 813, 2053),
    ("llama-3.1-405b", 661, 1667),
)


@pytest.mark.parametrize(("model", "tokens_per_s", "tflop_per_s"), [*MEGATRON_BRIDGE, *OTHER_GPUS])
def test_megatron_bridge_counts_the_causal_half(model: str, tokens_per_s: int, tflop_per_s: int) -> None:
    """NVIDIA-NeMo/Megatron-Bridge, docs/performance-summary.md (25.11), FP8 pre-training at sequence length 8192.

    FLOP/s over tokens/s is FLOPs a token: 51.48, 448.8 and 2523.97 GFLOP on H100. Both are printed as whole numbers, so
    the quotient is known to half a unit of each, which is 0.10 to 0.24 %; the H100 rows agree to 0.1 % as well.
    """
    design: Design = {"model": model, "sequence_length": 8192, "attention_flops_convention": "causal"}
    printed = tflop_per_s * 1e12 / tokens_per_s
    off = value("train_flops_per_token", design) / printed - 1
    assert abs(off) <= 0.5 / tokens_per_s + 0.5 / tflop_per_s
    if (model, tokens_per_s, tflop_per_s) in MEGATRON_BRIDGE:
        assert abs(off) <= 0.001


FULL_IS_MORE = (12.5, 7.3, 4.0)  # percent


@pytest.mark.parametrize(("row", "percent"), list(zip(MEGATRON_BRIDGE, FULL_IS_MORE, strict=True)))
def test_the_full_square_misses_what_megatron_bridge_printed(row: tuple[str, int, int], percent: float) -> None:
    """The conventions are told apart by these rows. The percentages follow from the architectures by hand:

    half of 12 L a d s over the causal count, 6.44 of 51.47 GFLOP for the 8B model, 32.2 of 449.2 and 101.5 of 2524.
    They are given to 0.1 %, and the quotient of the printed numbers to 0.1 to 0.24 % more.
    """
    model, tokens_per_s, tflop_per_s = row
    design: Design = {"model": model, "sequence_length": 8192, "attention_flops_convention": "full"}
    off = value("train_flops_per_token", design) / (tflop_per_s * 1e12 / tokens_per_s) - 1
    rounding = 0.5 / tokens_per_s + 0.5 / tflop_per_s
    assert off == pytest.approx(percent / 100, abs=0.0005 + rounding)
    assert off > 10 * rounding


# -------------------------------------------------------------------------------- MosaicML llm-foundry: full, 6 N

MPT: dict[str, tuple[int, int, int]] = {  # width, depth, heads
    "70b": (8192, 80, 64), "30b": (7168, 48, 56), "13b": (5120, 40, 40), "7b": (4096, 32, 32), "3b": (2560, 32, 20),
    "1b": (2048, 24, 16), "760m": (1536, 24, 12), "350m": (1024, 24, 16), "125m": (768, 12, 12),
}  # fmt: skip
H100, A100 = 1979e12 / 2, 312e12  # dense bf16: NVIDIA's H100 SXM sheet prints 1,979 with sparsity; A100 sheet, 312
FOUNDRY = (  # model, sequence length, parameters, tokens/s/GPU, MFU, peak
    ("70b", 2048, 64_862_437_376, 1_007, 0.4125, H100),
    ("70b", 2048, 64_862_437_376, 410, 0.5333, A100),
    ("30b", 2048, 29_975_214_080, 2_115, 0.4027, H100),
    ("30b", 8192, 30_019_254_272, 1_384, 0.2992, H100),
    ("13b", 2048, 12_853_954_560, 4_952, 0.4112, H100),
    ("13b", 8192, 12_885_411_840, 1_407, 0.4395, A100),
    ("7b", 2048, 6_658_859_008, 10_643, 0.4644, H100),
    ("7b", 32_768, 6_784_688_128, 3_318, 0.3094, H100),
    ("7b", 65_536, 6_918_905_856, 1_956, 0.2859, H100),
    ("7b", 65_536, 6_918_905_856, 1_013, 0.4697, A100),
    ("3b", 4096, 2_657_080_320, 20_964, 0.4231, H100),
    ("3b", 65_536, 2_814_366_720, 1_767, 0.4605, A100),
    ("1b", 2048, 1_315_950_592, 44_123, 0.4060, H100),
    ("1b", 65_536, 1_445_974_016, 3_044, 0.4618, A100),
    ("760m", 65_536, 857_988_096, 4_143, 0.4534, A100),
    ("350m", 32_768, 387_442_688, 13_416, 0.5155, A100),
    ("125m", 2048, 125_311_488, 142_830, 0.4479, A100),
    ("125m", 65_536, 174_070_272, 20_368, 0.5413, A100),
)


def mpt(model: str, sequence_length: int) -> Design:
    """The benchmark's own shapes: learned positions, as many as the sequence is long, and not the ALiBi releases."""
    return gpt(*MPT[model], 50_368, sequence_length)


@pytest.mark.parametrize(("model", "sequence_length", "params"), sorted({row[:3] for row in FOUNDRY}))
def test_llm_foundry_parameters(model: str, sequence_length: int, params: int) -> None:
    """mosaicml/llm-foundry, scripts/train/benchmarking/README.md @8c8dd48, printed beside every run."""
    assert value("params_total", mpt(model, sequence_length)) == params


@pytest.mark.parametrize(("model", "sequence_length", "params", "tokens_per_s", "mfu", "peak"), FOUNDRY)
def test_llm_foundry_counts_the_full_square_and_all_parameters(
    model: str, sequence_length: int, params: int, tokens_per_s: int, mfu: float, peak: float
) -> None:
    """The same file: model FLOPs are 6 N + 12 L d s a token, N all parameters, positions and norms too.

    MFU is printed to 0.01 % and tokens/s cut to a whole number, which leaves 0.01 to 0.26 % open; all within 0.5 %.
    """
    design = {**mpt(model, sequence_length), "train_tokens": 1.0}
    found = values(["train_flops_6nd", "attention_flops_per_token", "train_flops_per_token"], design)
    theirs = found["train_flops_6nd"] + 3 * found["attention_flops_per_token"]
    hidden_size, num_layers, _ = MPT[model]
    assert theirs == pytest.approx(6 * params + 12 * num_layers * hidden_size * sequence_length, rel=1e-15)
    rounding = 0.00005 / mfu + 1 / tokens_per_s
    assert rounding < 0.005
    assert theirs * tokens_per_s / peak == pytest.approx(mfu, rel=rounding)
    # Ours leaves out what no token is multiplied with: positions, norms and biases, 13 numbers a channel and layer.
    vectors = 13 * num_layers * hidden_size + 2 * hidden_size + sequence_length * hidden_size
    assert theirs - found["train_flops_per_token"] == pytest.approx(6 * vectors, rel=1e-9)  # a difference of large ones


def test_the_causal_half_misses_what_llm_foundry_printed() -> None:
    """7b at 65,536 tokens, where attention is most of the work: 35 % too few, far past any rounding."""
    design = {**mpt("7b", 65_536), "attention_flops_convention": "causal", "train_tokens": 1.0}
    found = values(["train_flops_6nd", "attention_flops_per_token"], design)
    causal = found["train_flops_6nd"] + 3 * found["attention_flops_per_token"]
    assert causal * 1_956 / H100 / 0.2859 - 1 == pytest.approx(-0.356, abs=0.001)  # half of 103.08 in 144.59 GFLOP


# ---------------------------------------------------------------------------- Narayanan et al. 2021 (arXiv:2104.04473)

NARAYANAN = (  # billion parameters, heads, width, layers: table 1
    ("1.7", 24, 2304, 24),
    ("3.6", 32, 3072, 30),
    ("7.5", 32, 4096, 36),
    ("18.4", 48, 6144, 40),
    ("39.1", 64, 8192, 48),
    ("76.1", 80, 10_240, 60),
    ("145.6", 96, 12_288, 80),
    ("310.1", 128, 16_384, 96),
    ("529.6", 128, 20_480, 105),
    ("1008.0", 160, 25_600, 128),
)
VOCAB, SEQUENCE = 51_200, 2048  # sections 5.1 and 5: padded vocabulary, sequence length


def eq_3(hidden_size: int, num_layers: int) -> float:
    """Equation 3, a token: 96 B s l h^2 (1 + s/6h + V/16lh) is a batch of B s tokens."""
    h, layers = hidden_size, num_layers
    return 96 * layers * h**2 * (1 + SEQUENCE / (6 * h) + VOCAB / (16 * layers * h))


def eq_2(hidden_size: int, num_layers: int) -> float:
    """Equation 2: parameters of a GPT, 12 l h^2 (1 + 13/12h + (V + s)/12lh)."""
    h, layers = hidden_size, num_layers
    return 12 * layers * h**2 * (1 + 13 / (12 * h) + (VOCAB + SEQUENCE) / (12 * layers * h))


@pytest.mark.parametrize(("billions", "heads", "hidden_size", "layers"), NARAYANAN)
def test_parameters_of_the_ten_gpts(billions: str, heads: int, hidden_size: int, layers: int) -> None:
    """Table 1, to its printed digits; equation 2 leaves out the final norm, which is 2 h, and nothing else."""
    params = value("params_total", gpt(hidden_size, layers, heads, VOCAB, SEQUENCE))
    assert f"{params / 1e9:.1f}" == billions
    assert params - 2 * hidden_size == pytest.approx(eq_2(hidden_size, layers), rel=1e-15)


@pytest.mark.parametrize(("billions", "heads", "hidden_size", "layers"), NARAYANAN)
def test_full_recomputation_is_equation_3(billions: str, heads: int, hidden_size: int, layers: int) -> None:
    """Every layer forward twice and backward once, the head forward and backward once."""
    design = gpt(hidden_size, layers, heads, VOCAB, SEQUENCE)
    ours = value("train_hardware_flops_per_token", design, recompute="full")
    assert ours == pytest.approx(eq_3(hidden_size, layers), rel=1e-12)  # the same number in another order of sums


TABLE_2 = (  # billion parameters, GPUs, TFLOP/s/GPU, days for 300 B tokens
    ("174.6", 384, 144, 90), ("174.6", 768, 88, 74), ("174.6", 1536, 44, 74),
    ("529.6", 640, 138, 169), ("529.6", 1120, 98, 137), ("529.6", 2240, 48, 140),
    ("174.6", 384, 153, 84), ("174.6", 768, 149, 43), ("174.6", 1536, 141, 23),
    ("529.6", 560, 171, 156), ("529.6", 1120, 167, 80), ("529.6", 2240, 159, 42),
)  # fmt: skip
TABLE_2_SHAPES = {"174.6": (12_288, 96, 96), "529.6": (20_480, 105, 128)}  # GPT-3 and the ninth row of table 1


@pytest.mark.parametrize(("billions", "gpus", "tflop_per_s", "days"), TABLE_2)
def test_days_of_table_2(billions: str, gpus: int, tflop_per_s: int, days: int) -> None:
    """Table 2, ZeRO-3 then PTD-P: days to train on 300 billion tokens at the throughput measured.

    Both are printed as whole numbers: some throughput that rounds to the one gives days that round to the other.
    """
    hidden_size, layers, heads = TABLE_2_SHAPES[billions]
    design = gpt(hidden_size, layers, heads, VOCAB, SEQUENCE)
    assert f"{value('params_total', design) / 1e9:.1f}" == billions
    flops = value("train_hardware_flops_per_token", design, recompute="full") * 300e9
    fastest, slowest = (flops / (gpus * (tflop_per_s + half) * 1e12) / 86_400 for half in (0.5, -0.5))
    assert fastest <= days + 0.5
    assert slowest >= days - 0.5


# --------------------------------------------------------------------------- Korthikanti et al. 2022 (arXiv:2205.05198)

KORTHIKANTI = (  # heads, width, layers, GPUs, sequences a step, seconds a step, MFU %, HFU %
    ("22B", 64, 6144, 48, 8, 4, 1.10, 41.5, 43.7),
    ("175B", 96, 12_288, 96, 64, 64, 13.75, 51.4, 52.8),
    ("530B", 128, 20_480, 105, 280, 280, 37.83, 56.0, 57.0),
    ("1T", 160, 25_600, 128, 512, 512, 71.49, 56.3, 57.0),
)
Row = tuple[str, int, int, int, int, int, float, float, float]
korthikanti = pytest.mark.parametrize("row", KORTHIKANTI, ids=lambda row: row[0])


def korthikanti_gpt(row: Row) -> Design:
    _, heads, hidden_size, layers, *_ = row
    return gpt(hidden_size, layers, heads, VOCAB, SEQUENCE)  # table 3: the same vocabulary and sequence length


def form_72(row: Row, per_h: float) -> float:
    """Appendix A, a token: 72 L h^2 (1 + s/6h + V/12Lh) model FLOPs; with s/3h the hardware's, by their count."""
    _, _, h, layers, *_ = row
    return 72 * layers * h**2 * (1 + SEQUENCE / (per_h * h) + VOCAB / (12 * layers * h))


@korthikanti
def test_model_flops_are_the_72_form(row: Row) -> None:
    ours = value("train_flops_per_token", korthikanti_gpt(row))
    assert ours == pytest.approx(form_72(row, 6), rel=1e-12)  # the same number in another order of sums


@korthikanti
def test_model_flops_utilisation_of_table_5(row: Row) -> None:
    """Table 5, sequence parallelism with selective recomputation, A100 of 312 TFLOP/s.

    Seconds a step from the paper as kept in calculon-ai/calculon, calculon/llm/validation.py; to half of their last
    digit, 0.45 % for the smallest model, and half of the last digit of the percentage.
    """
    _, _, _, _, gpus, sequences, seconds, mfu, _ = row
    flops = value("train_flops_per_token", korthikanti_gpt(row)) * sequences * SEQUENCE
    percent = 100 * flops / (seconds * gpus * 312e12)
    assert percent == pytest.approx(mfu, abs=0.05 + percent * 0.005 / seconds)


@korthikanti
def test_selective_recomputation_is_one_more_forward_of_the_scores(row: Row) -> None:
    """The forward pass does 4 L s h a token for scores and weighted values, a third of the model's 12 L s h.

    The paper counts more: its hardware FLOPs have s/3h where its model FLOPs have s/6h, as if forward and backward of
    the scores were done twice. What it prints for HFU over MFU is that ratio, to half of the last digit of each; ours
    is lower, by 3.3 % of the model FLOPs for the smallest model and 1.1 % for the largest.
    """
    _, _, hidden_size, layers, _, _, _, mfu, hfu = row
    design = korthikanti_gpt(row)
    found = values(["train_hardware_flops_per_token", "train_flops_per_token"], design, recompute="selective")
    model = found["train_flops_per_token"]
    again = found["train_hardware_flops_per_token"] - model
    assert again == pytest.approx(4 * layers * SEQUENCE * hidden_size, rel=1e-9)  # a difference of large numbers
    theirs = form_72(row, 3) / form_72(row, 6)
    assert theirs == pytest.approx(hfu / mfu, rel=0.05 / hfu + 0.05 / mfu)
    more = form_72(row, 3) - form_72(row, 6)
    assert more == pytest.approx(3 * again, rel=1e-9)
    ours = found["train_hardware_flops_per_token"] / model
    assert ours == pytest.approx(1 + (theirs - 1) / 3, rel=1e-12)
    assert 1 < ours < theirs


# ------------------------------------------------------------------ PaLM (Chowdhery et al. 2022, arXiv:2204.02311)

PALM_540B: Design = {  # table 1: 118 layers, 48 heads, width 18,432; section 2: one key-value head, SwiGLU, no biases
    "hidden_size": 18_432, "num_layers": 118, "num_heads": 48, "num_kv_heads": 1, "head_dim": 256, "ffn_size": 73_728,
    "ffn_gated": 1, "vocab_size": 256_000, "tied_embeddings": 1, "parallel_block": 1, "norms_per_layer": 1,
    "norm_kind": "layernorm_nobias", "sequence_length": 2048, "attention_flops_convention": "full", "train_tokens": 1.0,
}  # fmt: skip


def test_palm_appendix_b() -> None:
    """6 N + 12 L H Q T with N of all parameters: table 3 prints 3.28 TFLOP a token for the 540.35 B of table 1.

    Our total is 540.356 B, of which 0.002 B are norms: the table is cut, or has none, so to one unit of its last digit.
    Our own count has no look-ups or norms in it; with the table tied, only the 2.2 M norms are in N and not in ours.
    """
    found = values(["params_total", "train_flops_6nd", "attention_flops_per_token", "train_flops_per_token"], PALM_540B)
    assert found["params_total"] == pytest.approx(540.35e9, abs=0.01e9)
    palm = 6 * found["params_total"] + 12 * 118 * 48 * 256 * 2048
    assert found["train_flops_6nd"] + 3 * found["attention_flops_per_token"] == pytest.approx(palm, rel=1e-15)
    assert f"{palm / 1e12:.2f}" == "3.28"
    norms = (118 + 1) * 18_432
    assert palm - found["train_flops_per_token"] == pytest.approx(6 * norms, rel=1e-9)  # a difference of large numbers


def test_palm_utilisation() -> None:
    """Table 3: 238.3 thousand tokens/s on 6144 TPU v4 of 275 TFLOP/s are 46.2 % of peak, printed to 0.1 %."""
    percent = 100 * value("train_flops_per_token", PALM_540B) * 238.3e3 / (6144 * 275e12)
    assert percent == pytest.approx(46.2, abs=0.05)


# -------------------------------------------------------------------------------------------------- nanoGPT: 6 N, full


def test_nanogpt_utilisation_of_gpt_2() -> None:
    """karpathy/nanoGPT, transformer_sizing.ipynb: 100 sequences of 1024 in 0.755 s on an A100 are 37.14 % of 312e12.

    The notebook's FLOPs are those of tests/test_laws_of_metrics.py, without biases; biases and norms cost us nothing,
    so the released GPT-2 has the same count. Half of the last digit of the time is 0.07 %, of the percentage 0.01 %.
    """
    design = gpt(768, 12, 12, 50_257, 1024)
    assert 1024 * value("train_flops_per_token", design) == 874_944_921_600
    percent = 100 * value("train_flops_per_token", design) * 100 * 1024 / 0.755 / 312e12
    assert percent == pytest.approx(37.14, rel=0.0005 / 0.755 + 0.005 / 37.14)
