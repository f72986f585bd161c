"""A 774M model (3.1 GB in float32) in the hosts that support this size, with random weights from a seed.

Its checkpoint is in float16, which takes half of the disk. The tests are skipped where there is not enough of it.

Native hosts open the weights by path, and map or read them with 64-bit addresses. A browser copies them into
WebAssembly's 4 GB address space, which holds int8 but not float32.
"""

import shutil
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
import torch
from transformers import GPT2Config, GPT2LMHeadModel

from bench.builds import run_build
from bench.plan import WORK, Plan
from bench.prepare import EXAMPLES, fetch_tokenizer, link_folders
from bench.shapes import LARGE
from gpt2forge.runtime.text import read_tokenizer
from gpt2forge.units import format_size
from interop.browser import type_prompt
from interop.checks import check_alone
from interop.hosts import HOSTS
from interop.prompts import NEW_774M, PROMPT_774M
from interop.reference import Continuation, continue_prompts

VARIANTS = ("fp32", "int8 blocks of 128")
NEEDED = 9 * 10**9  # bytes: the checkpoint, its tensors in float32, two packages and some room


def write_checkpoint(folder: Path, tokenizer: Path) -> None:
    """Write a model as transformers initializes it, with the tokenizer that OpenAI published."""
    torch.manual_seed(774)
    size = {"n_embd": LARGE.n_embd, "n_head": LARGE.n_head, "n_layer": LARGE.n_layer}
    GPT2LMHeadModel(GPT2Config(**size)).half().save_pretrained(folder)
    for name, taken in {"vocab.json": "encoder.json", "merges.txt": "vocab.bpe"}.items():
        shutil.copyfile(tokenizer / taken, folder / name)


def check_disk(plan: Plan) -> None:
    """Skip the tests if the disk has too little room for what was not built here before."""
    plan.work.mkdir(parents=True, exist_ok=True)
    free, is_built = shutil.disk_usage(plan.work).free, all(plan.output(variant).exists() for variant in VARIANTS)
    if free < NEEDED and not is_built:
        pytest.skip(f"needs {format_size(NEEDED)} in {plan.work}, and {format_size(free)} are free")


@pytest.fixture(scope="module")
def packages() -> dict[str, Path]:
    """Build the variants in a folder and a store that are kept. Return the published directories by variant."""
    work = WORK / "interop"
    plan = Plan("774m", LARGE, work / "checkpoints" / "774M", work, rounds=1, builds=1)
    check_disk(plan)
    link_folders(work, EXAMPLES)
    tokenizer = fetch_tokenizer(work / "tokenizer")
    if not plan.checkpoint.is_dir():
        with TemporaryDirectory(dir=work) as scratch:
            write_checkpoint(Path(scratch) / "774M", tokenizer)
            plan.checkpoint.parent.mkdir(exist_ok=True)
            (Path(scratch) / "774M").rename(plan.checkpoint)
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
