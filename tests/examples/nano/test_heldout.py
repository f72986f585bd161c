"""The held-out text is frozen: figures that were measured on it stay comparable."""

import ast
import hashlib

from tests.workshop import ROOT

TEXT = ROOT / "examples/nano/heldout.txt"


def test_text_is_as_it_was() -> None:
    data = TEXT.read_bytes()
    assert len(data) >= 40_000
    assert hashlib.sha256(data).hexdigest() == "ccc472468574f7f1222de61e2dc558c68ab87414135d3e8795b31e3e8c75f273"


def test_text_is_python() -> None:
    assert len(ast.parse(TEXT.read_text()).body) > 100
