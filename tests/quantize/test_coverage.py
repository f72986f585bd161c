"""Tests of the coverage table by kind of tensor."""

from gpt2forge.quantize.coverage import CoverageRow, Kind, group_tensors

ROWS = [
    CoverageRow("wte.weight", 6400, 8, 128, 6600, 0.005),
    CoverageRow("wpe.weight", 640, 16, None, 1280, 0.0002),
    CoverageRow("h.0.ln_1.weight", 64, 32, None, 256, 0.0),
    CoverageRow("h.0.attn.c_attn.weight", 1000, 4, 32, 625, 0.08),
    CoverageRow("h.0.attn.c_attn.bias", 30, 32, None, 120, 0.0),
    CoverageRow("h.0.mlp.c_proj.weight", 800, 8, None, 900, 0.01),
    CoverageRow("h.1.attn.c_attn.weight", 1000, 8, 128, 1031, 0.006),
    CoverageRow("h.10.attn.c_attn.weight", 1000, 4, 32, 627, 0.1),
    CoverageRow("ln_f.bias", 64, 32, None, 256, 0.0),
    CoverageRow("lm_head.weight", 6400, 8, 128, 6600, 0.004),
]


def test_layers_that_are_stored_alike_are_one_line() -> None:
    assert group_tensors([row.to_json() for row in ROWS]) == [
        Kind("wte", 1, 8, 128, 8.25, 0.005, 0.005, 6600),
        Kind("wpe", 1, 16, None, 16.0, 0.0002, 0.0002, 1280),
        Kind("h.*.attn.c_attn", 2, 4, 32, 5.008, 0.09, 0.1, 1252),
        Kind("h.*.attn.c_attn", 1, 8, 128, 8.248, 0.006, 0.006, 1031),
        Kind("h.*.mlp.c_proj", 1, 8, None, 9.0, 0.01, 0.01, 900),
        Kind("lm_head", 1, 8, 128, 8.25, 0.004, 0.004, 6600),
        Kind("biases and norms", 3, 32, None, 32.0, 0.0, 0.0, 632),
    ]
