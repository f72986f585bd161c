"""The numbers of a report in words."""

from gpt2forge.cli.summary import describe_numbers, describe_size
from tests.reports import make_report


def test_each_number_has_its_row() -> None:
    assert list(describe_numbers(make_report(benchmark__noise=["a dog barked"]))) == [
        ("perplexity", "55.60, PyTorch float32 55.00: +1.100% [+0.550%, +2.200%]"),
        ("divergence", "KL 1.54e-02 [7.70e-03, 3.08e-02], 99 % below 7.28e-02"),
        ("same token", "90.50% [45.25%, 181.00%] of 2040 positions, windows of 256"),
        (
            "properties",
            "batch_equals_single 0.0e+00, padded_equals_alone 1.0e-03, shared_equals_copied -, steps_equal_pass 2.0e-03",
        ),
        ("new token", "2.00 ms [1.80..2.20], 40.0% of PyTorch float32 (5.00 ms)"),
        ("prompt", "4.00 ms [3.60..4.40], 50.0% of PyTorch float32 (8.00 ms)"),
        ("limit", "0.10 ms a token at 12 GB/s: 5% reached"),
        ("memory", "20.0 MB anonymous, 2.0 MB mapped; loads in 0.05 s"),
        ("noise", "a dog barked: measure again with `--rerun benchmark`"),
    ]


def test_single_window_has_no_intervals() -> None:
    made = make_report(verify__intervals=None, benchmark=None)
    assert dict(describe_numbers(made))["divergence"] == "KL 1.54e-02, 99 % below 7.28e-02"


def test_recipe_without_a_measuring_section_is_described_as_unmeasured() -> None:
    made = make_report(verify=None, benchmark=None, values={"name": "nano", "verify": None, "benchmark": {"rounds": 3}})
    assert list(describe_numbers(made)) == [("accuracy", "not measured: the recipe has no `verify` section")]


def test_size_has_its_share_of_float32() -> None:
    size = make_report().bytes
    assert size is not None
    assert describe_size(size) == "1.4 MB, 26.3% of float32"
