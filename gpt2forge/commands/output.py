"""Where the result of a recipe is."""

from pathlib import Path

from gpt2forge.commands.build import BUILD
from gpt2forge.errors import UserError


def find_output(reference: str) -> Path:
    """The published directory of a recipe: named as for `build`, by the recipe's path, or by the directory itself."""
    path = Path(reference)
    name = path.stem if path.suffix in (".yaml", ".yml") else reference
    for output in (path, BUILD / name):
        if "/" in str(output) and (output / "model.onnx").is_file():
            return output
    raise UserError(f"`{reference}` is not built; run `gpt2forge build {reference}`")
