"""Reads the examples of docs/deploy.md."""

import re
from pathlib import Path

PAGE = Path(__file__).resolve().parents[1] / "docs/deploy.md"


def read_example(section: str, language: str) -> str:
    """Return the block in this language under the heading. Raises ValueError unless there is exactly one."""
    text = PAGE.read_text().partition(f"\n## {section}\n")[2].partition("\n## ")[0]
    (block,) = re.findall(rf"^```{language}\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)
    return str(block)
