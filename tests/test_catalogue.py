"""The facts in data/: as published, complete, sourced; and a broken file is told apart from a good one."""

import csv
import math
import shutil
from pathlib import Path

import pytest

from sweep import catalogue
from sweep.catalogue_check import check
from sweep.errors import SweepError
from sweep.resources import resource_dir


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    return Path(shutil.copytree(resource_dir("data"), tmp_path / "data"))


def edit(path: Path, identity: str, **cells: str) -> None:
    """Put other cells into one row of a CSV file."""
    with path.open(encoding="utf-8", newline="") as stream:
        rows = list(csv.DictReader(stream))
    row = next(row for row in rows if next(iter(row.values())) == identity)
    assert set(cells) <= set(row)
    row.update(cells)
    with path.open("w", encoding="utf-8", newline="") as stream:
        writer = csv.DictWriter(stream, list(rows[0]), lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)


def number(kind: str, identity: str, name: str) -> float:
    value = catalogue.records(kind)[identity].values[name]
    assert not isinstance(value, str)
    return float(value)


def test_the_shipped_files_have_no_problem() -> None:
    assert check() == []


@pytest.mark.parametrize(
    ("gpu", "name", "value"),
    [
        # NVIDIA H100 datasheet, SXM: 1,979 TFLOPS bf16 and 3,958 fp8 "with sparsity", dense is half; 3.35TB/s; 700W
        ("h100_sxm", "gpu_bf16_flop_per_s", 989.4e12),
        ("h100_sxm", "gpu_fp8_flop_per_s", 1978.9e12),
        ("h100_sxm", "gpu_memory_byte_per_s", 3.35e12),
        ("h100_sxm", "gpu_tdp_w", 700),
        # 81559 MiB is what the driver reports for the 80 GB card
        ("h100_sxm", "gpu_memory_bytes", 81559 * 2**20),
        # NVIDIA A100 datasheet, 80GB SXM: 624 TFLOPS bf16 with sparsity, 1248 TOPS int8 with sparsity, 2,039GB/s
        ("a100_sxm_80", "gpu_bf16_flop_per_s", 312e12),
        ("a100_sxm_80", "gpu_int8_flop_per_s", 624e12),
        ("a100_sxm_80", "gpu_memory_byte_per_s", 2.039e12),
        # NVIDIA V100 datasheet, SXM2: 125 TFLOPS tensor, 900GB/s
        ("v100_sxm2_32", "gpu_fp16_flop_per_s", 125e12),
        ("v100_sxm2_32", "gpu_memory_byte_per_s", 900e9),
        # AMD Instinct MI300X data sheet: 1307.4 TFLOPS bf16, 5.3 TB/s, 192 GB
        ("mi300x", "gpu_bf16_flop_per_s", 1307.4e12),
        ("mi300x", "gpu_memory_byte_per_s", 5.3e12),
        # Google Cloud documentation, TPU v5p: 459 TFLOPs bf16, 95 GiB, 2765 GB/s
        ("tpu_v5p", "gpu_bf16_flop_per_s", 459e12),
        ("tpu_v5p", "gpu_memory_bytes", 95 * 2**30),
    ],
)
def test_accelerators_match_their_data_sheets(gpu: str, name: str, value: float) -> None:
    assert number("gpu", gpu, name) == value


@pytest.mark.parametrize(
    ("gpu", "name"),
    [
        ("a100_sxm_80", "gpu_fp8_flop_per_s"),
        ("a100_sxm_80", "gpu_compute_share_4bit"),
        ("h100_sxm", "gpu_fp4_flop_per_s"),
        ("v100_sxm2_16", "gpu_bf16_flop_per_s"),
        ("v100_sxm2_16", "gpu_compute_share_8bit"),
        ("gb200", "gpu_usd_per_hour"),
    ],
)
def test_what_a_device_does_not_have_is_nan(gpu: str, name: str) -> None:
    assert math.isnan(number("gpu", gpu, name))


@pytest.mark.parametrize("kind", catalogue.KINDS)
def test_every_record_has_a_source_and_sets_what_its_kind_promises(kind: str) -> None:
    found = catalogue.records(kind)
    assert found
    for identity, record in found.items():
        assert (record.kind, record.id) == (kind, identity)
        assert record.source, identity
        assert set(record.values) <= set(catalogue.KINDS[kind].sets)
        if kind != "model":
            assert tuple(record.values) == catalogue.KINDS[kind].sets


def test_a_cell_that_does_not_apply_sets_nothing_in_a_model() -> None:
    """Llama 3.1 8B is dense and has no MLA; Mixtral 8x7B has no dense MLP."""
    llama = catalogue.records("model")["llama-3.1-8b"].values
    assert (llama["hidden_size"], llama["ffn_size"], llama["num_moe_layers"]) == (4096, 14336, 0)
    assert not {"num_experts", "kv_lora_rank", "embedding_proj_dim"} & set(llama)
    assert "ffn_size" not in catalogue.records("model")["mixtral-8x7b"].values


# Computed with mpmath at 40 digits from the published coefficients: parameters, tokens, nats per token.
LOSSES = [
    ("besiroglu_2024", 280e9, 300e9, 1.99960768234442),
    ("besiroglu_2024", 1e9, 20e9, 2.5300503236787),
    ("besiroglu_2024", 8.03e9, 15e12, 2.02183748236995),
    ("besiroglu_2024_full", 70e9, 1.4e12, 1.97340510831488),
    ("hoffmann_a3_tex", 70e9, 1.4e12, 1.92084602656654),
    ("hoffmann_a3_tex", 280e9, 300e9, 1.96724332403088),
    ("hoffmann_a3_rounded", 70e9, 1.4e12, 1.93664547055872),
    ("muennighoff_c4", 1e9, 20e9, 2.56463503296248),
]


@pytest.mark.parametrize(("law", "params", "tokens", "loss"), LOSSES)
def test_laws_reproduce_losses_worked_out_elsewhere(law: str, params: float, tokens: float, loss: float) -> None:
    floor, a, alpha, b, beta = (number("law", law, name) for name in catalogue.LAW_COEFFICIENTS)
    assert floor + a * params**-alpha + b * tokens**-beta == pytest.approx(loss, rel=1e-9)


def test_unrounded_hoffmann_coefficients_round_to_the_printed_equation() -> None:
    """Hoffmann et al. 2022, arXiv:2203.15556, equation 10: 1.69, 406.4, 410.7, 0.34, 0.28."""
    for name, digits in zip(catalogue.LAW_COEFFICIENTS, (2, 1, 2, 1, 2), strict=True):
        printed = number("law", "hoffmann_a3_rounded", name)
        assert round(number("law", "hoffmann_a3_tex", name), digits) == printed


def test_a_bound_nobody_stated_is_nan_and_the_words_stand_beside_it() -> None:
    record = catalogue.records("law")["muennighoff_c4"]
    assert math.isnan(number("law", "muennighoff_c4", "law_min_tokens"))
    assert record.values["law_params_counted"] == "total"
    assert record.facts["fitted_range"] == "N 7e6..9e9, D up to 9e11"
    assert catalogue.records("law")["kumar_base"].values["law_params_counted"] == "non_embedding"


def test_block_scales_add_to_the_bits_of_a_weight() -> None:
    """OCP Microscaling Formats v1.0: one 8-bit scale for 32 elements; NVFP4: one for 16."""
    assert number("precision", "mxfp4", "weight_bits") == 4 + 8 / 32
    assert number("precision", "mxfp8", "weight_bits") == 8 + 8 / 32
    assert number("precision", "nvfp4", "weight_bits") == 4 + 8 / 16
    assert number("precision", "int4", "weight_bits") == 4


def test_precisions_of_weights_caches_and_training_are_kept_apart() -> None:
    assert "kv_bf16" not in catalogue.records("precision")
    trained = ["fp32", "tf32", "bf16", "fp16", "fp8_training", "int8_training", "fp4_training", "mxfp8", "nvfp4"]
    assert list(catalogue.records("train_precision")) == trained
    assert not {"fp8_training", "int8_training", "fp4_training"} & set(catalogue.records("precision"))
    assert number("kv_precision", "kv_q8_0", "kv_bits") == 8.5


@pytest.mark.parametrize(
    ("precision", "exponent", "mantissa", "bits", "block"),
    [
        ("fp32", 8, 23, 32, 1),  # IEEE 754-2019, table 3.5: binary32
        ("fp16", 5, 10, 16, 1),  # and binary16
        ("bf16", 8, 7, 16, 1),  # Kalamkar et al. 2019, arXiv:1905.12322
        ("tf32", 8, 10, 32, 1),  # NVIDIA A100 whitepaper: 19 bits of a word of 32
        ("fp8_training", 4, 3, 8, 128),  # DeepSeek-V3, arXiv:2412.19437, section 3.3: E4M3, 1x128 and 128x128
        ("fp4_training", 2, 1, 4, 16),  # NVIDIA 2025, arXiv:2509.25149: NVFP4, E2M1 with a scale for 16
    ],
)
def test_floats_are_laid_out_as_their_formats_say(
    precision: str, exponent: int, mantissa: int, bits: int, block: int
) -> None:
    names = ("train_exponent_bits", "train_mantissa_bits", "train_weight_bits", "train_scale_block")
    assert tuple(number("train_precision", precision, name) for name in names) == (exponent, mantissa, bits, block)
    assert catalogue.records("train_precision")[precision].values["train_number_kind"] == "float"


def test_an_integer_has_no_exponent() -> None:
    integer = catalogue.records("train_precision")["int8_training"]
    assert integer.values["train_number_kind"] == "integer"
    assert [number("train_precision", "int8_training", f"train_{what}_bits") for what in ("weight", "kv")] == [8, 8]
    assert math.isnan(number("train_precision", "int8_training", "train_exponent_bits"))


def test_bits_of_a_served_weight_leave_its_scales_out() -> None:
    """OCP Microscaling Formats v1.0 and llama.cpp's names: elements of 4 bits, whatever the scales add."""
    four = ["int4", "int4_g128", "int4_g32", "mxfp4", "nvfp4", "nf4_dq", "gguf_q4_k_m", "gguf_iq4_xs", "gguf_q4_0"]
    assert {number("precision", name, "served_bits") for name in four} == {4}
    for name in catalogue.records("precision"):
        assert number("precision", name, "served_bits") <= number("precision", name, "weight_bits")


def test_nothing_is_repeated_unless_said() -> None:
    assert catalogue.defaults()["unique_tokens"].value == math.inf


def test_defaults_are_the_shape_of_llama_3_1_8b() -> None:
    found = catalogue.defaults()
    llama = catalogue.records("model")["llama-3.1-8b"].values
    assert all(found[name].value == value for name, value in llama.items() if name in found)
    assert found["train_tokens"].value == 2_000_000_000_000
    assert isinstance(found["num_gpus"].value, int)


def test_frames_are_typed() -> None:
    import polars as pl

    gpus = catalogue.frame("accelerators")
    assert gpus.schema["gpu_tdp_w"] == pl.Float64
    assert gpus.schema["year"] == pl.Int64
    assert gpus.filter(pl.col("id") == "a100_sxm_80")["gpu_fp8_flop_per_s"].item() is None
    assert catalogue.frame("laws").schema["arxiv"] == pl.String
    assert catalogue.frame("models").schema["total_params_oracle"] == pl.Int64
    assert catalogue.frame("defaults").schema["value"] == pl.String
    assert catalogue.frame("precisions").height == 59
    assert catalogue.frame("laws").filter(pl.col("id") == "hoffmann_a3_tex")["law_form"].item() == "power"
    assert catalogue.frame("ptq_laws").schema["ptq_bits_decay"] == pl.Float64
    assert catalogue.frame("law_draws").height == 1000


def test_unknown_names_are_answered_with_the_known_ones() -> None:
    with pytest.raises(SweepError, match="kv_precision"):
        catalogue.records("gpus")
    with pytest.raises(SweepError, match="accelerators"):
        catalogue.frame("gpu")


def test_digest_follows_every_byte_of_every_file(copy: Path) -> None:
    before = catalogue.digest(copy)
    assert before == catalogue.digest()
    for path in (copy / file for file in catalogue.FILES.values()):
        content = path.read_bytes()
        path.write_bytes(content + b"\n")
        assert catalogue.digest(copy) != before
        path.write_bytes(content)


@pytest.mark.parametrize(
    ("file", "identity", "cells", "complaint"),
    [
        ("accelerators.csv", "h100_sxm", {"gpu_bf16_flop_per_s": "-1"}, "gpu_bf16_flop_per_s = -1 is outside"),
        ("accelerators.csv", "h100_sxm", {"gpu_bf16_flop_per_s": "a lot"}, "'a lot' is not a number"),
        ("accelerators.csv", "h100_sxm", {"gpu_fp8_flop_per_s": "5e14"}, "is below gpu_bf16_flop_per_s"),
        ("accelerators.csv", "h100_sxm", {"gpu_memory_byte_per_s": ""}, "gpu_memory_byte_per_s is empty"),
        ("accelerators.csv", "h100_sxm", {"source_1": "", "source_2": ""}, "has no source"),
        ("accelerators.csv", "h100_sxm", {"confidence": "sure"}, "confidence = 'sure'"),
        ("accelerators.csv", "h100_sxm", {"roofline_basis": "somebody said"}, "roofline_basis"),
        ("accelerators.csv", "h100_sxm", {"gpu_compute_share_4bit": "0.5"}, "has no 4bit format"),
        ("accelerators.csv", "h100_sxm", {"id": "h200_sxm"}, "h200_sxm: appears twice"),
        ("precisions.csv", "bf16", {"weight_bits": "0"}, "bf16: weight_bits = 0 is outside"),
        ("precisions.csv", "bf16", {"compute_format": "bf32"}, "compute_format = 'bf32'"),
        ("precisions.csv", "bf16", {"train_mfu_factor": ""}, "train_mfu_factor is empty"),
        ("precisions.csv", "kv_bf16", {"kv_bits": ""}, "kv_bf16: kv_bits is empty"),
        ("precisions.csv", "nvfp4", {"served_bits": ""}, "nvfp4: served_bits is empty"),
        ("precisions.csv", "nvfp4", {"served_bits": "5"}, "served_bits is above weight_bits"),
        ("precisions.csv", "mxfp4", {"train_kv_bits": "16"}, "train_kv_bits is given without train_compute_format"),
        ("precisions.csv", "bf16", {"train_mantissa_bits": "8"}, "are more than train_weight_bits"),
        ("precisions.csv", "bf16", {"train_scale_block": ""}, "train_scale_block is empty"),
        ("precisions.csv", "bf16", {"train_format_source": ""}, "train_format_source is empty"),
        ("precisions.csv", "int8_training", {"train_exponent_bits": "4"}, "an integer has no exponent"),
        ("precisions.csv", "bf16", {"source_1": ""}, "bf16: has no source"),
        ("models.csv", "llama-3.1-8b", {"num_kv_heads": "7"}, "num_heads = 32 is not a multiple of num_kv_heads = 7"),
        ("models.csv", "llama-3.1-8b", {"qk_norm": "both"}, "qk_norm = 'both'"),
        ("models.csv", "llama-3.1-8b", {"hidden_size": "4096.5"}, "hidden_size = 4096.5 is not a whole number"),
        ("models.csv", "mixtral-8x7b", {"experts_per_token": "9"}, "experts_per_token = 9 is above num_experts = 8"),
        ("models.csv", "llama-3.1-8b", {"arch_source": ""}, "has no source"),
        ("defaults.csv", "gpu", {"value": "h100_smx"}, "'h100_smx' is not in accelerators.csv"),
        ("defaults.csv", "num_layers", {"value": "many"}, "value = 'many' is not a number"),
        ("defaults.csv", "num_layers", {"source": ""}, "num_layers: source is empty"),
        ("defaults.csv", "moe_law", {"value": "joint"}, "'joint' is not in moe_laws.toml"),
        ("defaults.csv", "law_draw", {"value": "1001"}, "'1001' is not in law_draws.csv"),
        ("defaults.csv", "unique_tokens", {"value": "0.5"}, "value = 0.5 is outside 1 to inf"),
        ("defaults.csv", "unique_tokens", {"name": "unique_token"}, "is neither an input nor a kind of record"),
        ("sources.csv", "stas", {"version": ""}, "stas: version is empty"),
    ],
)
def test_check_names_the_culprit(copy: Path, file: str, identity: str, cells: dict[str, str], complaint: str) -> None:
    edit(copy / file, identity, **cells)
    problems = check(copy)
    assert any(problem.startswith(file) and complaint in problem for problem in problems), problems


BESIROGLU = "law_params_exponent = 0.3478\n"


@pytest.mark.parametrize(
    ("file", "before", "after", "complaint"),
    [
        ("laws", BESIROGLU, "law_params_exponent = -0.3478\n", "law_params_exponent = -0.3478 is outside"),
        ("laws", BESIROGLU, "", "besiroglu_2024: law_params_exponent is empty"),
        ("laws", BESIROGLU, f"{BESIROGLU}law_alpha = 1\n", "law_alpha is no key of a law"),
        ("laws", BESIROGLU, f"{BESIROGLU}law_width_scale = 1\n", "law_width_scale is not part of law_form = 'power'"),
        ("laws", BESIROGLU, f'{BESIROGLU}law_compute = "8nd"\n', "law_compute = '8nd' is not one of 6nd, none"),
        ("laws", "law_min_tokens = 8.2e8\n", "law_min_tokens = 8.2e12\n", "law_min_tokens is above law_max_tokens"),
        ("laws", 'law_params_counted = "total"\n', 'law_params_counted = "all"\n', "law_params_counted = 'all'"),
        ("laws", "[besiroglu_2024]\n", "[besiroglu_2024\n", "cannot be read"),
        ("laws", "law_has_draws = 1", "law_has_draws = 0", "besiroglu_2024: is no law with law_has_draws = 1"),
        ("laws", "law_experts_max = 290.4521\n", "", "joint_moe: law_experts_max is empty"),
        ("laws", "law_optimal_loss_exponent = 0.050\n", "", "are given together or not at all"),
        ("laws", 'evidence = ["secondary"]', 'evidence = ["memory"]', "evidence: 'memory' is not one of"),
        ("laws", 'arxiv = "2001.08361"\n', "", "kaplan_L_N: names no paper"),
        ("moe_laws", "moe_params_slope = 0.0098", "# = 0.0098", "joint_moe: moe_params_slope is empty"),
        ("moe_laws", 'moe_gain_form = "leverage"', 'moe_gain_form = "lever"', "moe_gain_form = 'lever'"),
        ("precision_laws", "capybara_scale = 11334.5197\n", "", "none: capybara_scale is empty"),
        ("ptq_laws", "ptq_bits_decay = inf", "ptq_bits_decay = nan", "ptq_bits_decay = nan is outside"),
        ("hyperparameter_laws", "batch_tokens_exponent = 0.571\n", "", "are given together or not at all"),
        (
            "batch_laws",
            "critical_batch_scale = 2.1e8",
            "critical_batch = 2.1e8",
            "critical_batch is no key of a batch_law",
        ),
        ("vocabulary_laws", "vocabulary_reference_params = 3145728\n", "", "vocabulary_reference_params is empty"),
        ("shape_laws", 'title = "no correction"\n', "", "none: title is empty"),
    ],
)
def test_check_names_the_culprit_among_the_laws(copy: Path, file: str, before: str, after: str, complaint: str) -> None:
    path = copy / f"{file}.toml"
    text = path.read_text(encoding="utf-8")
    assert before in text
    path.write_text(text.replace(before, after, 1), encoding="utf-8")
    problems = check(copy)
    assert any(complaint in problem for problem in problems), problems


def test_check_reports_a_missing_file_and_goes_on(copy: Path) -> None:
    (copy / "models.csv").unlink()
    edit(copy / "precisions.csv", "bf16", weight_bits="0")
    problems = check(copy)
    assert any("models.csv" in problem for problem in problems)
    assert any("bf16" in problem for problem in problems)
