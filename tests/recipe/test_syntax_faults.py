"""Messages for what is no YAML: in our words, at the place of the fault, with the way to fix it."""

import time

import pytest

from gpt2forge.errors import RecipeError
from gpt2forge.recipe.yaml import LARGEST, parse
from tests.recipe.recipe_text import BARE, GOOD, faults

STAR = "what begins with `*` needs quotes, as in"


def fault_of(text: str) -> str:
    with pytest.raises(RecipeError) as error:
        parse(text, "f")
    (line,) = str(error.value).splitlines()
    return line


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            "name: x\nsource:\n  checkpoint: a\n   step: 3\n",
            "f:4:4: `step` is indented deeper than `checkpoint` above, which has a value; "
            "use 2 spaces, as `checkpoint` has, or remove the value of `checkpoint`",
        ),
        ("name: x\n  source: y\n", "f:2:3: `source` is indented deeper than `name` above"),
        ("name: x\n# why\n\n  source:\n    a: b\n", "f:4:3: `source` is indented deeper than `name` above"),
        ("- a: 1\n   b: 2\n", "f:2:4: `b` is indented deeper than `a` above, which has a value; use 2 spaces"),
        (
            "source:\n    checkpoint: a\n  step: 3\n",
            "f:3:3: `step` is indented by 2 spaces, as no key above it; use 4, as `checkpoint` or 0, as `source`",
        ),
        ("a: 1 # c\n  b: 2\n", "f:2:3: `b` is indented deeper than `a` above, which has a value"),
        ("a:\n  b: 1\n c: 2\n", "f:3:2: `c` is indented by 1 space, as no key above it; use 2, as `b` or 0, as `a`"),
        ("skip:\n  - h.0\n    foo: bar\n", "f:3:5: no key may stand here, as `foo` does"),
    ],
)
def test_indentation(text: str, message: str) -> None:
    assert fault_of(text).startswith(message)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("name: x\na pasted line\nb: y\n", "f:2:1: `a pasted line` has no `:`; write `key: value`, or remove the line"),
        ("name: x\nsource\n", "f:2:1: `source` has no `:`"),
        ("name: x\nsource\n  checkpoint: y\n", "f:2:1: `source` has no `:`"),
        ("source\n  checkpoint: y\n", "f:1:1: `source` has no `:`"),
        ("name:x\nsource: y\n", "f:1:1: a space is missing behind the `:` of `name:x`"),
        ("source: y\nname:x\n", "f:2:1: a space is missing behind the `:` of `name:x`"),
        ("name: x\n```yaml\na: b\n", "f:2:1: three backticks are Markdown; remove the line"),
        ("<<<<<<< HEAD\na: x\n=======\na: y\n>>>>>>> b\n", "f:1:1: git left this line for a conflict of a merge"),
        ("+name: x\n+source: y\n+\n", "f:1:1: this is the line of a diff; remove the `+`, `-` and space"),
        ("name: x\n>>> y\n", "f:2:1: what begins with `>` needs quotes"),
        ("name: x\ny\u00a0z\na: b\n", "f:2:2: U+00A0 looks like a space and is none; type a space instead"),
        (
            "text: C: foo\n",
            "f:1:8: this line has two `: `; put the value into quotes, or `C: ...` on an indented line of its own",
        ),
        ("- a\nb: 1\n", "f:2:1: a key may not follow the list above"),
        ("a: - b\n", "f:1:4: no list may begin here; write `[a, b]`"),
        ("{a: 1}\nb: 2\n", "f:2:1: this is not part of what stands above"),
        (": a\n", "f:1:1: `:` belongs to nothing; remove it"),
    ],
)
def test_missing_colons_and_pasted_text(text: str, message: str) -> None:
    assert fault_of(text).startswith(message)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a: {*.c_attn: 1}\n", f'f:1:5: {STAR} `"*.c_attn"`'),
        ("skip: [*.mlp.c_proj]\n", f'f:1:8: {STAR} `"*.mlp.c_proj"`'),
        ("a:\n  <<: *base\n", "f:2:3: merging with `<<` is not allowed; use `extends`"),
        ("skip:\n  - *\n", f'f:2:5: {STAR} `"*"`'),
        ("skip:\n  - *foo\n", f'f:2:5: aliases are not allowed; {STAR} `"*foo"`'),
        ("a:\n  *.c: {bits: 8}\n", f'f:2:3: {STAR} `"*.c"`'),
        ("a: %5\n", "f:1:4: a percentage is written `5%`"),
        ("a: %x\n", 'f:1:4: what begins with `%` needs quotes, as in `"%x"`'),
        ("a: @x\n", "f:1:4: what begins with `@` needs quotes"),
        ("a: `x`\n", "f:1:4: what begins with a backtick needs quotes"),
        ("a: >0.1\n", 'f:1:4: what begins with `>` needs quotes, as in `">0.1"`'),
        ("%YAML\n", "f:1:1: what begins with `%` needs quotes"),
    ],
)
def test_signs_that_need_quotes(text: str, message: str) -> None:
    assert fault_of(text) == message or fault_of(text).startswith(message)


@pytest.mark.parametrize(
    "text", ["a:\n\tb: 1\n", "a: x\n\tb: 1\n", "a:\n  c: 1\n\tb: 2\n", "\ta: 1\n", "a:\n  - b\n\t- c\n"]
)
def test_tabs(text: str) -> None:
    line = next(number for number, each in enumerate(text.splitlines(), 1) if each.startswith("\t"))
    assert fault_of(text) == f"f:{line}:1: YAML takes no tabs here; use spaces"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('name: "x\nsource: y\n', 'f:1:7: the quote `"` is not closed; add another one'),
        ("name: x\nb: 'x\n", "f:2:4: the quote `'` is not closed; add another one"),
        ('name: "x\nother: "y"\n', 'f:1:7: the quote `"` is not closed; add another one'),
        ("a: 'it's'\n", "f:1:8: a value ends before this; put all of it into quotes"),
        ('a: "C:\\path"\n', "f:1:8: in double quotes, `\\p` means nothing; use single quotes"),
        ("a: [1, 2\nb: 3\n", "f:1:4: the `[` is not closed; add `]`"),
        ("b: 0\na: {b: 1\nc: 2\n", "f:2:4: the `{` is not closed; add `}`"),
        ("a: {b: 1 c: 2}\n", "f:1:11: a `,` is missing before this, or `}` of the `{` in line 1, column 4"),
        ('{\n  "a": "m"\n  "b": 1\n}\n', "f:3:3: a `,` is missing before this, or `}` of the `{` in line 1, column 1"),
        ("a: 1\nb: [x,\n", "f:2:4: the `[` is not closed; add `]`"),
        ("a: [1]]\n", "f:1:7: `]` belongs to nothing; remove it"),
        ("a: [,1]\n", "f:1:5: `,` stands where a value is missing"),
        ("a: b\nc: \x07d\n", "f:2:4: the character U+0007 is not allowed; remove it"),
    ],
)
def test_quotes_brackets_and_characters(text: str, message: str) -> None:
    assert fault_of(text).startswith(message)


def test_message_cuts_long_text_and_escapes_it() -> None:
    message = fault_of(f"name: x\n{'y' * 100}\nb: c\n")
    assert f"`{'y' * 30}...` has no `:`" in message
    assert "\\u202e" in fault_of("name: x\n\u202ey\nb: c\n")


@pytest.mark.parametrize("text", ["a" + " " * 60_000 + "\nb: c: d", "a: 1\n" * 9_000 + " b: 2", "[" + "a:" * 30_000])
def test_hostile_text_takes_no_time(text: str) -> None:
    assert len(text) < LARGEST
    began = time.monotonic()
    with pytest.raises(RecipeError):
        parse(text, "f")
    assert time.monotonic() - began < 10


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        (
            f"{BARE}scheme: int8\n",
            "6:1: unknown key `scheme`; it belongs below `quantization:`, with spaces in front of it",
        ),
        (f"{BARE}text: x\n", "6:1: unknown key `text`; it belongs below `calibration:` or `verify:`"),
        (
            "name: mine\nsource:\n  checkpoint: here\n  target:\n    device: cpu\n",
            "4:3: unknown key `source.target`; `target` belongs at the start of a line, without spaces in front of it",
        ),
        (f"{BARE}quantization:\n  scheme:\n", "7:3: `quantization.scheme:` has no value; write one, remove the key"),
        (f"{BARE}matrix:\n", "6:1: `matrix` is a mapping with at least one variant"),
        (
            f"{BARE}quantization:\n  scheme int8\n",
            "7:3: `quantization: scheme int8` must be a mapping; write `scheme: int8`",
        ),
        (
            f"{BARE}quantization:\n  scheme:int8\n",
            "7:3: `quantization: scheme:int8` must be a mapping; write `scheme: int8`",
        ),
        (
            f"{BARE}quantization: int8\n",
            "6:1: `quantization: int8` must be a mapping; did you mean `quantization: {scheme: int8}`?",
        ),
        (f"{BARE}benchmark: false\n", "6:1: `benchmark: false` must be a mapping; write `null` to leave it out"),
        (f"extends:\n{BARE}", "1:1: `extends` is the path of a recipe file, or a list of such paths"),
        (f"{BARE}verify:\n#  text: x\n", "6:1: `verify:` has no value; write one, remove the key"),
    ],
)
def test_keys_in_the_wrong_place_and_without_a_value(folder: object, text: str, fault: str) -> None:
    assert any(line.startswith(f"recipes/mine.yaml:{fault}") for line in faults(text))


def test_null_still_deletes(folder: object) -> None:
    (fault,) = faults(f"{GOOD}verify: null\nbenchmark: ~\nwrong: 1\n")
    assert fault.startswith("recipes/mine.yaml:10:1: unknown key `wrong`")
