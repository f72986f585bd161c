"""Tests what a build says when it has no cluster."""

import sys

import pytest

from gpt2forge.cluster.open_cluster import find_usual, open_cluster
from gpt2forge.errors import UserError
from gpt2forge.plan.machine import Machine
from tests.workshop import Workshop


def test_missing_library_is_named_with_its_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "distributed", None)
    monkeypatch.delitem(sys.modules, "gpt2forge.cluster.dask_backend", raising=False)
    with pytest.raises(UserError) as error, open_cluster("tcp://127.0.0.1:9", lambda line: None):
        pass
    assert str(error.value) == "`--cluster`: needs distributed: pip install 'gpt2forge[cluster]'"


def test_jobs_of_this_machine_contradict_a_cluster(workshop: Workshop) -> None:
    done = workshop.run("build", "nano-cpu-int8", "--jobs", "2", "--cluster", "tcp://127.0.0.1:9", code=1)
    assert done.stderr == (
        "error: `--jobs` is for steps on this machine; leave it out, the workers of `--cluster` decide\n"
    )


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--exchange", "x"], "`--exchange` is for the workers of a cluster; name it with `--cluster`"),
        (
            ["--exchange", "read-only:/x", "--cluster", "tcp://127.0.0.1:9"],
            "`--exchange read-only:/x`: is written to; leave out `read-only:`",
        ),
    ],
)
def test_wrong_exchange_is_one_line(workshop: Workshop, words: list[str], message: str) -> None:
    assert workshop.run("build", "nano-cpu-int8", *words, code=1).stderr == f"error: {message}\n"


def test_most_workers_decide_which_machine_enters_the_keys() -> None:
    one, other = (Machine({"threads": count}, "kind", f"{count} threads") for count in (4, 8))
    assert find_usual([one, other, other]) == other
