"""What `gpt2forge inspect` says of the two kinds of source."""

import json

from tests.workshop import Workshop


def test_tf1_checkpoint_is_described(workshop: Workshop) -> None:
    found = json.loads(workshop.run("inspect", "examples/nano", "--json").stdout)
    assert found["layout"] == "tf1"
    assert found["parameters"] == 1_350_400
    assert found["config"]["n_layer"] == 4
    lines = workshop.run("inspect", "examples/nano").stdout.splitlines()
    assert lines[0].split() == ["layout", "tf1"]


def test_hugging_face_directory_is_described(workshop: Workshop) -> None:
    digest = workshop.report("nano-cpu-int8")["steps"][0]["digest"]
    found = json.loads(workshop.run("inspect", f"cache/artifacts/{digest}", "--json").stdout)
    assert found["layout"] == "huggingface"
    assert found["parameters"] == 1_350_400


def test_folder_that_is_no_checkpoint_is_one_line(workshop: Workshop) -> None:
    lines = workshop.run("inspect", "recipes", code=1).stderr.splitlines()
    assert len(lines) == 1
    assert lines[0].startswith("error: no checkpoint at `recipes`")
