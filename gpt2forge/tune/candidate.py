"""Turns a choice of forms into the section `quantization:` of a recipe, and back."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from gpt2forge.errors import Place
from gpt2forge.quantize.forms import FORMS, POSITIONS, TOKENS, Form, name_storage
from gpt2forge.quantize.scheme import CHANNEL, FLOAT32, choose_positions
from gpt2forge.recipe.load import LoadedRecipe, load
from gpt2forge.recipe.lookup import SelectedRecipe
from gpt2forge.recipe.yaml import Node
from gpt2forge.stages.quantize import STAGE, resolve_scheme
from gpt2forge.stages.worker import view_section
from gpt2forge.tune.choice import Choice, Option
from gpt2forge.tune.make_document import make_node

PLACE = Place("tune")
FITTED = {"method": "gptq", "smooth": True}


def make_recipe(start: LoadedRecipe, values: Mapping[str, Any], name: str, limits: Mapping[str, Any]) -> LoadedRecipe:
    """Return a recipe with other values of `quantization:`, and other limits of `verify:`, than another one."""
    verify = start.document.find(("verify",))
    document = {
        **start.document.value,
        "name": Node(name, PLACE),
        "quantization": make_node(values, PLACE),
        "verify": make_node({**(verify.plain() if verify else {}), **limits}, PLACE),
    }
    path = start.path.with_name(f"{name}.yaml")  # it need not exist
    return load(SelectedRecipe(path, Node(document, start.document.place)), (), None)


def write_section(choice: Choice, start: LoadedRecipe) -> dict[str, Any]:
    """Return the values of `quantization:` that mean a choice; what is no form is as in the recipe to start from."""
    linears = {weight: option.form for weight, option in choice.items() if weight not in (TOKENS, POSITIONS)}
    base = find_base(linears.values())
    values: dict[str, Any] = {"scheme": "none"}
    if base is not None:
        values = {"scheme": f"int{base.bits}", "granularity": base.granularity, **FITTED}
    values |= write_tables(choice, choose_positions(values["scheme"]))
    if start.recipe.quantization.kv_cache != FLOAT32:
        values["kv_cache"] = start.recipe.quantization.kv_cache
    few_rows = start.recipe.quantization.few_rows
    if few_rows != CHANNEL and any(FORMS[form].granularity == CHANNEL for form in linears.values() if form in FORMS):
        values["few_rows"] = few_rows
    others = {form for form in linears.values() if base is not None and form not in (base.name, FLOAT32)}
    overrides = {
        pattern: {"bits": FORMS[form].bits, "granularity": FORMS[form].granularity}
        for form in sorted(others)
        for pattern in list_patterns([weight for weight, own in linears.items() if own == form], linears)
    }
    floats = [weight for weight, form in linears.items() if form == FLOAT32]
    kept = list(list_patterns(floats, linears)) if base else []
    return {**values, **({"overrides": overrides} if overrides else {}), **({"skip": kept} if kept else {})}


def read_choice(start: LoadedRecipe, options: Iterable[Option]) -> Choice | None:
    """Return the choice that a recipe means, as far as it is one of forms; None if a weight has none of these."""
    recipe = start.recipe
    scheme = resolve_scheme(view_section(STAGE, recipe.quantization.model_dump(mode="json")), recipe.target.cpu)
    forms: dict[str, dict[str, Option]] = {}
    for option in options:
        forms.setdefault(option.weight, {})[option.form] = option
    tables = {TOKENS: scheme.table, POSITIONS: scheme.positions}
    stored = {name: tables[name] if name in tables else scheme.choose(name) for name in forms}
    found = {name: forms[name].get(name_storage(storage)) for name, storage in stored.items()}
    choice = {name: option for name, option in found.items() if option}
    return choice if len(choice) == len(forms) else None


def find_base(forms: Iterable[str]) -> Form | None:
    """Return the form of most linear layers, which is that of the scheme; None if all stay float32."""
    counts = Counter(form for form in forms if form != FLOAT32)
    return FORMS[max(counts, key=lambda form: (counts[form], form))] if counts else None


def write_tables(choice: Choice, usual: str) -> dict[str, Any]:
    """Return the values for the embeddings and the positions, which are `usual` unless named."""
    tokens = choice[TOKENS].form
    values: dict[str, Any] = {"embeddings": "none"}
    if tokens != FLOAT32:
        values = {"embeddings": f"int{FORMS[tokens].bits}", "embeddings_granularity": FORMS[tokens].granularity}
    return {**values, **({} if choice[POSITIONS].form == usual else {"positions": choice[POSITIONS].form})}


def list_patterns(names: Iterable[str], every: Iterable[str]) -> Iterator[str]:
    """Yield few patterns that match these of all linear layers and no others, as in `h.[03].attn.c_attn`."""
    layers, all_layers = group_layers(names), group_layers(every)
    for kind, numbers in sorted(layers.items()):
        if len(numbers) > 1 and numbers == all_layers[kind]:
            yield f"h.*.{kind}"
        else:
            yield from (f"h.{digits}.{kind}" for digits in list_digits(numbers))


def group_layers(names: Iterable[str]) -> dict[str, list[str]]:
    """Return the numbers of the layers by kind."""
    groups: dict[str, list[str]] = {}
    for name in names:
        _, layer, kind = name.split(".", 2)
        groups.setdefault(kind, []).append(layer)
    return groups


def list_digits(numbers: Iterable[str]) -> Iterator[str]:
    """Yield patterns of numbers that differ in the last digit alone: `[03]`, `1[01]`."""
    groups: dict[str, list[str]] = {}
    for number in numbers:
        groups.setdefault(number[:-1], []).append(number[-1])
    for tens, digits in sorted(groups.items()):
        yield tens + (digits[0] if len(digits) == 1 else f"[{''.join(sorted(digits))}]")
