"""`build --quiet` and `build --verbose`."""

import re

from tests.workshop import Workshop


def test_quiet_build_shows_the_result_alone(workshop: Workshop) -> None:
    done = workshop.run("build", "nano-cpu-int8", "-q")
    assert done.stderr == ""
    assert done.stdout.startswith("build/nano-cpu-int8\nquality  not measured")


def test_quiet_build_shows_warnings_and_errors(workshop: Workshop) -> None:
    done = workshop.run("build", "nano-cpu-int8", "-q", "--set", "source.checkpoint=gone", "--name", "x", code=1)
    assert done.stderr.startswith("error: --set source.checkpoint=gone: no checkpoint at `gone`")


def test_verbose_build_shows_each_step_with_its_key_and_artifact(workshop: Workshop) -> None:
    done = workshop.run("build", "nano-cpu-int8", "nano-cpu-int8", "--verbose")
    lines = done.stderr.splitlines()
    for number, stage in enumerate(("convert", "export", "fuse", "quantize")):
        assert lines[2 * number].split() == ["reused", stage]
        assert re.fullmatch(r" +key [0-9a-f]{12}, artifact [0-9a-f]{12}", lines[2 * number + 1])


def test_both_contradict_each_other(workshop: Workshop) -> None:
    assert "contradict each other" in workshop.run("build", "nano-cpu-int8", "-q", "-v", code=1).stderr
