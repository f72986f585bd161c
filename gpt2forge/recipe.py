"""The whole recipe as one class, the stages in order, and how recipes are loaded and judged."""

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, get_args, get_origin

from pydantic import Field, StringConstraints, ValidationError

from gpt2forge.composition import change_document, drop_nulls
from gpt2forge.document import Node, is_text
from gpt2forge.errors import Fault, Place, RecipeError, UserError, suggest, suggest_close
from gpt2forge.errors import quote as quote
from gpt2forge.references import Found, find_owner, find_recipes, list_names, refuse_several
from gpt2forge.stage import Section, Stage, Target
from gpt2forge.stages import benchmark, calibrate, convert, export, fuse, quantize, reference, verify
from gpt2forge.stages.benchmark import Benchmark
from gpt2forge.stages.quantization import FITTED, FLOATS, SATURATION, Quantization, check_pattern
from gpt2forge.stages.verify import Verify

NAME = re.compile(r"^[A-Za-z0-9._@-]+$")
Loc = tuple[str | int, ...]

LONGEST = 60  # characters of a value in a message

EXPECTATIONS = {
    "float_type": "must be a number",
    "float_parsing": "must be a number",
    "int_type": "must be a whole number",
    "bool_type": "must be `true` or `false`",
    "model_type": "must be a mapping",
    "dict_type": "must be a mapping",
    "list_type": "must be a list",
    "string_type": "must be text",
    "string_too_long": "is too long for a file's name",
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
    quantization: Quantization = Field(default=Quantization(scheme="none"), description="how the weights are stored")
    calibration: calibrate.Calibration | None = Field(
        default=None, description="the text that the quantized weights are fitted to, where `quantization` asks for it"
    )
    verify: Verify | None = Field(
        default=None, description="what the result is compared with, and how far off it may be"
    )
    benchmark: Benchmark | None = Field(default=None, description="how speed and memory are measured")


STAGES: tuple[Stage, ...] = (
    *(convert.STAGE, export.STAGE, fuse.STAGE, calibrate.STAGE, quantize.STAGE),
    *(reference.STAGE, verify.STAGE, benchmark.STAGE),
)
MEASURING = tuple(stage.name for stage in STAGES if stage.optional)
"""The stages that tell of a result and make none of it."""


@dataclass(frozen=True)
class LoadedRecipe:
    """A valid recipe and the document it came from, which knows every value's place."""

    recipe: Recipe
    document: Node
    found: Found

    @property
    def path(self) -> Path:
        """The file that says it."""
        return self.found.path

    @property
    def own_name(self) -> str:
        """What it is published as where `--name` says nothing: `STEM` or `STEM@VARIANT`."""
        return self.found.name

    def place(self, *keys: str) -> Place:
        """Where a value stands, or the nearest section above it that does."""
        return self.document.nearest(keys).place


def load_recipes(references: Sequence[str], changes: Sequence[str] = (), name: str | None = None) -> list[LoadedRecipe]:
    """Find, read and judge all recipes that are meant, each once; `name` replaces the name of a single one.

    Raises RecipeError with the faults of all at once, each with its place.
    """
    faults: list[Fault] = []
    found = find_recipes(references, faults)
    if len(found) > 1 and (changes or name is not None):
        names = list_names([each.name for each in found])
        raise UserError(f"`{'--set' if changes else '--name'}` is for one recipe, and several are meant{names}")
    loaded: list[LoadedRecipe] = []
    told: dict[Fault, list[Found]] = {}
    for each in found:
        try:
            loaded.append(load(each, changes, name))
        except RecipeError as error:
            for fault in dict.fromkeys(error.faults):
                told.setdefault(fault, []).append(each)
    faults += [name_variants(fault, having, found) for fault, having in told.items()]
    if faults:
        raise RecipeError(faults)
    return loaded


def name_variants(fault: Fault, having: Sequence[Found], found: Sequence[Found]) -> Fault:
    """A fault that not all variants of a file have, and that does not stand in one, is told with their names."""
    path, changes = having[0].path, [each.variant.changes for each in having if each.variant]
    is_common = len(having) == len([each for each in found if each.path == path])
    if is_common or any(fault.place in list_places(node) for node in changes):
        return fault
    return Fault(fault.place, f"{fault.message} (in {quote([each.name for each in having])})")


def list_places(node: Node) -> Iterator[Place]:
    """Where a value stands, and all that it holds."""
    yield node.place
    for child in node.value.values() if isinstance(node.value, dict) else ():
        yield from list_places(child)


def load_recipe(reference: str, changes: Sequence[str] = (), name: str | None = None) -> LoadedRecipe:
    """The same of a reference that must mean one recipe; raises UserError with their names where it means several."""
    loaded = load_recipes([reference], changes, name)
    refuse_several(reference, [each.found for each in loaded])
    return loaded[0]


def load(found: Found, changes: Sequence[str], name: str | None) -> LoadedRecipe:
    """Judge a recipe that was found, with its changes."""
    whole = change_document(found.whole, changes)
    document = drop_nulls(whole)
    if name is not None:
        check_name(name, found, changes)
    faults = [*judge_nulls(whole, ()), *(judge_name(document, found) if name is None else ())]
    document = rename(document, found, name)
    plain = document.plain()
    faults += (Fault(document.nearest(loc).place, message) for loc, message in judge(plain))
    try:
        recipe = Recipe.model_validate(plain)
    except ValidationError as error:
        told = (explain(dict(detail), document, found.path) for detail in error.errors(include_url=False))
        raise RecipeError([*faults, *told]) from error
    if faults:
        raise RecipeError(faults)
    return LoadedRecipe(recipe, document, found)


def check_name(name: str, found: Found, changes: Sequence[str]) -> None:
    """Raises UserError when another recipe is published under this name, or this one as it stands in its file."""
    owner = find_owner(name)
    if owner and (changes or name != found.name or not owner.samefile(found.path)):
        raise UserError(f"--name: `{name}` is what `{owner}` is published as; choose another name")


def judge_nulls(node: Node, loc: Loc) -> Iterator[Fault]:
    """A null that deletes a key which there cannot be: a slip of the pen that would else pass in silence."""
    known = section_fields(loc) if has_section(loc) else None
    for key, child in node.value.items():
        dotted = ".".join(map(str, (*loc, key)))
        if known is not None and key not in known:
            if child.value is None:
                yield Fault(child.place, f"unknown key `{dotted}`{suggest(key, known)}")
        elif known is None and child.value is None:
            try:
                check_pattern(key)
            except ValueError as error:
                yield Fault(child.place, f"`{dotted}: null` {error}")
        elif isinstance(child.value, dict) and (has_section((*loc, key)) or has_patterns((*loc, key))):
            yield from judge_nulls(child, (*loc, key))


def judge_name(document: Node, found: Found) -> Iterator[Fault]:
    """A recipe's name in its file is the file's; other faults of it are told elsewhere."""
    said = document.find(("name",))
    if said and isinstance(said.value, str) and said.value != found.path.stem and NAME.fullmatch(said.value):
        yield Fault(said.place, f"`name: {said.value}` must be the file's, `{found.path.stem}`")


def rename(document: Node, found: Found, name: str | None) -> Node:
    """Put in the name that is published: `--name`, or that of the variant, if the file has its own name right."""
    said = document.find(("name",))
    if name is not None:
        renamed = Node(name, Place("--name"))
    elif found.variant and said and said.value == found.path.stem:
        renamed = Node(found.name, found.variant.changes.place)
    else:
        return document
    return Node({**document.value, "name": renamed}, document.place)


def judge(plain: dict[str, Any]) -> Iterator[tuple[Loc, str]]:
    """What no section can say alone, of a document that may have other faults too."""
    quantization, target = plain.get("quantization"), plain.get("target")
    yield from judge_device(plain)
    if not (isinstance(target, dict) and target.get("cpu") == "vnni"):
        for loc in list_channels(quantization):
            yield loc, f"`granularity: channel` needs `target.cpu: vnni`: {SATURATION}"
    yield from judge_calibration(plain)
    if not is_for_gpu(plain):
        yield from judge_cache(quantization, plain.get("fusion"))
    if plain.get("name") in (".", "..") or str(plain.get("name")).endswith(".json"):
        yield (("name",), f"`name: {plain['name']}` would take the place of something else in `build/`")


def judge_device(plain: dict[str, Any]) -> Iterator[tuple[Loc, str]]:
    """What a GPU takes, and what is for nothing else."""
    target, quantization, fusion = (
        said if isinstance(said := plain.get(name), dict) else {} for name in ("target", "quantization", "fusion")
    )
    is_half = quantization.get("scheme") == "float16"
    if target.get("device") == "cpu" and is_half:
        need = "needs `target.device: cuda`: a CPU casts every weight to float32 whenever it is used"
        yield ("quantization", "scheme"), f"`scheme: float16` {need}"
    if not is_for_gpu(plain):
        return
    for key in ("scheme", "kv_cache", *(() if is_half else ("embeddings",))):  # those the section itself refuses
        if quantization.get(key) in ("int8", "int4"):
            mend = "use `scheme: float16`" if key == "scheme" else "remove it"
            yield ("quantization", key), f"`{key}: {quantization[key]}` is for `target.device: cpu`; {mend}"
    if fusion.get("attention") is not False and isinstance(plain.get("fusion", {}), dict):
        refused = "ONNX Runtime's CUDA kernel refuses the bias that a left-padded batch needs"
        yield ("fusion", "attention"), f"`target.device: cuda` needs `fusion.attention: false`: {refused}"
    if target.get("cpu") == "vnni":
        yield ("target", "cpu"), "`cpu: vnni` means nothing where `device` is `cuda`; remove it"
    if plain.get("benchmark") is not None:
        yield ("benchmark",), "`benchmark` measures on the CPU, and `target.device` is `cuda`; remove it"


def is_for_gpu(plain: dict[str, Any]) -> bool:
    target = plain.get("target")
    return isinstance(target, dict) and target.get("device") == "cuda"


def judge_calibration(plain: dict[str, Any]) -> Iterator[tuple[Loc, str]]:
    """What is fitted to a text needs one, and is not judged by the same."""
    quantization, calibration, verify = (plain.get(name) for name in ("quantization", "calibration", "verify"))
    said = quantization if isinstance(quantization, dict) else {}
    refused = {"method", "smooth"} if said.get("scheme") in FLOATS else set()  # by the section itself
    refused |= {"kv_cache"} if is_for_gpu(plain) else set()
    fitted = {key: value for key, value in FITTED.items() if said.get(key) == value and key not in refused}
    if calibration is None:
        for key, value in fitted.items():
            need = "needs `calibration:` with a `text` like what the model is for"
            yield ("quantization", key), f"`{key}: {show(value)}` {need}"
    elif (
        fitted
        and isinstance(calibration, dict)
        and isinstance(verify, dict)
        and calibration.get("text") == verify.get("text")
    ):
        told = "is `verify.text` too, and what was fitted to a text is not judged by it; name another"
        yield ("calibration", "text"), f"`calibration.text: {calibration.get('text')}` {told}"


def judge_cache(quantization: Any, fusion: Any) -> Iterator[tuple[Loc, str]]:
    """An int8 cache is the fused operator's."""
    asked = isinstance(quantization, dict) and quantization.get("kv_cache") == "int8"
    if asked and isinstance(fusion, dict) and fusion.get("attention") is False:
        need = "needs `fusion.attention: true`: standard operators have no such cache"
        yield ("quantization", "kv_cache"), f"`kv_cache: int8` {need}"


def list_channels(quantization: Any) -> Iterator[Loc]:
    """Where one scale per channel is asked for."""
    said = quantization if isinstance(quantization, dict) else {}
    if said.get("scheme") in FLOATS:  # the section itself refuses them
        return
    overrides = said.get("overrides")
    places: dict[Loc, Any] = {("quantization",): said}
    if isinstance(overrides, dict):
        places |= {("quantization", "overrides", pattern): own for pattern, own in overrides.items()}
    for loc, own in places.items():
        if isinstance(own, dict) and own.get("granularity") == "channel":
            yield (*loc, "granularity")


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


def locate_section(loc: Loc) -> Any:
    """What stands at this path of a recipe: a section class, or the type of a value."""
    fields: Any = Recipe
    for part in loc:
        fields = (
            get_args(fields)[1] if get_origin(fields) is dict else find_section(fields.model_fields[part].annotation)
        )
    return fields


def has_section(loc: Loc) -> bool:
    return hasattr(locate_section(loc), "model_fields")


def has_patterns(loc: Loc) -> bool:
    return get_origin(locate_section(loc)) is dict


def section_fields(loc: Loc) -> Sequence[str]:
    """The keys that the mapping at this path may have."""
    fields = locate_section(loc)
    return [*fields.model_fields, *(() if loc else ("extends", "matrix"))]


def find_section(annotation: Any) -> Any:
    """The section class that a field holds, also where it may be left out."""
    parts = [part for part in get_args(annotation) if part is not type(None)]
    return parts[0] if parts else annotation


def say_expectation(detail: dict[str, Any], value: Any) -> str:
    message: str = detail["msg"].removeprefix("Value error, ").removeprefix("Input ")
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
