"""verify: measure how far the package diverges from the reference, and check the properties of every package."""

import json
from pathlib import Path
from typing import Annotated, Any

from pydantic import BeforeValidator, Field

from gpt2forge.stages.stage import PACKAGE, Inputs, Metrics, Section, Stage, Target
from gpt2forge.units import PERCENTAGE, parse_percentage

PROMPT = 32  # tokens in each prompt on which the properties are checked


def read_share(value: Any) -> float:
    """Read `0.5%` as 0.005. A bare number is refused because 0.5 could mean a half or half a percent."""
    share = parse_percentage(value) if isinstance(value, str) else None
    if share is None or share > 1:
        raise ValueError("must be a percentage from `0%` to `100%`, as in `0.5%`")
    return share


Written = Annotated[str, Field(pattern=f"^({PERCENTAGE})$")]
Share = Annotated[float, BeforeValidator(read_share, json_schema_input_type=Written)]
Amount = Annotated[float, Field(ge=0, allow_inf_nan=False)]


class Tolerances(Section):
    """The largest difference that each property may have, as a part of the logits' spread."""

    steps_equal_pass: Amount | None = Field(
        default=None, description="largest difference between a prompt read at once and token by token"
    )
    shared_equals_copied: Amount | None = Field(
        default=None, description="largest difference between a cache extended in place and one that is fed back"
    )
    padded_equals_alone: Amount | None = Field(
        default=None, description="largest difference between a left-padded batch and its rows alone"
    )
    batch_equals_single: Amount | None = Field(
        default=None, description="largest difference between a batch and its rows alone"
    )


class Verify(Section):
    """The text to measure on, and the limits. Editing a limit measures nothing again."""

    text: str = Field(description="a file of UTF-8 text like what the model is for, which it was not trained on")
    tokens: Annotated[int, Field(ge=2)] = Field(default=8192, description="how many tokens of the text to use at most")
    max_perplexity_increase: Share | None = Field(
        default=None, description="perplexity increase over PyTorch in float32, as in `0.5%`"
    )
    max_kl: Amount | None = Field(
        default=None, description="mean Kullback-Leibler divergence from PyTorch, in nats a token"
    )
    min_top1_agreement: Share | None = Field(
        default=None, description="share of positions with the same likeliest token as PyTorch, as in `97%`"
    )
    tolerances: Tolerances = Field(default=Tolerances(), description="limits of the four properties")


def run(inputs: Inputs, section: None, target: Target, out: Path) -> Metrics:
    """Write `verify.json`: perplexity, divergence and agreement with their intervals, and the properties."""
    from gpt2forge.digest import digest_bytes
    from gpt2forge.measure.distributions import read_reference
    from gpt2forge.measure.fidelity import measure_fidelity
    from gpt2forge.measure.host import describe_host
    from gpt2forge.measure.properties import try_properties
    from gpt2forge.runtime.decoder import open_decoder

    reference = read_reference(inputs["reference"])
    decoder = open_decoder(inputs[PACKAGE])
    windows = reference.windows()
    found = measure_fidelity(decoder, reference, inputs.advance)
    prompts = [windows[place][:PROMPT].tolist() for place in sorted({0, len(windows) // 2})]
    properties = try_properties(decoder, prompts, inputs.advance)
    verify = {
        **found,
        "positions": len(reference.targets),
        "windows": len(windows),
        "tokens": len(reference.tokens),
        "window": int(reference.lengths.max()),
        "stride": int(reference.lengths.max()),
        "properties": {name: each and each.worst for name, each in properties.items()},
        "text_digest": digest_bytes(reference.tokens.astype("<i4").tobytes()),
        "host": describe_host(),
        "prompts": {name: each and each.list_prompts() for name, each in properties.items()},
    }
    (out / "verify.json").write_text(json.dumps(verify, indent=1) + "\n")
    return {"verify": verify}


STAGE = Stage(
    name="verify",
    section="verify",
    fields=(),
    target=(),
    reads=(PACKAGE, "reference"),
    writes="fidelity",
    tools=("numpy", "onnxruntime"),
    version=1,
    run=run,
    optional=True,
    threaded=True,
    on_host=True,
)
