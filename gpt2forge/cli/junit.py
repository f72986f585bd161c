"""JUnit's XML, which CI systems show as tests: of each result its verdict, and each condition that it must not meet.

The format: https://github.com/testmoapp/junitxml
"""

from collections.abc import Iterable
from xml.etree import ElementTree

from gpt2forge.cli.cases import Case
from gpt2forge.terminal_text import escape_line


def format_junit(cases: Iterable[Case]) -> str:
    """Return the XML of cases. XML has no control characters, so they are escaped."""
    listed = list(cases)
    counts = {
        "tests": len(listed),
        "failures": sum(case.failure is not None for case in listed),
        "skipped": sum(case.skipped is not None for case in listed),
    }
    attributes = {"name": "gpt2forge compare", **{name: str(number) for name, number in counts.items()}}
    suites = ElementTree.Element("testsuites", attributes)
    suite = ElementTree.SubElement(suites, "testsuite", {**attributes, "errors": "0"})
    for case in listed:
        add_case(suite, case)
    ElementTree.indent(suites)
    return f'<?xml version="1.0" encoding="utf-8"?>\n{ElementTree.tostring(suites, encoding="unicode")}\n'


def add_case(suite: ElementTree.Element, case: Case) -> None:
    """Add the element of a case."""
    names = {"classname": escape_line(case.result), "name": escape_line(case.name)}
    element = ElementTree.SubElement(suite, "testcase", names)
    for tag, message in (("failure", case.failure), ("skipped", case.skipped)):
        if message is not None:
            ElementTree.SubElement(element, tag, {"message": escape_line(message)})
