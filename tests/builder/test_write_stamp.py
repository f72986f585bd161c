"""The files that a stamp compares for each tool; tests/test_stamp.py has the rest."""

import pytest

from gpt2forge.builder.write_stamp import find_metadata


def test_tool_that_is_not_installed_leaves_no_stamp_and_is_no_bug() -> None:
    with pytest.raises(ValueError, match="no-such-tool is not installed"):
        find_metadata("no-such-tool")


def test_metadata_of_an_installed_tool_are_found() -> None:
    folder, metadata = find_metadata("onnx-ir")
    assert folder.is_dir() and metadata.is_file()
