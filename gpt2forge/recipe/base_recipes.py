"""The base recipes that come with the package: `extends: gpt2forge/cpu` names gpt2forge/recipe/base/cpu.yaml."""

from pathlib import Path

FOLDER = Path(__file__).parent / "base"
PREFIX = "gpt2forge/"
SUFFIXES = (".yaml", ".yml")


def find_base(entry: str) -> Path | None:
    """Return the file that an entry of `extends` names if it names a base recipe, also one that does not exist.

    None for the path of a file.
    """
    name = entry.removeprefix(PREFIX)
    is_base = entry.startswith(PREFIX) and name and "/" not in name and not name.endswith(SUFFIXES)
    return FOLDER / f"{name}.yaml" if is_base else None


def list_bases() -> list[str]:
    """Return the names of all base recipes, as `extends` names them."""
    return sorted(f"{PREFIX}{file.stem}" for file in FOLDER.glob("*.yaml"))


def find_similar(entry: str) -> str | None:
    """Return the base recipe that the path of a missing file may mean, as in `base/cpu.yaml`."""
    name = f"{PREFIX}{Path(entry).stem}"
    return name if name in list_bases() else None
