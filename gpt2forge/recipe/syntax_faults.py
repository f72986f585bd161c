"""Words for what YAML's parser finds wrong, and the place of the fault, which may be lines above where it was noticed.

RULES lists, in order, the problems that have words here; the first rule that knows one decides. Other problems keep the
parser's words.
"""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from gpt2forge.recipe.indentation import explain_deeper, explain_other, find_content, measure, split_key

LONGEST = 30  # characters of a file's text in a message
CONFLICT = re.compile(r"<{7} |<{7}$|={7}$|>{7} |>{7}$")
ODD_SPACES = re.compile("[\u00a0\u2000-\u200b\u202f\u205f\u3000\ufeff]")
FENCE = "```"
DIFF = re.compile(r"\+\s*[\w.]+:(\s|$)|@@ -\d|diff --git ")
KEY_WITHOUT_SPACE = re.compile(r"\s*[\w.@-]+:[^\s/]")
PERCENTAGE = re.compile(r"% ?(\d{1,9}(?:\.\d{1,9})?)(?![\w.])", re.ASCII)
WORD = re.compile(r"[^\s:,\]}#]*")
OPENED = {"]": "[", "}": "{"}
CLOSED = {opening: closing for closing, opening in OPENED.items()}
BRACKET = re.compile(r"[][{}]")
SIGNS = {f"while scanning {what}" for what in ("an alias", "an anchor", "a block scalar", "a directive", "a tag")}
"""What the parser was reading when it stumbled over a value that begins with `*`, `&`, `>`, `|`, `%` or `!`."""

Spot = tuple[int, int]
"""A line and a column, from 0."""


@dataclass(frozen=True)
class Problem:
    """What the parser reports: `what`, noticed at `at`, while it read something that began at `began`.

    `context` says what that something was; it is empty if there is none.
    """

    what: str
    context: str
    at: Spot
    began: Spot
    lines: Sequence[str]

    def line(self, spot: Spot) -> str:
        """Return the line of a spot; empty behind the last one."""
        return self.lines[spot[0]] if spot[0] < len(self.lines) else ""


Explanation = tuple[Spot, str]
Rule = Callable[[Problem], Explanation | None]


def explain_syntax(problem: Problem) -> Explanation:
    """Return the place of a fault and the message for it."""
    for rule in RULES:
        found = rule(problem)
        if found:
            return found
    return problem.at, problem.what


def find_pasted(problem: Problem) -> Explanation | None:
    """Explain lines that another program's file has: those of an unfinished merge or a diff, and Markdown's fences."""
    for number, line in enumerate(problem.lines):
        if CONFLICT.match(line):
            return (number, 0), "git left this line for a conflict of a merge; choose one side, and remove such lines"
        if DIFF.match(line):
            return (number, 0), "this is the line of a diff; remove the `+`, `-` and space that begin its lines"
        if line.lstrip().startswith(FENCE):
            return (number, line.index(FENCE)), "three backticks are Markdown; remove the line"
    return None


def find_odd_space(problem: Problem) -> Explanation | None:
    """Explain a character that looks like a space, which pasted text often has."""
    for spot in dict.fromkeys((problem.began, problem.at)):
        found = ODD_SPACES.search(problem.line(spot))
        if found:
            name = f"U+{ord(found[0]):04X}"
            return (spot[0], found.start()), f"{name} looks like a space and is none; type a space instead"
    return None


def find_tab(problem: Problem) -> Explanation | None:
    """Explain a tab, which YAML never takes for indentation."""
    before = problem.line(problem.at)[: problem.at[1] + 1]
    if "\t" in before and (not before.strip() or problem.what.startswith("found character '\\t'")):
        return (problem.at[0], before.index("\t")), "YAML takes no tabs here; use spaces"
    return None


def find_wrong_start(problem: Problem) -> Explanation | None:
    """Explain a value whose first character means something else in YAML."""
    found = re.match(r"found character '(.)' that cannot start any token", problem.what)
    if found:
        return problem.at, ask_for_quotes(problem, problem.at)
    if problem.context in SIGNS:
        return problem.began, ask_for_quotes(problem, problem.began)
    return None


def ask_for_quotes(problem: Problem, spot: Spot) -> str:
    """Return the message that the word at a spot needs quotes."""
    rest = problem.line(spot)[spot[1] :]
    share = PERCENTAGE.match(rest)
    if share:
        return f"a percentage is written `{share[1]}%`"
    word = cut(WORD.match(rest)[0] or rest[:1])  # type: ignore[index]
    sign = "a backtick" if rest.startswith("`") else f"`{rest[:1]}`"
    return f'what begins with {sign} needs quotes, as in `"{word}"`'


def find_missing_colon(problem: Problem) -> Explanation | None:
    """Explain a line that should be a key with its value."""
    if problem.what != "could not find expected ':'":
        return None
    return problem.began, describe_colon(problem.line(problem.began))


def describe_colon(line: str) -> str:
    """Return what is missing in a line that should be a key with its value."""
    text = cut(line.strip())
    if KEY_WITHOUT_SPACE.match(line):
        return f"a space is missing behind the `:` of `{text}`"
    return f"`{text}` has no `:`; write `key: value`, or remove the line"


def find_open_quote(problem: Problem) -> Explanation | None:
    """Explain a quote that is not closed, at its beginning."""
    if problem.context == "while scanning a quoted scalar" and problem.what.startswith("found unexpected"):
        quote = problem.line(problem.began)[problem.began[1] :][:1]
        return problem.began, f"the quote `{quote}` is not closed; add another one"
    return None


def find_text_behind(problem: Problem) -> Explanation | None:
    """Explain text behind a quoted value, which an earlier quote may have begun."""
    if problem.what != "expected <block end>, but found '<scalar>'":
        return None
    for number in range(problem.at[0] - 1, problem.began[0] - 1, -1):
        for quote in ('"', "'"):
            line = problem.lines[number]
            if quote in problem.line(problem.at)[: problem.at[1]] and line.count(quote) % 2:
                return (number, line.index(quote)), f"the quote `{quote}` is not closed; add another one"
    return problem.at, "a value ends before this; put all of it into quotes, and double each quote inside"


def find_escape(problem: Problem) -> Explanation | None:
    """Explain a backslash in double quotes."""
    found = re.match(r"found unknown escape character '(.)'", problem.what)
    if found:
        return problem.at, f"in double quotes, `\\{found[1]}` means nothing; use single quotes"
    return None


def find_bracket(problem: Problem) -> Explanation | None:
    """Explain a list or mapping in brackets that is not closed, or in which a comma is missing."""
    if problem.what == "expected the node content, but found '<stream end>'":
        last = find_unclosed(problem.lines)
        return (last[0], f"the `{last[1]}` is not closed; add `{CLOSED[last[1]]}`") if last else None
    found = re.match(r"expected ',' or '([]}])'", problem.what)
    if not found:
        return None
    is_closed = find_unclosed(problem.lines) is None
    opened = f"the `{OPENED[found[1]]}`"
    if is_closed:
        where = f"line {problem.began[0] + 1}, column {problem.began[1] + 1}"
        return problem.at, f"a `,` is missing before this, or `{found[1]}` of {opened} in {where}"
    return problem.began, f"{opened} is not closed; add `{found[1]}`"


def find_unclosed(lines: Sequence[str]) -> tuple[Spot, str] | None:
    """Return the last bracket that is opened and not closed, and its spot; quotes are not looked at."""
    opened: list[tuple[Spot, str]] = []
    for number, line in enumerate(lines):
        for found in BRACKET.finditer(line):
            if found[0] in CLOSED:
                opened.append(((number, found.start()), found[0]))
            elif opened:
                opened.pop()
    return opened[-1] if opened else None


def find_stray(problem: Problem) -> Explanation | None:
    """Explain a bracket or a comma that closes or parts nothing, and a value that is missing before one."""
    found = re.match(r"expected (<block end>|the node content), but found '([]},:])'", problem.what)
    if not found:
        return None
    what = "belongs to nothing; remove it" if found[1] == "<block end>" else "stands where a value is missing"
    return problem.at, f"`{found[2]}` {what}"


def find_list_item(problem: Problem) -> Explanation | None:
    """Explain a `-` where no list may begin."""
    if problem.what == "expected <block end>, but found '?'":
        return problem.at, "a key may not follow the list above; indent the list below its own key"
    is_item = problem.what == "sequence entries are not allowed here"
    if is_item or re.search(r"but found ('-'|'<block sequence start>'|'<block entry>')", problem.what):
        return problem.at, "no list may begin here; write `[a, b]` behind the key, or each `- a` on a line below it"
    return None


def find_colon_in_value(problem: Problem) -> Explanation | None:
    """Explain a value that holds `: `."""
    if problem.what != "mapping values are not allowed here":
        return None
    line, column = problem.line(problem.at), problem.at[1]
    if re.search(r":\s", line[:column]):
        word = cut(re.split(r":\s", line[:column])[-1].strip())
        fix = f"put the value into quotes, or `{word}: ...` on an indented line of its own"
        return problem.at, f"this line has two `: `; {fix}"
    return None


def find_deeper_key(problem: Problem) -> Explanation | None:
    """Explain a key that is indented too far."""
    if problem.what != "mapping values are not allowed here":
        return None
    above = find_content(problem.lines, problem.at[0])
    line = problem.line((above, 0)) if above is not None else "-"
    if above is not None and not split_key(line) and not line.lstrip().startswith("-"):
        return (above, measure(line)), describe_colon(line)
    return explain_deeper(problem.lines, problem.at[0])


def find_other_indentation(problem: Problem) -> Explanation | None:
    """Explain a key whose indentation is between those of the keys above."""
    if problem.what == "expected <block end>, but found '<block mapping start>'":
        return explain_other(problem.lines, problem.at[0])
    return None


def find_second_document(problem: Problem) -> Explanation | None:
    """Explain what follows the end of the mapping."""
    if problem.what == "but found another document":
        return problem.at, "a second document starts here; a recipe is one, so remove `---`"
    if problem.what.startswith("expected '<document start>'"):
        return problem.at, "this is not part of what stands above; a recipe is one mapping, `key: value` in each line"
    return None


def cut(text: str) -> str:
    """Return the beginning of a text that is too long for a message."""
    return text if len(text) <= LONGEST else f"{text[:LONGEST]}..."


RULES: tuple[Rule, ...] = (
    find_pasted,
    find_odd_space,
    find_tab,
    find_wrong_start,
    find_missing_colon,
    find_open_quote,
    find_text_behind,
    find_escape,
    find_bracket,
    find_stray,
    find_list_item,
    find_colon_in_value,
    find_deeper_key,
    find_other_indentation,
    find_second_document,
)
