"""Sections are validated each by itself: one wrong value, and the line that names it."""

from pathlib import Path

import pytest

from tests.recipe.recipe_text import GOOD, faults


@pytest.mark.parametrize(
    ("old", "new", "fault"),
    [
        ("  checkpoint: here", "  {}", "2:1: the key `source.checkpoint` is missing"),
        (
            "  checkpoint: here",
            "  checkpoint: 3",
            '3:3: `source.checkpoint: 3` must be text; write `"3"`, with the quotes',
        ),
        (
            "target:\n  device: cpu",
            "target: cpu",
            "4:1: `target: cpu` must be a mapping; did you mean `target: {device: cpu}`?",
        ),
        ("name: mine", "name: a/b", "1:1: `name: a/b` must be made of letters, digits, `.`, `_`, `@` and `-`"),
        (
            "scheme: int8",
            "scheme: 8",
            "7:3: `quantization.scheme: 8` must be one of `none`, `int8`, `int4`, `float16`; did you mean `int8`?",
        ),
        (
            "scheme: int8",
            "scheme: [int8]",
            "7:3: `quantization.scheme: [int8]` must be one of `none`, `int8`, `int4`, `float16`; did you mean `int8`?",
        ),
        (
            "scheme: int8",
            "embeddings: int9",
            "7:3: `quantization.embeddings: int9` must be one of `none`, `int8`, `int4`, `float16`; did you mean `int8`?",
        ),
        (
            "scheme: int8",
            "kv_cache: int4",
            "7:3: `quantization.kv_cache: int4` must be one of `float32`, `int8`; did you mean `int8`?",
        ),
        (
            "scheme: int8",
            "positions: int8",
            "7:3: `quantization.positions: int8` must be one of `float32`, `float16`",
        ),
        (
            "scheme: int8",
            "scheme: int8\n  overrides:\n    h.*.mlp.cproj: {bits: 4}",
            "9:5: `quantization.overrides.h.*.mlp.cproj: {...}` matches no linear layer; did you mean `h.*.mlp.c_proj`?",
        ),
        (
            "scheme: int8",
            "scheme: int8\n  overrides:\n    h.*.mlp.c_proj: {bit: 4, bits: 3}",
            "9:22: unknown key `quantization.overrides.h.*.mlp.c_proj.bit`; did you mean `bits`?\n"
            "9:30: `quantization.overrides.h.*.mlp.c_proj.bits: 3` must be one of `8`, `4`",
        ),
        (
            "scheme: int8",
            "scheme: int8\n  overrides:\n    h.*.mlp.c_proj: {granularity: 16}",
            "9:5: the key `quantization.overrides.h.*.mlp.c_proj.bits` is missing",
        ),
        (
            "scheme: int8",
            "scheme: int8\n  overrides: {h.0.*: 4}",
            "8:15: `quantization.overrides.h.0.*: 4` must be a mapping; write its keys below it, with spaces in front of "
            "them: `bits`, `granularity`",
        ),
        ("scheme: int8", "scheme: int8\n  overrides: int4", "8:3: `quantization.overrides: int4` must be a mapping"),
        (
            "scheme: int8",
            "scheme: int8\n  skip: h.0.*",
            "8:3: `quantization.skip: h.0.*` must be a list; write `[h.0.*]`",
        ),
        (
            "scheme: int8",
            "scheme: int8\n  skip: [h.0.*, wte]",
            "8:17: `quantization.skip.1: wte` matches no linear layer; there are `h.*.attn.c_attn`, `h.*.attn.c_proj`, "
            "`h.*.mlp.c_fc`, `h.*.mlp.c_proj`",
        ),
    ],
)
def test_fault_is_one_line_with_its_place(folder: Path, old: str, new: str, fault: str) -> None:
    assert faults(GOOD.replace(old, new)) == [f"recipes/mine.yaml:{line}" for line in fault.splitlines()]
