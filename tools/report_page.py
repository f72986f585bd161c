"""Writes the tables of docs/report.md from the schema of a report: `python -m tools.report_page`."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from gpt2forge.builder.report import make_report_schema

PAGE = Path("docs/report.md")
BEGIN, END = "<!-- generated: report -->\n", "<!-- end -->\n"
WORDS = {"string": "text", "number": "number", "integer": "whole number", "object": "object", "null": "null"}

Schema = Mapping[str, Any]


def write_report_page() -> str:
    """Return the generated part of the page: a table for the report and one for each of its parts."""
    schema = make_report_schema()
    titles = {"": ["the report"]}
    for name, path in list_places(schema, schema["$defs"], ""):
        titles.setdefault(name, []).append(f"`{path}`")
    parts = {"": schema, **schema["$defs"]}
    return "\n".join(write_part(", ".join(dict.fromkeys(paths)), parts[name]) for name, paths in titles.items())


def list_places(part: Schema, parts: Schema, path: str) -> Iterator[tuple[str, str]]:
    """Yield the name and the path of each part inside a part; `*` stands for fields that all hold the same part."""
    names = {key: find_part(field) for key, field in part["properties"].items()}
    is_uniform = len(names) > 1 and len(set(names.values())) == 1
    for key, name in names.items():
        if name:
            place = f"{path}{'*' if is_uniform else key}{'[]' if holds_list(part['properties'][key]) else ''}"
            yield name, place
            yield from list_places(parts[name], parts, f"{place}.")


def holds_list(field: Schema) -> bool:
    return any(choice.get("type") == "array" for choice in (field, *field.get("anyOf", ())))


def find_part(field: Schema) -> str:
    """Return the name of the part that a field holds, itself or in a list; nothing if it holds a plain value."""
    if "$ref" in field:
        return str(field["$ref"]).rpartition("/")[2]
    inner = [*field.get("anyOf", ()), *([field["items"]] if isinstance(field.get("items"), dict) else [])]
    return next((name for each in inner if (name := find_part(each))), "")


def write_part(title: str, part: Schema) -> str:
    """Return the heading, the purpose and the table of a part."""
    rows = [
        f"| `{key}` | {describe_type(field)} | {field['description']} |" for key, field in part["properties"].items()
    ]
    heading = f"### {title[:1].upper()}{title[1:]}"
    purpose = " ".join(part["description"].split())
    return "\n".join([heading, "", purpose, "", "| field | type | meaning |", "|---|---|---|", *rows, ""])


def describe_type(field: Schema) -> str:
    """Return the type of a field in words."""
    if "anyOf" in field:
        return " or ".join(describe_type(choice) for choice in field["anyOf"])
    if "const" in field:
        return f"`{field['const']}`"
    if "enum" in field:
        return ", ".join(f"`{value}`" for value in field["enum"])
    if "prefixItems" in field:
        return f"list of {len(field['prefixItems'])} numbers"
    if field.get("type") == "array":
        return f"list of {describe_type(field['items'])}s"
    return WORDS[field.get("type", "object")]


def fill_page(page: str) -> str:
    """Return the page with its generated part written again."""
    before, _, rest = page.partition(BEGIN)
    _, _, after = rest.partition(END)
    return f"{before}{BEGIN}\n{write_report_page()}\n{END}{after}"


if __name__ == "__main__":
    PAGE.write_text(fill_page(PAGE.read_text(encoding="utf-8")), encoding="utf-8")
