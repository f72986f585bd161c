"""Rules on `generation:`, how the package writes text."""

from collections.abc import Iterator

from gpt2forge.recipe.faults import Finding, refuse
from gpt2forge.recipe.sections.generation_section import GenerationSection

DRAWING_KEYS = ("top_k", "top_p", "min_p")


def check_greedy(generation: GenerationSection | None) -> Iterator[Finding]:
    """Refuse filters of the tokens to draw from where nothing is drawn."""
    if generation is None or generation.temperature != 0:
        return
    for key in DRAWING_KEYS:
        value = getattr(generation, key)
        if value is not None:
            yield refuse(("generation", key), value, "means nothing where `temperature` is 0; remove it")


def check_draft(name: str, generation: GenerationSection | None) -> Iterator[Finding]:
    """Refuse a recipe as its own draft."""
    if generation is not None and generation.draft == name:
        problem = "is this recipe; name that of a smaller model, or use `prompt-lookup`"
        yield refuse(("generation", "speculative", "draft"), name, problem)
