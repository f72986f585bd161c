"""Writes HTML and SVG elements. Every text is escaped: names, values and texts come from files of any origin."""

import html

from gpt2forge.terminal_text import escape

Attribute = str | float | int | bool | None
VOID = {"meta", "br"}
"""The elements that have no end."""


def text(value: object) -> str:
    """Return a text as HTML; control characters, and those that hide or turn what follows, are escapes."""
    return html.escape(escape(str(value)), quote=True)


def element(tag: str, /, *content: str, **attributes: Attribute) -> str:
    """Return an element around content, which is HTML already.

    `data_value` is the attribute `data-value`, `class_` is `class`; None and False are left out, True has no value.
    """
    given = {key: value for key, value in attributes.items() if value is not None and value is not False}
    written = "".join(format_attribute(key, value) for key, value in given.items())
    return f"<{tag}{written}>" if tag in VOID else f"<{tag}{written}>{''.join(content)}</{tag}>"


def format_attribute(key: str, value: Attribute) -> str:
    name = key.rstrip("_").replace("_", "-")
    return f" {name}" if value is True else f' {name}="{text(format_value(value))}"'


def format_value(value: Attribute) -> str:
    """Format a number with as many digits as a page of pixels needs."""
    return f"{value:.2f}".rstrip("0").rstrip(".") if isinstance(value, float) else str(value)


def make_table(caption: str, titles: list[str], rows: list[list[str]]) -> str:
    """Return a table that can be scrolled by keyboard. The cells are HTML; the first of each row is its heading."""
    head = element("tr", *(element("th", title, scope="col") for title in titles))
    body = [element("tr", element("th", first, scope="row"), *rest) for first, *rest in rows]
    table = element("table", element("caption", text(caption)), element("thead", head), element("tbody", *body))
    return element("div", table, class_="scroll", role="region", tabindex="0", aria_label=caption)


def cell(shown: object, **attributes: Attribute) -> str:
    """Return a cell of a table that shows a text."""
    return element("td", text(shown), **attributes)
