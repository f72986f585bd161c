"""The recipe that `gpt2forge inspect --recipe` prints: a start for a checkpoint that has none yet."""

import json
import re
from pathlib import Path

MOST = 60  # characters of a name
TEMPLATE = """\
# {about}
name: {name}-cpu-int8
source:
  checkpoint: {checkpoint}
target:
  device: cpu
quantization:
  scheme: int8
# Pages of text like those that the model is for, and that it was not trained on, show what int8 costs:
# verify:
#   text: held-out.txt
#   max_perplexity_increase: 0.5%
"""


def write_recipe(checkpoint: Path, found: dict[str, object]) -> str:
    """Return a recipe for the checkpoint that `describe_checkpoint` has described."""
    name = name_model(checkpoint)
    about = f"{found['layout']}, {found['parameters']:,} parameters; save this as recipes/{name}-cpu-int8.yaml"
    return TEMPLATE.format(about=about, name=name, checkpoint=quote_yaml(str(checkpoint)))


def name_model(checkpoint: Path) -> str:
    """Return a name for the model that is allowed in a recipe, from the name of its folder."""
    return re.sub(r"[^A-Za-z0-9._-]+", "-", checkpoint.resolve().name).strip("-.")[:MOST] or "mine"


def quote_yaml(text: str) -> str:
    """Return text as a YAML scalar: plain if that is surely text, quoted otherwise."""
    return text if re.fullmatch(r"[A-Za-z./][A-Za-z0-9._/-]*", text) else json.dumps(text)
