"""The page's cluster of SLURM jobs, without SLURM: `sbatch` is a script that starts a job on this machine."""

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path

import pytest

from tests.cluster.clusters import PATIENCE, wait_until
from tests.cluster.matrix import EACH_ONCE, count_steps, make_matrix
from tests.workshop import ROOT

pytestmark = [
    pytest.mark.slow,
    pytest.mark.usefixtures("with_clusters"),
    # It is not imported here: it would take over SIGINT for all tests of this process.
    pytest.mark.skipif(find_spec("dask_jobqueue") is None, reason="needs dask-jobqueue"),
]

SBATCH = """\
#!/bin/sh
cp "$1" "$JOBS/$$.sh"
setsid bash "$JOBS/$$.sh" >"$JOBS/$$.log" 2>&1 </dev/null &
echo "Submitted batch job $!" | tee -a "$JOBS/submitted"
"""
SCANCEL = """\
#!/bin/sh
kill -- "-$1"
"""


def read_block() -> str:
    """Return the code of the page, with a free port and few jobs."""
    (block,) = re.findall(r"```python\n(.*?)```", (ROOT / "docs/cluster.md").read_text(encoding="utf-8"), re.DOTALL)
    changed = block.replace("8786", "0").replace("maximum_jobs=20", "maximum_jobs=2")
    assert changed.count("maximum_jobs=2)") == changed.count('"port": 0') == 1
    return str(changed)


@contextmanager
def start_page(folder: Path) -> Iterator[str]:
    """Run the code of the page until the end of the test, and yield the address that it prints."""
    for name, text in (("sbatch", SBATCH), ("scancel", SCANCEL)):
        (folder / name).write_text(text)
        (folder / name).chmod(0o755)
    variables = {
        **os.environ,
        "PATH": f"{folder}{os.pathsep}{os.environ['PATH']}",
        "PYTHONPATH": str(ROOT),
        "JOBS": str(folder),
    }
    pipe = subprocess.PIPE
    command = [sys.executable, "-c", read_block()]
    with subprocess.Popen(command, cwd=folder, env=variables, stdin=pipe, stdout=pipe) as process:
        assert process.stdout is not None
        try:
            yield os.read(process.stdout.fileno(), 100).decode()
        finally:
            process.communicate(b"\n", timeout=PATIENCE)
    assert process.returncode == 0


def list_jobs(folder: Path) -> list[int]:
    """List the jobs that run."""
    submitted = [int(line.split()[-1]) for line in (folder / "submitted").read_text().splitlines()]
    return [pid for pid in submitted if Path(f"/proc/{pid}").exists()]


def test_jobs_of_the_page_build_a_matrix(tmp_path: Path) -> None:
    matrix, jobs = make_matrix(tmp_path / "here"), tmp_path / "jobs"
    jobs.mkdir()
    with start_page(jobs) as address:
        events = matrix.build("--cluster", address)
        assert list_jobs(jobs)
    assert count_steps(events, "step_finished") == EACH_ONCE
    wait_until(lambda: not list_jobs(jobs))
