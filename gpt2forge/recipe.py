"""The whole recipe as one class, the stages in order, and how a recipe is found, read and judged."""

import difflib
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, get_args

from pydantic import Field, StringConstraints, ValidationError

from gpt2forge.composition import compose_document
from gpt2forge.document import Node, is_text
from gpt2forge.errors import Fault, Place, RecipeError, UserError
from gpt2forge.stage import Section, Stage, Target
from gpt2forge.stages import benchmark, convert, export, fuse, quantize, reference, verify
from gpt2forge.stages.benchmark import Benchmark
from gpt2forge.stages.verify import Verify

RECIPES = Path("recipes")
NAME = re.compile(r"^[A-Za-z0-9._@-]+$")
Loc = tuple[str | int, ...]

LONGEST = 60  # characters of a value in a message

NOT_BUILT_YET = {("device", "cuda"), ("scheme", "float16")}
EXPECTATIONS = {
    "float_type": "must be a number",
    "float_parsing": "must be a number",
    "int_type": "must be a whole number",
    "bool_type": "must be `true` or `false`",
    "model_type": "must be a mapping",
    "string_type": "must be text",
    "string_pattern_mismatch": "must be made of letters, digits, `.`, `_`, `@` and `-`",
}


class Recipe(Section):
    """What to build: a checkpoint, the machine it is for, and how it gets there. Equal recipes build the same."""

    name: Annotated[str, StringConstraints(pattern=NAME.pattern, max_length=200)] = Field(
        description="what the result is published as: the name of the file without `.yaml`"
    )
    source: convert.Source = Field(description="the checkpoint to start from")
    target: Target = Field(description="the machine that the result is for")
    fusion: fuse.Fusion = Field(default=fuse.Fusion(), description="which parts of the graph are fused")
    quantization: quantize.Quantization = Field(
        default=quantize.Quantization(scheme="none"), description="how the weights are stored"
    )
    verify: Verify | None = Field(
        default=None, description="what the result is compared with, and how far off it may be"
    )
    benchmark: Benchmark | None = Field(default=None, description="how speed and memory are measured")


STAGES: tuple[Stage, ...] = (
    *(convert.STAGE, export.STAGE, fuse.STAGE, quantize.STAGE),
    *(reference.STAGE, verify.STAGE, benchmark.STAGE),
)
MEASURING = tuple(stage.name for stage in STAGES if stage.optional)
"""The stages that tell of a result and make none of it."""


@dataclass(frozen=True)
class LoadedRecipe:
    """A valid recipe and the document it came from, which knows every value's place."""

    recipe: Recipe
    document: Node
    path: Path

    def place(self, *keys: str) -> Place:
        """Where a value stands, or the nearest section above it that does."""
        return self.document.nearest(keys).place


def find_recipe(reference: str) -> Path:
    """The file of a recipe that is named as `nano-cpu-int8` (under recipes/) or by its path."""
    named = RECIPES / f"{reference}.yaml"
    path = Path(reference)
    if path.suffix in (".yaml", ".yml") or "/" in reference:
        if path.is_file():
            return path
        raise UserError(f"{path}: there is no such recipe{suggest_close(path.stem, list_recipes())}")
    if named.is_file():
        return named
    known = list_recipes()
    if not known:
        raise UserError(
            f"`{reference}`: there is no folder `{RECIPES}/` with recipes here; start where it is, or give a path"
        )
    raise UserError(f"`{reference}`: there is no `{named}`{suggest(reference, known)}")


def list_recipes() -> list[str]:
    """The names of the recipes here."""
    return sorted(file.stem for file in RECIPES.glob("*.yaml"))


def load_recipe(reference: str, changes: Sequence[str] = (), name: str | None = None) -> LoadedRecipe:
    """Read, compose and judge a recipe; `name` replaces its name.

    Raises RecipeError with every fault at once, each with its place.
    """
    path = find_recipe(reference)
    document = compose_document(path, changes)
    if name is not None:
        document = Node({**document.value, "name": Node(name, Place("--name"))}, document.place)
    plain = document.plain()
    if name is not None:
        check_name(name, path, changes)
    faults = [Fault(document.nearest(loc).place, message) for loc, message in judge(plain)]
    if name is None and NAME.fullmatch(str(plain.get("name", ""))) and plain["name"] != path.stem:
        message = f"`name: {plain['name']}` must be the file's, `{path.stem}`"
        faults.append(Fault(document.nearest(("name",)).place, message))
    try:
        recipe = Recipe.model_validate(plain)
    except ValidationError as error:
        found = (explain(dict(detail), document, path) for detail in error.errors(include_url=False))
        raise RecipeError([*faults, *found]) from error
    if faults:
        raise RecipeError(faults)
    return LoadedRecipe(recipe, document, path)


def check_name(name: str, path: Path, changes: Sequence[str]) -> None:
    """Raises UserError when another recipe is published under this name, or this one as it stands in its file."""
    owner = RECIPES / f"{name}.yaml"
    if owner.is_file() and (changes or not owner.samefile(path)):
        raise UserError(f"--name: `{name}` is what `{owner}` is published as; choose another name")


def judge(plain: dict[str, Any]) -> Iterator[tuple[Loc, str]]:
    """What no section can say alone, of a document that may have other faults too."""
    quantization, target = plain.get("quantization"), plain.get("target")
    granularity = quantization.get("granularity") if isinstance(quantization, dict) else None
    if granularity == "channel" and not (isinstance(target, dict) and target.get("cpu") == "vnni"):
        yield (
            ("quantization", "granularity"),
            f"`granularity: channel` needs `target.cpu: vnni`: {quantize.SATURATION}",
        )
    if plain.get("name") in (".", "..") or str(plain.get("name")).endswith(".json"):
        yield (("name",), f"`name: {plain['name']}` would take the place of something else in `build/`")


def explain(
    detail: dict[str, Any], document: Node, path: Path, keys: Callable[[Loc], Sequence[str]] | None = None
) -> Fault:
    """Say one of pydantic's findings in a recipe's words, at its place in the file.

    `keys`: what the mapping at a path may have, where that is no recipe.
    """
    # pydantic adds its own steps (`int`, `literal[...]`) behind the path where a value may be of several types.
    loc = known_part(detail["loc"], document)
    node = document.nearest(loc)
    dotted = ".".join(str(part) for part in loc)
    if detail["type"] == "extra_forbidden":
        known = list((keys or section_fields)(loc[:-1]))
        return Fault(node.place, f"unknown key `{dotted}`{suggest(str(loc[-1]), known)}")
    if detail["type"] == "missing":
        dotted = ".".join(str(part) for part in detail["loc"])
        place = node.place if loc else Place(str(path), 1, 1)
        return Fault(place, f"the key `{dotted}` is missing")
    return Fault(node.place, f"`{dotted}: {show(node.plain())}` {say_expectation(detail, node.plain())}")


def known_part(loc: Loc, document: Node) -> Loc:
    """The longest beginning of `loc` that stands in the document."""
    while loc and document.nearest(loc) is document.nearest(loc[:-1]):
        loc = loc[:-1]
    return loc


def section_fields(loc: Loc) -> Sequence[str]:
    """The keys that the mapping at this path may have."""
    fields: Any = Recipe
    for part in loc:
        fields = find_section(fields.model_fields[part].annotation)
    return [*fields.model_fields, *(() if loc else ("extends",))]


def find_section(annotation: Any) -> Any:
    """The section class that a field holds, also where it may be left out."""
    parts = [part for part in get_args(annotation) if part is not type(None)]
    return parts[0] if parts else annotation


def say_expectation(detail: dict[str, Any], value: Any) -> str:
    message: str = detail["msg"].removeprefix("Value error, ").removeprefix("Input ")
    if isinstance(value, str) and (detail["loc"][-1], value) in NOT_BUILT_YET:
        return "is not built yet"
    if detail["type"] == "literal_error":
        choices = [part.strip("'") for part in detail["ctx"]["expected"].replace(" or ", ", ").split(", ")]
        which = "must be one of" if len(choices) > 1 else "must be"
        return f"{which} {quote(choices)}{suggest_close(str(value), choices)}"
    if detail["type"] in EXPECTATIONS:
        return EXPECTATIONS[detail["type"]]
    return message[0].lower() + message[1:].replace("'", "`")


def show(value: Any) -> str:
    """A value as YAML writes it, on one line that is not too long."""
    if isinstance(value, bool):
        return str(value).lower()
    text = "{...}" if isinstance(value, dict) else " ".join(str(value).split())
    if isinstance(value, str) and not is_text(text):
        text = f'"{text}"'  # the quotes are what is wrong with it
    return text if len(text) <= LONGEST else f"{text[:LONGEST]}..."


def suggest(word: str, known: Sequence[str]) -> str:
    """The known name that was meant; all of them when none is near."""
    return suggest_close(word, known) or (
        f"; there {'are' if len(known) > 1 else 'is'} {quote(known)}" if known else ""
    )


def suggest_close(word: str, known: Sequence[str]) -> str:
    close = difflib.get_close_matches(word, known, n=1)
    return f"; did you mean `{close[0]}`?" if close else ""


def quote(words: Sequence[str]) -> str:
    return ", ".join(f"`{word}`" for word in words)
