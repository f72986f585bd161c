"""What the doctor makes of processors, quotas, memory, versions and disks."""

from pathlib import Path

import pytest

from gpt2forge.doctor.examine_disk import describe_disk, examine_disk, try_lock
from gpt2forge.doctor.examine_memory import choose_rows, describe_memory
from gpt2forge.doctor.examine_processor import describe_processor
from gpt2forge.doctor.examine_threads import describe_threads, find_quota
from gpt2forge.doctor.examine_versions import is_within, list_findings, list_needs, parse, split_need

QUIET = {"threads": 8, "cores": 4, "machine": 8, "quota": None, "load": 0.1}


@pytest.mark.parametrize(
    ("flags", "is_saturating", "vnni", "amx", "advice"),
    [
        ({"avx", "avx2", "avx512f", "avx512_vnni", "amx_int8"}, False, True, True, "gpt2forge/vnni"),
        ({"avx", "avx2", "avx_vnni"}, False, True, False, "gpt2forge/vnni"),
        ({"avx", "avx2"}, True, False, False, "products of int8 saturate here: keep to `extends: gpt2forge/cpu`"),
        ({"asimd", "asimddp", "i8mm"}, False, True, False, "products of int8 are exact"),
        (set(), False, False, False, "products of int8 are exact"),
    ],
)
def test_instructions_decide_the_recipe(
    flags: set[str], is_saturating: bool, vnni: bool, amx: bool, advice: str
) -> None:
    found = describe_processor(flags, is_saturating)
    assert (found.values["vnni"], found.values["amx"]) == (vnni, amx)
    assert advice in found.advice[0]


def test_processor_without_avx2_is_old() -> None:
    assert "there is no AVX2" in describe_processor({"avx"}, True).advice[1]


def test_quota_below_the_threads_is_slow_and_has_a_fix() -> None:
    (finding,) = describe_threads(**{**QUIET, "quota": 2.5}).findings  # type: ignore[arg-type]
    assert finding.kind == "slow" and "8 threads share a quota of 2.5 processors" in finding.what
    assert "taskset -c 0-1" in finding.fix and "`--threads 2`" in finding.fix
    assert describe_threads(**{**QUIET, "quota": 8.0}).findings == ()  # type: ignore[arg-type]


def test_affinity_is_told_and_load_is_slow() -> None:
    found = describe_threads(threads=2, cores=1, machine=8, quota=None, load=3.0)
    assert found.line.startswith("2 on 1 cores, of the machine's 8, by the affinity of this process, no quota")
    assert "keep about 3.0 processors busy" in found.findings[0].what


def test_least_quota_of_all_groups_is_found(tmp_path: Path) -> None:
    inner, outer = tmp_path / "a/b", tmp_path / "a"
    inner.mkdir(parents=True)
    (inner / "cpu.max").write_text("max 100000\n")
    (outer / "cpu.max").write_text("150000 100000\n")
    nowhere = tmp_path / "nowhere"
    assert find_quota(iter([inner, outer, tmp_path]), nowhere, tmp_path) == 1.5
    assert find_quota(iter([inner]), nowhere, tmp_path) is None


def test_quota_of_version_1_is_found(tmp_path: Path) -> None:
    group = tmp_path / "cgroup"
    group.write_text("5:memory:/x\n4:cpu,cpuacct:/docker/1\n")
    folder = tmp_path / "cpu,cpuacct/docker/1"
    folder.mkdir(parents=True)
    (folder / "cpu.cfs_quota_us").write_text("-1\n")
    (folder / "cpu.cfs_period_us").write_text("100000\n")
    assert find_quota(iter([]), group, tmp_path) is None
    (folder.parent / "cpu.cfs_quota_us").write_text("50000\n")
    (folder.parent / "cpu.cfs_period_us").write_text("100000\n")
    assert find_quota(iter([]), group, tmp_path) == 0.5


def test_bandwidth_bounds_a_token() -> None:
    found = describe_memory(total=64 * 10**9, free=32 * 10**9, speed=20.0)
    assert "at 20 GB/s, GPT-2 774M as int8 (786 MB) takes 39 ms a token at least" in found.advice[0]
    assert found.findings == ()
    slow = describe_memory(total=10**9, free=10**9, speed=2.0)
    assert [finding.kind for finding in slow.findings] == ["little", "slow"]
    assert describe_memory(total=10**10, free=10**9, speed=None).line.endswith("speed not measured without PyTorch")
    assert choose_rows(10**9) < choose_rows(10**10)


@pytest.mark.parametrize(
    ("version", "bounds", "fits"),
    [
        ("1.32.0", ">=1.32,<2", True),
        ("2.13.0+cpu", "==2.13.0", True),
        ("2.12.1", "==2.13.0", False),
        ("2.0", "<2,>=1.20", False),
        ("3.0.0rc1", ">=2.1,<3", False),
        ("1.9", ">=1.10", False),
        ("5", "", True),
    ],
)
def test_versions_are_compared_by_number(version: str, bounds: str, fits: bool) -> None:
    assert is_within(version, bounds) == fits
    assert parse("1.10.0") == (1, 10)


def test_versions_outside_the_bounds_and_missing_ones_have_a_fix() -> None:
    found = {"onnxruntime": "1.20.0", "torch": None, "numpy": "2.2"}
    missing, wrong = list_findings(found, ["onnxruntime<2,>=1.32", "numpy>=2.1,<3", "torch==2.13.0; extra == 'torch'"])
    assert missing.fix == "`pip install 'gpt2forge[torch]'`" and "nothing is measured" in missing.what
    assert wrong.what == "onnxruntime 1.20.0: gpt2forge needs <2,>=1.32"
    assert split_need("gpt2forge[hub]; extra == 'torch'") == ("gpt2forge", "")
    assert any(need.startswith("onnxruntime") for need in list_needs())


def test_store_is_looked_at_without_being_made(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    found = examine_disk(Path("cache/deep"))
    assert found.values["bytes"] == 0 and found.values["free"] > 0
    assert list(tmp_path.iterdir()) == []
    assert try_lock(tmp_path / "gone") == "No such file or directory"


def test_little_disk_and_a_store_that_cannot_be_locked_are_told() -> None:
    found = describe_disk(Path("cache"), free=10**9, used=0, most=None, problem="Read-only file system")
    assert [finding.kind for finding in found.findings] == ["little", "wrong"]
    assert "only 1.0 GB are free where the store `cache` is" in found.findings[0].what
    assert "Read-only file system" in found.findings[1].what
