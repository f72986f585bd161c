"""`quantization:`, the section: what it may hold, what is filled in, and what contradicts itself."""

from collections.abc import Mapping, Sequence
from typing import Annotated, Literal

from pydantic import AfterValidator, Field, ValidationInfo, field_validator

from gpt2forge.errors import suggest
from gpt2forge.quantize.scheme import (
    CHANNEL,
    KINDS,
    can_match,
    choose_granularity,
    choose_table_block,
    find_conflict,
    list_linears,
)
from gpt2forge.stages.stage import Section

Embeddings = Literal["none", "int8", "int4", "float16"]
Positions = Literal["float32", "float16"]
Block = Literal[16, 32, 64, 128, 256]
Granularity = Literal[16, 32, 64, 128, 256, "channel"]
Cache = Literal["float32", "int8"]

BLOCKS: dict[str, Granularity] = {"int8": 128, "int4": 32}
"""How many weights share a scale where the recipe does not say."""

FLOATS = ("none", "float16")
"""The schemes without integers, which leave nothing to say of scales and of rounding."""

EVERYTHING = "contradicts `scheme: float16`, which is everything; remove it"

SATURATION = (
    "x86 without VNNI adds products of uint8 and int8 in 16 bits, which is too little (nano's KL to float32 rose from "
    "0.0014 to 0.011, and its likeliest token changed at 6 % of positions); use blocks, for example `granularity: 128`"
)
"""Why one scale per channel is not for every processor; interop/test_older_cpu.py measures it."""

FITTED = {"method": "gptq", "smooth": True, "kv_cache": "int8"}
"""The keys that need a calibration text, each with the value that does."""


def check_pattern(pattern: str) -> str:
    if not can_match(pattern):
        raise ValueError(f"matches no linear layer{suggest(pattern, [f'h.*.{kind}' for kind in KINDS])}")
    return pattern


Pattern = Annotated[str, AfterValidator(check_pattern)]
"""Of names of linear layers, as the shell has them for files: `*`, `?`, `[0-3]`."""


class Override(Section):
    """How the linear layers that a pattern matches are stored."""

    bits: Literal[8, 4] = Field(description="of each weight")
    granularity: Granularity | None = Field(
        default=None, description="how many weights share a scale: the scheme's if it has as many bits, else 128 or 32"
    )

    @field_validator("granularity")
    @classmethod
    def check_channel(cls, granularity: Granularity | None, info: ValidationInfo) -> Granularity | None:
        if granularity == CHANNEL and info.data.get("bits", 8) != 8:
            raise ValueError("needs `bits: 8`; use 16, 32, 64, 128 or 256")
        return granularity


class Quantization(Section):
    """`quantization:`, how weights are stored; what is not given is filled in, so that one meaning has one key."""

    scheme: Literal["none", "int8", "int4", "float16"] = Field(
        default="none",
        description="how the weights of the linear layers are stored; float16 is everything, and computed so on a GPU",
    )
    granularity: Granularity | None = Field(
        default=None,
        validate_default=True,
        description="how many weights share a scale (int8: 128, int4: 32), or `channel`: int8 with integer arithmetic",
    )
    method: Literal["nearest", "gptq"] = Field(
        default="nearest",
        description="how weights are rounded: each to the nearest step, or so that errors cancel on the text of "
        "`calibration`",
    )
    smooth: bool = Field(
        default=False,
        description="move means and scales of what norms give into the layers behind them, as `calibration` finds them",
    )
    embeddings: Embeddings | None = Field(
        default=None,
        validate_default=True,
        description="how the token embedding and LM head are stored: int8, or as `scheme` where that has no integers",
    )
    kv_cache: Cache = Field(
        default="float32", description="how the keys and values of the tokens so far are kept; int8 needs `calibration`"
    )

    embeddings_granularity: Block | None = Field(
        default=None,
        description="how many weights of them share a scale: `granularity` if it is a size of blocks of as many bits, "
        "else 128 (int8) or 32 (int4)",
    )
    positions: Positions | None = Field(
        default=None,
        validate_default=True,
        description="how the position embeddings are stored: float32 unless everything is float16",
    )
    overrides: dict[Pattern, Override] | None = Field(
        default=None, description="what some linear layers get instead, by a pattern of their names, `h.*.mlp.c_proj`"
    )
    skip: list[Pattern] | None = Field(
        default=None, description="which linear layers stay float32, by patterns of their names"
    )

    @field_validator("granularity")
    @classmethod
    def fill_granularity(cls, granularity: Granularity | None, info: ValidationInfo) -> Granularity | None:
        scheme = info.data.get("scheme", "none")
        if granularity is None:
            return BLOCKS.get(scheme)
        refuse_floats(info)
        if granularity == "channel" and scheme != "int8":
            raise ValueError("needs `scheme: int8`; use 16, 32, 64, 128 or 256")
        return granularity

    @field_validator("method", "smooth")
    @classmethod
    def check_fit(cls, value: str | bool, info: ValidationInfo) -> str | bool:
        if value in ("gptq", True):
            refuse_floats(info)
        return value

    @field_validator("embeddings")
    @classmethod
    def fill_embeddings(cls, embeddings: Embeddings | None, info: ValidationInfo) -> Embeddings:
        scheme = info.data.get("scheme", "none")
        filled: Embeddings = "int8" if scheme in BLOCKS else scheme
        if "float16" in (scheme, embeddings) and embeddings not in (None, filled):
            raise ValueError("needs `scheme: float16`" if embeddings == "float16" else EVERYTHING)
        return filled if embeddings is None else embeddings

    @field_validator("positions")
    @classmethod
    def fill_positions(cls, positions: Positions | None, info: ValidationInfo) -> Positions:
        filled: Positions = "float16" if info.data.get("scheme") == "float16" else "float32"
        if filled == "float16" and positions == "float32":
            raise ValueError(EVERYTHING)
        return positions or filled

    @field_validator("embeddings_granularity")
    @classmethod
    def drop_default(cls, block: Block | None, info: ValidationInfo) -> Block | None:
        """What is the default anyway is not kept, so that one edit of `granularity` is one difference."""
        data = info.data
        if block is not None and data.get("embeddings") in FLOATS:
            raise ValueError(f"means nothing where `embeddings` is `{data['embeddings']}`; remove it")
        default = choose_table_block(
            data.get("embeddings", "none"), data.get("scheme", "none"), data.get("granularity")
        )
        return None if block == default else block

    @field_validator("overrides")
    @classmethod
    def fill_overrides(cls, overrides: dict[str, Override] | None, info: ValidationInfo) -> dict[str, Override] | None:
        check_patterns(overrides or {}, (), info)
        return {pattern: fill_override(own, info) for pattern, own in (overrides or {}).items()} or None

    @field_validator("skip")
    @classmethod
    def order_skip(cls, skip: list[str] | None, info: ValidationInfo) -> list[str] | None:
        check_patterns(info.data.get("overrides") or {}, skip or (), info)
        return sorted(set(skip or ())) or None

    @property
    def granularities(self) -> set[Granularity | None]:
        """Those of all linear layers that are quantized."""
        return {self.granularity, *(own.granularity for own in (self.overrides or {}).values())}


def refuse_floats(info: ValidationInfo) -> None:
    """Raises ValueError where the scheme has no integers, so that a key about them means nothing."""
    scheme = info.data.get("scheme")
    if scheme in FLOATS:
        raise ValueError(f"means nothing where `scheme` is `{scheme}`; remove it")


def check_patterns(overrides: Mapping[str, Override], skip: Sequence[str], info: ValidationInfo) -> None:
    """Raises ValueError where there is no rule to make exceptions from, or two match the same in the first layer."""
    if overrides or skip:
        refuse_floats(info)
    conflict = find_conflict(list_linears([0]), overrides, skip)
    if conflict:
        raise ValueError(f"is ambiguous: {conflict}")


def fill_override(own: Override, info: ValidationInfo) -> Override:
    if own.granularity is not None:
        return own
    filled = choose_granularity(own.bits, info.data.get("scheme", "none"), info.data.get("granularity"))
    return own.model_copy(update={"granularity": filled})


def reads_statistics(section: Quantization) -> bool:
    return any(getattr(section, key) == value for key, value in FITTED.items())
