"""`quantization:`, the section: what it may hold, its defaults, and the scheme that it means.

Each value is checked by itself here; gpt2forge/recipe/rules.py compares values with each other.
"""

from collections.abc import Iterator, Mapping
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BeforeValidator, Field
from pydantic_core import PydanticKnownError

from gpt2forge.errors import suggest
from gpt2forge.quantize.scheme import (
    CHANNEL,
    KINDS,
    can_match,
    choose_granularity,
    choose_positions,
    choose_table_block,
)
from gpt2forge.quantize.scheme_table import (
    CACHE_TOLERANCES,
    CHANNEL_TOLERANCES,
    FEW_ROWS_TOLERANCES,
    SCHEMES,
    choose_embeddings,
)
from gpt2forge.recipe.sections.section import Section

MOST_PATTERNS = 1000  # of a key; a model of 250 layers has as many linear layers


def check_scheme(word: Any) -> Any:
    """Raise pydantic's error for a wrong Literal unless the table has this scheme."""
    *others, last = (f"'{name}'" for name in SCHEMES)
    if word not in list(SCHEMES):
        raise PydanticKnownError("literal_error", {"expected": f"{', '.join(others)} or {last}"})
    return word


def add_schemes(schema: dict[str, Any]) -> None:
    schema["enum"] = list(SCHEMES)


def check_pattern(pattern: str) -> str:
    """Raise ValueError unless the pattern matches a linear layer of some model."""
    if not can_match(pattern):
        raise ValueError(f"matches no linear layer{suggest(pattern, [f'h.*.{kind}' for kind in KINDS])}")
    return pattern


def check_count(patterns: Any) -> Any:
    """Raise ValueError for too many patterns: each is compared with thousands of names."""
    if isinstance(patterns, dict | list) and len(patterns) > MOST_PATTERNS:
        raise ValueError(f"has {len(patterns)} patterns; at most {MOST_PATTERNS} are read, so use wildcards")
    return patterns


SchemeName = Annotated[str, BeforeValidator(check_scheme), Field(json_schema_extra=add_schemes)]
"""A word of SCHEMES. Not a Literal, so that a new scheme is an entry of the table and nothing else."""

Pattern = Annotated[str, AfterValidator(check_pattern)]
"""A pattern of names of linear layers, with the wildcards of file names in a shell: `*`, `?`, `[0-3]`."""

Positions = Literal["float32", "float16"]
Block = Literal[16, 32, 64, 128, 256]
Granularity = Literal[16, 32, 64, 128, 256, "channel"]
Cache = Literal["float32", "int8"]


class Override(Section):
    """The storage of the linear layers that a pattern matches."""

    bits: Literal[8, 4] = Field(description="bits of each weight")
    granularity: Granularity | None = Field(
        default=None,
        description="how many weights share a scale; by default as in a scheme of as many bits, else 128 or 32",
    )

    def normalize(self, scheme: str, granularity: int | str | None) -> "Override":
        """Return the override with its granularity filled in; `granularity` is the scheme's."""
        return self.model_copy(
            update={"granularity": self.granularity or choose_granularity(self.bits, scheme, granularity)}
        )


class Quantization(Section):
    """`quantization:`, how weights are stored."""

    scheme: SchemeName = Field(
        default="none",
        description="how the weights of the linear layers are stored; float16 is for everything, on a GPU",
    )
    granularity: Granularity | None = Field(
        default=None,
        description="how many weights share a scale (int8: 128, int4: 32), or `channel`: integer arithmetic, 8 bits "
        "for `cpu: vnni` and 7 for `any`",
    )
    few_rows: Literal["channel", "blocks"] = Field(
        default="channel",
        description="how layers with `granularity: channel` multiply fewer than 8 tokens of all texts together; "
        "`blocks` makes a token as fast as with `granularity: 128`, and a process holds these weights twice",
    )
    method: Literal["nearest", "gptq"] = Field(
        default="nearest",
        description="how weights are rounded: each to the nearest step, or (gptq) so that errors cancel on the text of "
        "`calibration`",
    )
    smooth: bool = Field(
        default=False,
        description="move means and scales of activations from the norms into the layers behind them, as measured on "
        "`calibration`",
    )
    embeddings: SchemeName | None = Field(
        default=None,
        description="how the token embedding and LM head are stored; int8 by default, or as a `scheme` of floats",
    )
    kv_cache: Cache = Field(
        default="float32", description="how the keys and values of earlier tokens are kept; int8 needs `calibration`"
    )

    embeddings_granularity: Block | None = Field(
        default=None,
        description="how many weights of the embeddings share a scale; by default `granularity` if it is a block of as "
        "many bits, else 128 (int8) or 32 (int4)",
    )
    positions: Positions | None = Field(
        default=None,
        description="how the position embeddings are stored; by default float16, and float32 with `scheme: none`",
    )
    overrides: Annotated[dict[Pattern, Override] | None, BeforeValidator(check_count)] = Field(
        default=None,
        description="other storage for some linear layers, by a pattern of their names, as in `h.*.mlp.c_proj`",
    )
    skip: Annotated[list[Pattern] | None, BeforeValidator(check_count)] = Field(
        default=None, description="the linear layers that stay float32, as patterns of their names"
    )

    def normalize(self) -> "Quantization":
        """Return the section with all defaults filled in, so that sections of one meaning are equal.

        A block of the embeddings that is the default anyway is left out: one edit of `granularity` is one difference.
        """
        granularity = self.granularity or SCHEMES[self.scheme].block
        embeddings = self.embeddings or choose_embeddings(self.scheme)
        default = choose_table_block(embeddings, self.scheme, granularity)
        overrides = {pattern: own.normalize(self.scheme, granularity) for pattern, own in self.exceptions.items()}
        filled = {
            "granularity": granularity,
            "embeddings": embeddings,
            "embeddings_granularity": None if self.embeddings_granularity == default else self.embeddings_granularity,
            "positions": self.positions or choose_positions(self.scheme),
            "overrides": overrides or None,
            "skip": sorted(set(self.skip or ())) or None,
        }
        return self.model_copy(update=filled)

    @property
    def exceptions(self) -> Mapping[str, Override]:
        """The overrides by pattern; empty where there are none."""
        return self.overrides or {}

    @property
    def tolerances(self) -> Mapping[str, float]:
        """The largest difference of each property that these storages explain, as a part of the logits' spread."""
        spec, cache = SCHEMES[self.scheme], CACHE_TOLERANCES[self.kv_cache]
        linear = CHANNEL_TOLERANCES if set(self.list_granularities()) == {CHANNEL} else spec.tolerances
        if self.few_rows != CHANNEL:
            linear = FEW_ROWS_TOLERANCES
        return {name: max(linear.get(name, 0.0), cache.get(name, 0.0)) for name in {**linear, **cache}}

    def list_granularities(self) -> Iterator[int | str | None]:
        """Yield the granularity of the scheme, then that of each override."""
        section = self.normalize()
        yield section.granularity
        yield from (own.granularity for own in section.exceptions.values())
