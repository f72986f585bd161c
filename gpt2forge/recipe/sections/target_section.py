"""`target:`, the machine that runs the result."""

import re
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field

from gpt2forge.recipe.sections.section import Section

VERSION = re.compile(r"\d{1,2}\.\d{1,3}", re.ASCII)


def check_version(value: Any) -> Any:
    """Raise ValueError unless the value is a version such as `1.23`. YAML takes one without quotes for a number."""
    if not (value is None or (isinstance(value, str) and VERSION.fullmatch(value))):
        raise ValueError('must be a version in quotes, as in "1.23"')
    return value


Version = Annotated[
    str,
    BeforeValidator(check_version),
    Field(json_schema_extra={"pattern": f"^{VERSION.pattern}$", "format": "version"}),
]


class TargetSection(Section):
    """The device and processors that run the result."""

    device: Literal["cpu", "cuda"] = Field(description="the device that runs the result")
    cpu: Literal["any", "vnni"] = Field(
        default="any",
        description="the processors that run the result; `vnni`: those whose int8 products do not saturate "
        "(Intel since 2019, AMD since Zen 4)",
    )
    runtime: Version | None = Field(
        default=None,
        description='the oldest onnxruntime that must load the result, in quotes, as in `"1.23"`; any unless given',
    )
