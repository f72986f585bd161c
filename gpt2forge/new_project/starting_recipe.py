"""The recipe that `gpt2forge init` writes and `inspect --recipe` prints: a start for a checkpoint that has none yet."""

import json
import re
from pathlib import Path

from gpt2forge.new_project.new_file import fill

MOST = 60  # characters of a name
FILES = (".gguf",)  # endings of single files that are checkpoints
MEASURED = """\
verify:
  text: {text}
  max_perplexity_increase: 0.5%
"""
UNMEASURED = f"""\
# Put such a text into {{text}}, and remove the `# ` in front of these lines:
{re.sub("^", "# ", MEASURED.rstrip(), flags=re.MULTILINE)}
"""


def write_recipe(checkpoint: str, *, name: str, about: str, text: str | None, place: str) -> str:
    """Return a recipe for a checkpoint, by its path or address; `about` describes it on one line.

    `text` is the path of the text to verify on; without one, `place` says where to put it, in a comment.
    """
    lines = (UNMEASURED if text is None else MEASURED).format(text=quote_yaml(text or place))
    return fill("recipe.yaml", name=name, about=about, checkpoint=quote_yaml(checkpoint), verify=lines)


def describe_model(found: dict[str, object]) -> str:
    """Describe on one line what `describe_checkpoint` has found."""
    return f"{found['layout']}, {found['parameters']:,} parameters"


def name_recipe(model: str) -> str:
    """Return the name of the recipe for a model."""
    return f"{model}-cpu-int8"


def name_model(checkpoint: Path) -> str:
    """Return a name for the model that is allowed in a recipe, from the name of its folder, or of its only file."""
    place = checkpoint.resolve()
    if place.is_file() and place.suffix not in FILES:
        place = place.parent  # a file of several, as TensorFlow saves them
    return clean_name(place.stem if place.suffix in FILES else place.name)


def clean_name(text: str) -> str:
    """Return the characters that a name may have."""
    return re.sub(r"[^A-Za-z0-9._-]+", "-", text).strip("-.")[:MOST] or "mine"


def quote_yaml(text: str) -> str:
    """Return text as a YAML scalar: plain if that is surely text, quoted otherwise."""
    return text if re.fullmatch(r"[A-Za-z./][A-Za-z0-9._/-]*|(hf|openai)://[\w./@-]+", text) else json.dumps(text)
