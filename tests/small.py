"""A space of runs small enough to write in a test and large enough for many parts."""

SPEC = """
name = "small"
columns = ["loss_nats", "serve_bytes", "in_fitted_range", "lifetime_usd"]

[axes]
hidden_size = { start = 1024, stop = 8192, step = 512 }
num_layers = [16, 24, 32, 48]
num_experts = [1, 8, 64]
precision = ["bf16", "fp8_e4m3", "int4_g128"]
train_tokens = { log10 = [10, 13.5], points = 400 }
gpu = ["h100_sxm", "b200_sxm", "mi300x"]

[where]
"fits on a node" = "min_gpus_to_serve <= 8"
"wide enough for its depth" = "hidden_size >= 64 * num_layers"
"""
