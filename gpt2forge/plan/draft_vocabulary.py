"""Compares the vocabularies of a model and of its draft before anything is built.

Equal files have equal vocabularies, so tokenizers are read only if their files differ. One that is not read by itself,
because the model numbers its tokens, is left to the step that puts the draft into the package.
"""

from collections.abc import Mapping

from gpt2forge.checkpoint.detect import find_checkpoint
from gpt2forge.checkpoint.other_tokenizer import NONE, find_tokenizer_files, read_other_tokenizer
from gpt2forge.errors import Fault, RecipeError, UserError
from gpt2forge.plan.source import Source
from gpt2forge.recipe.draft_recipe import KEYS
from gpt2forge.recipe.load import LoadedRecipe

Sources = Mapping[str, Source]


def check_draft(loaded: LoadedRecipe, sources: Sources, draft: LoadedRecipe, draft_sources: Sources) -> None:
    """Raise RecipeError, at the place that names it, if a draft has another vocabulary than the model.

    The sources are those of the jobs of both recipes, by kind.
    """
    if NONE in (loaded.recipe.source.tokenizer, draft.recipe.source.tokenizer):
        return
    if read_files(sources) == read_files(draft_sources) is not None:
        return
    try:
        ids, draft_ids = read_ids(loaded, sources), read_ids(draft, draft_sources)
    except UserError:  # convert, which reads it in any case, says what is wrong
        return
    if ids != draft_ids:
        only = sorted(draft_ids.items() - ids.items(), key=lambda item: item[1])
        raise RecipeError([Fault(loaded.place(*KEYS), describe_difference(loaded, draft, len(only)))])


def describe_difference(loaded: LoadedRecipe, draft: LoadedRecipe, count: int) -> str:
    """Return the message about a draft of which so many tokens are not the model's."""
    return (
        f"`{'.'.join(KEYS)}: {loaded.recipe.generation.draft if loaded.recipe.generation else ''}`: the vocabulary of "
        f"`{draft.recipe.name}` is another one ({count} of its tokens are not those of `{loaded.recipe.name}`), so it "
        "cannot guess; name the recipe of a model with the same vocabulary, or use `prompt-lookup`"
    )


def read_files(sources: Sources) -> dict[str, bytes] | None:
    """Return the files of a source's tokenizer by name; None if it is not in files of its own."""
    source = sources.get("tokenizer", sources["checkpoint"])
    if source.find is None:
        return {source.path.name: source.path.read_bytes()}
    names = find_tokenizer_files(set(source.find(source.path)))
    return {name: (source.path / name).read_bytes() for name in names} or None


def read_ids(loaded: LoadedRecipe, sources: Sources) -> dict[str, int]:
    """Return the ids of a source's tokens. Raises UserError if its tokenizer is damaged."""
    if "tokenizer" in sources:
        tokenizer = read_other_tokenizer(sources["tokenizer"].path)
    else:
        checkpoint = find_checkpoint(sources["checkpoint"].path, wanted=loaded.recipe.source.wanted)
        tokenizer = checkpoint.format.read_tokenizer(checkpoint)
    return {**tokenizer.ids, **tokenizer.hidden, **tokenizer.added}
