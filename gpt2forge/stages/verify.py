"""verify: measure how far the package diverges from the reference, and check the properties of every package."""

import json
from pathlib import Path

from gpt2forge.stages.stage import PACKAGE, Inputs, Metrics, Stage, Target

PROMPT = 32  # tokens in each prompt on which the properties are checked


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
