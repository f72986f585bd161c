"""The tokens of a module that can change a result, and the modules that it imports.

One regular expression cuts the source: Python's tokenize and ast take ten times as long, at every plan in a new store.
A test holds the tokens of every module of gpt2forge against Python's own.
"""

import re
from collections.abc import Iterator, Sequence

NAME = r"\w+"
NUMBER = r"0[xXoObB][\da-fA-F_]+|(?:\d[\d_]*\.?[\d_]*|\.\d[\d_]*)(?:[eE][+-]?\d[\d_]*)?[jJ]?"
OPERATOR = r"\*\*=?|//=?|>>=?|<<=?|!=|->|\.\.\.|[-+*/%&@|^=<>:]=?"
QUOTED = (
    r"'''(?:[^'\\]|\\[\s\S]|'(?!''))*'''",
    r'"""(?:[^"\\]|\\[\s\S]|"(?!""))*"""',
    r"'(?:[^'\\\n]|\\[\s\S])*'",
    r'"(?:[^"\\\n]|\\[\s\S])*"',
)
STRING = rf"(?:[rRbBuUfF]{{1,2}})?(?:{'|'.join(QUOTED)})"
LINE_END = (
    r"(?:#[^\n]*)?\n(?:[ \t\f]*(?:#[^\n]*)?\n)*[ \t]*"  # with the empty lines behind it, and the next indentation
)
TOKEN = re.compile(rf"(?:[ \t\f]|\\\n)*({LINE_END}|{STRING}|{NUMBER}|{NAME}|{OPERATOR}|\S)")

BRACKETS = {"(": 1, "[": 1, "{": 1, ")": -1, "]": -1, "}": -1}
INDENT, DEDENT = "\t+", "\t-"
TEXT = re.compile(r"[rRuU]?['\"]")  # begins a string that is neither bytes nor an f-string
BEHIND_A_RAISED_CALL = ("from", ";")


def read_tokens(source: str) -> tuple[list[str], set[str]]:
    """Return the tokens of a module, and every name that it imports: `a.b` and `a.b.c` for `from a.b import c`.

    Left out are comments, docstrings, layout and the arguments of raised exceptions. A string that is a statement of
    its own counts as a docstring. Imports inside functions count.
    """
    tokens: list[str] = []
    imports: set[str] = set()
    for indentation, line in read_lines(source):
        tokens += indentation
        if line and not (TEXT.match(line[0]) and all(map(TEXT.match, line))):
            tokens += drop_raised(line)
            tokens.append("\n")
        if "import" in line:
            imports.update(list_imports(line))
    return tokens, imports


def list_imports(line: Sequence[str]) -> Iterator[str]:
    """List the names that a logical line imports."""
    for statement in split_statements(line):
        if statement[:1] == ["import"]:
            yield from list_names(statement[1:])
        elif statement[:1] == ["from"] and "import" in statement:
            place = statement.index("import")
            module = "".join(statement[1:place])
            yield module
            yield from (f"{module}.{name}" for name in list_names(statement[place + 1 :]))


def read_lines(source: str) -> Iterator[tuple[list[str], list[str]]]:
    """Yield each logical line: the indents or dedents before it, and its tokens; the last one is empty."""
    columns, indentation, line, depth = [0], list[str](), list[str](), 0
    for token in TOKEN.findall(f"\n{source}\n"):
        if token[0] not in "#\n":
            line.append(token)
            if token in BRACKETS:
                depth += BRACKETS[token]
        elif depth == 0:
            if line:
                yield indentation, line
            indentation, line = indent(columns, token), []
    yield indentation, []


def indent(columns: list[int], line_end: str) -> list[str]:
    """Return the indents or dedents at the end of a line; `columns` are those of the open blocks, and are updated."""
    column = len(line_end.rpartition("\n")[2].expandtabs())
    if column > columns[-1]:
        columns.append(column)
        return [INDENT]
    closed = [each for each in columns if each > column]
    del columns[len(columns) - len(closed) :]
    return [DEDENT] * len(closed)


def drop_raised(line: list[str]) -> list[str]:
    """Drop the arguments of an exception that a logical line raises: `raise A.B(...)`, `raise A(...) from b`."""
    if "raise" not in line:
        return line
    start = line.index("raise") + 1
    while start < len(line) and (line[start].isidentifier() or line[start] == "."):
        start += 1
    if line[start : start + 1] != ["("]:
        return line
    end = find_end(line, start)
    return (
        line[:start] + line[end:] if line[end : end + 1] in ([], *([word] for word in BEHIND_A_RAISED_CALL)) else line
    )


def find_end(line: Sequence[str], start: int) -> int:
    """Return the place behind the bracket that closes the one at `start`."""
    depth = 0
    for place in range(start, len(line)):
        depth += BRACKETS.get(line[place], 0)
        if depth == 0:
            return place + 1
    return len(line)


def split_statements(line: Sequence[str]) -> Iterator[list[str]]:
    """Split a logical line at `;` and `:`, behind which a statement may begin."""
    statement: list[str] = []
    for token in line:
        if token in (";", ":"):
            yield statement
            statement = []
        else:
            statement.append(token)
    yield statement


def list_names(tokens: Sequence[str]) -> Iterator[str]:
    """List the dotted names of `a.b, c as d`, in parentheses or not."""
    for part in " ".join(tokens).strip("() ,").split(","):
        yield part.partition(" as ")[0].replace(" ", "")
