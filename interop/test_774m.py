"""A 774M model (3.1 GB in float32) in the hosts that support this size, with random weights from a seed.

Native hosts open the weights by path, and map or read them with 64-bit addresses. A browser copies them into
WebAssembly's 4 GB address space, which holds int8 but not float32.
"""

from pathlib import Path

import pytest

from bench.builds import run_build
from bench.plan import WORK, Plan
from bench.prepare import EXAMPLES, link_folders, prepare_checkpoint
from bench.shapes import SHAPES
from gpt2forge.runtime.text import read_tokenizer
from interop.browser import type_prompt
from interop.checks import check_alone
from interop.hosts import HOSTS
from interop.prompts import NEW_774M, PROMPT_774M
from interop.reference import Continuation, continue_prompts
from interop.tensorflow_process import NO_WHEEL

VARIANTS = ("fp32", "int8 blocks of 128")


@pytest.fixture(scope="module")
def packages() -> dict[str, Path]:
    """Build the variants with the checkpoint and store of `make bench`. Return the published directories by variant."""
    plan = Plan("774m", SHAPES["774m"], WORK / "checkpoints" / "774M", WORK, rounds=1, builds=1)
    if NO_WHEEL and not plan.checkpoint.is_dir():
        pytest.skip(NO_WHEEL)
    link_folders(plan.work, EXAMPLES)
    prepare_checkpoint(plan)
    for variant in VARIANTS:
        run_build(plan, variant)
    return {variant: plan.output(variant) for variant in VARIANTS}


@pytest.fixture(scope="module")
def expected(packages: dict[str, Path]) -> dict[str, list[Continuation]]:
    return {variant: continue_prompts(folder, [PROMPT_774M], NEW_774M) for variant, folder in packages.items()}


@pytest.mark.parametrize("variant", VARIANTS)
@pytest.mark.parametrize("host", HOSTS)
def test_tokens_are_ours(
    host: str, variant: str, packages: dict[str, Path], expected: dict[str, list[Continuation]]
) -> None:
    (answer,) = HOSTS[host](host, [packages[variant]], [PROMPT_774M], NEW_774M)
    check_alone(answer, expected[variant])


def test_float32_is_larger_than_2_gb(packages: dict[str, Path]) -> None:
    assert (packages["fp32"] / "model.onnx_data").stat().st_size > 1 << 31


def test_browser_takes_int8(packages: dict[str, Path], expected: dict[str, list[Continuation]], tmp_path: Path) -> None:
    package = packages["int8 blocks of 128"]
    (continuation,) = expected["int8 blocks of 128"]
    written = read_tokenizer(package).decode([*continuation.ids, *continuation.tokens])
    assert type_prompt(tmp_path / "site", package, PROMPT_774M, NEW_774M) == written
