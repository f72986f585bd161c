"""The answers of all results to the same prompts, with the tokens marked that differ from the baseline's."""

from collections.abc import Mapping, Sequence
from itertools import groupby

from gpt2forge.builder.answers import Answer, find_differing
from gpt2forge.cli.page.markup import element, text

Answers = Mapping[str, Sequence[Answer] | str]
"""The answers of each result to all prompts by its name, or why it has none. The baseline is the first."""


def show_answers(prompts: Sequence[str], answers: Answers) -> str:
    """Return each prompt with the answer of each result."""
    return "".join(show_prompt(prompt, place, answers) for place, prompt in enumerate(prompts))


def show_prompt(prompt: str, place: int, answers: Answers) -> str:
    """Return a prompt with all answers to it."""
    answered = {name: each[place] for name, each in answers.items() if not isinstance(each, str)}
    baseline = next(iter(answered.values()), None)
    parts = [element("h3", text(f"Prompt {place + 1}")), element("blockquote", element("pre", text(prompt)))]
    for name, each in answers.items():
        if isinstance(each, str):
            parts.append(element("p", text(f"{name}: no answer: {each}"), class_="quiet"))
        elif baseline is not None:
            parts.append(show_answer(name, answered[name], baseline))
    return "".join(parts)


def show_answer(name: str, answer: Answer, baseline: Answer) -> str:
    """Return an answer; tokens that differ from the baseline's are marked and counted."""
    differing = find_differing(answer.tokens, baseline.tokens)
    heading = element("h4", text(name), " ", element("span", text(count_differing(differing)), class_="quiet"))
    runs = groupby(zip(answer.pieces, differing, strict=True), key=lambda pair: pair[1])
    pieces = [(is_other, "".join(piece for piece, _ in run)) for is_other, run in runs]
    shown = "".join(element("mark", text(piece)) if is_other else text(piece) for is_other, piece in pieces)
    return heading + element("pre", shown)


def count_differing(differing: Sequence[bool]) -> str:
    """Describe how many tokens differ, and the first of them."""
    if not any(differing):
        return f"all {len(differing)} tokens are the baseline's"
    return f"{sum(differing)} of {len(differing)} tokens differ, the first at {differing.index(True) + 1}"
