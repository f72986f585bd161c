"""Where the result of a recipe is."""

from pathlib import Path

from gpt2forge.commands.build import BUILD
from gpt2forge.errors import UserError
from gpt2forge.store.store import Store


def check_whole(output: Path, reference: str) -> None:
    """Raises UserError when a published directory no longer holds what was built."""
    artifact = output.resolve()
    store = Store(artifact.parents[1])
    is_ours = store.folder(artifact.name) == artifact and artifact.with_suffix(".json").is_file()
    if is_ours and not store.is_whole(artifact.name):
        raise UserError(f"{output}: its files were changed or lost; build `{reference}` again to mend them")


def find_output(reference: str) -> Path:
    """The published directory of a recipe: named as for `build`, by the recipe's path, or by the directory itself."""
    path = Path(reference)
    name = path.stem if path.suffix in (".yaml", ".yml") else reference
    for output in (path, BUILD / name):
        if "/" in str(output) and (output / "model.onnx").is_file():
            check_whole(output, reference)
            return output
        if output.is_symlink() and output.parent == BUILD:
            raise UserError(f"{output}: what it leads to is gone; run `gpt2forge build {name}`")
    raise UserError(f"`{reference}` is not built; run `gpt2forge build {reference}`")
