"""Rules that compare several values of a recipe. RULES lists them all: a new rule is a function and an entry there.

The parameters of a rule are the sections that it reads, by name. It runs when all of these are valid by themselves, and
gets their models as the file has them, before defaults are filled in; None for a section that the recipe leaves out.
"""

import inspect
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from gpt2forge.recipe import generation_rules, quantization_rules, runtime_rules, target_rules
from gpt2forge.recipe.faults import Finding, refuse

Rule = Callable[..., Iterator[Finding]]


def check_name(name: str) -> Iterator[Finding]:
    """Refuse a name that the report or another file in `build/` would have."""
    if name in (".", "..", ".token") or name.endswith(".json"):
        yield refuse(("name",), name, "would take the place of something else in `build/`")


RULES: tuple[Rule, ...] = (
    check_name,
    quantization_rules.check_integer_keys,
    quantization_rules.check_channels,
    quantization_rules.check_few_rows,
    quantization_rules.check_embeddings,
    quantization_rules.check_positions,
    quantization_rules.check_patterns,
    quantization_rules.check_calibration,
    quantization_rules.check_texts,
    target_rules.check_scheme,
    target_rules.check_embeddings,
    target_rules.check_cache,
    target_rules.check_attention,
    target_rules.check_cpu,
    target_rules.check_benchmark,
    runtime_rules.check_runtime,
    generation_rules.check_greedy,
    generation_rules.check_draft,
)


PARAMETERS = {rule: tuple(inspect.signature(rule).parameters) for rule in RULES}
"""The sections that each rule reads."""


def check_rules(sections: Mapping[str, Any]) -> Iterator[Finding]:
    """Yield what is wrong with these sections, which are valid by themselves; rules that read others do not run."""
    for rule, names in PARAMETERS.items():
        if all(name in sections for name in names):
            yield from rule(**{name: sections[name] for name in names})
