"""Where the result of a recipe is."""

from pathlib import Path

from gpt2forge.commands.build import BUILD
from gpt2forge.errors import UserError


def find_output(reference: str) -> Path:
    """The published directory of a recipe, named as for `build` or by the directory itself."""
    named = BUILD / Path(reference).name.removesuffix(".yaml")
    for output in (named, Path(reference)):
        if (output / "model.onnx").is_file():
            return output
    raise UserError(f"`{reference}` is not built; run `gpt2forge build {reference}`")
