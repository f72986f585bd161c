"""pytorch_model.bin, one file or several, as transformers before version 5 wrote it: a state_dict through torch.save."""

import json
import os
import pickle
import subprocess
import sys
import tempfile
import tracemalloc
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

pytest.importorskip("torch")

import torch

from gpt2forge.checkpoint.convert_checkpoint import convert_checkpoint
from gpt2forge.checkpoint.detect import find_checkpoint
from gpt2forge.checkpoint.pytorch_file import load_pytorch
from gpt2forge.errors import UserError
from tests.checkpoint.huggingface_writer import make_model, make_tokenizer
from tests.checkpoint.test_damage import damage, load_once, read_damaged
from tests.checkpoint.test_read_huggingface import assert_holds, load, refusal

BIN, WTE, HEAD = "pytorch_model.bin", "transformer.wte.weight", "lm_head.weight"


def write_bin(folder: Path, state: Any, *, old: bool = False, **config: Any) -> Path:
    """Write a directory with a state_dict, through the zip archive of today or through the pickles before 1.6."""
    folder.mkdir(parents=True, exist_ok=True)
    make_model(**config).config.save_pretrained(folder)
    make_tokenizer().save_pretrained(folder)
    torch.save(state, folder / BIN, _use_new_zipfile_serialization=not old)
    return folder


def write_shards(folder: Path, state: dict[str, Any], count: int) -> None:
    """Write a state_dict as transformers 4 wrote it with `max_shard_size`."""
    write_bin(folder, {})
    (folder / BIN).unlink()
    owners = {name: f"pytorch_model-{number % count + 1:05}-of-{count:05}.bin" for number, name in enumerate(state)}
    for shard in set(owners.values()):
        torch.save({name: state[name].clone() for name in state if owners[name] == shard}, folder / shard)
    (folder / f"{BIN}.index.json").write_text(json.dumps({"metadata": {"total_size": 1}, "weight_map": owners}))


@pytest.mark.parametrize("old", [False, True])
@pytest.mark.parametrize("outer", ["", "module."])
def test_state_dict_comes_out_bit_for_bit(tmp_path: Path, old: bool, outer: str) -> None:
    model = make_model()
    state = {outer + name: values for name, values in model.state_dict().items()}  # its head shares the embedding
    assert_holds(write_bin(tmp_path, state, old=old), model)


@pytest.mark.parametrize("old", [False, True])
def test_head_of_its_own_is_kept(tmp_path: Path, old: bool) -> None:
    model = make_model(tie_word_embeddings=False)
    assert_holds(write_bin(tmp_path, model.state_dict(), old=old, tie_word_embeddings=False), model)
    assert load(tmp_path).config.tied is False


def test_shards_come_out_bit_for_bit(tmp_path: Path) -> None:
    write_shards(tmp_path, make_model().state_dict(), 3)
    found = find_checkpoint(tmp_path)
    assert found.weights == tuple(f"pytorch_model-0000{number}-of-00003.bin" for number in (1, 2, 3))
    assert "pytorch_model.bin.index.json" in found.files
    assert_holds(tmp_path, make_model())


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
@pytest.mark.parametrize("old", [False, True])
def test_narrow_types_are_widened_exactly(tmp_path: Path, dtype: torch.dtype, old: bool) -> None:
    model = make_model().to(dtype)
    assert_holds(write_bin(tmp_path, model.state_dict(), old=old), model)


def test_old_masks_and_names_without_prefix_are_understood(tmp_path: Path) -> None:
    model = make_model()
    state = {name.removeprefix("transformer."): values for name, values in model.state_dict().items()}
    state["h.0.attn.bias"] = torch.tril(torch.ones(8, 8, dtype=torch.uint8))[None, None]
    state["h.1.attn.masked_bias"] = torch.tensor(-1e4)
    assert_holds(write_bin(tmp_path, state), model)
    assert {(tensor.name, tensor.dtype) for tensor in load(tmp_path).left_out} == {
        ("h.0.attn.bias", "U8"), ("h.1.attn.masked_bias", "F32"),
    }  # fmt: skip


@pytest.mark.parametrize("old", [False, True])
def test_transposed_and_shared_storages_and_parameters_are_read(tmp_path: Path, old: bool) -> None:
    model = make_model()
    state: dict[str, Any] = {name: torch.nn.Parameter(values) for name, values in model.state_dict().items()}
    name = "transformer.h.0.mlp.c_fc.weight"
    state[name] = state[name].detach().t().contiguous().t()
    both = torch.cat((state["transformer.ln_f.weight"], state["transformer.ln_f.bias"])).detach()
    state |= {"transformer.ln_f.weight": both[:8], "transformer.ln_f.bias": both[8:]}
    assert_holds(write_bin(tmp_path, state, old=old), model)


def test_safetensors_come_first(tmp_path: Path) -> None:
    write_bin(tmp_path, {})
    make_model().save_pretrained(tmp_path)
    assert find_checkpoint(tmp_path).weights == ("model.safetensors",)
    assert BIN in find_checkpoint(tmp_path).ignored


class Attack:
    """Runs a command when an ordinary unpickler opens it."""

    def __reduce__(self) -> Any:
        return os.system, (f"touch {tempfile.gettempdir()}/was-run",)


@pytest.mark.parametrize("old", [False, True])
def test_pickle_that_would_run_a_command_is_refused_and_not_run(tmp_path: Path, old: bool) -> None:
    trace = Path(tempfile.gettempdir()) / "was-run"
    trace.unlink(missing_ok=True)
    write_bin(tmp_path, {**make_model().state_dict(), "h.9.gate": Attack()}, old=old)
    assert refusal(tmp_path) == (
        f"{tmp_path / BIN}: its pickle names `posix.system`, which is neither a tensor nor a plain value, so nothing "
        "of it was run; save the weights alone: `torch.save(model.state_dict(), path)`"
    )
    (tmp_path / BIN).write_bytes(pickle.dumps(Attack(), protocol=2))
    assert "names `posix.system`" in refusal(tmp_path)
    assert not trace.exists()


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ([torch.ones(2)], "holds a `list`, not tensors by their names; save `model.state_dict()` there"),
        ({"state_dict": {WTE: torch.ones(2)}}, "holds the tensors inside `state_dict`"),
        ({WTE: torch.ones(2).to_sparse()}, f"`{WTE}` is no tensor that can be read"),
        ({WTE: torch.ones(260, 8, dtype=torch.int32)}, "`transformer.wpe.weight` [8, 8] is missing"),
        ({WTE: torch.ones(1).expand(260, 8)}, None),
        ({WTE: torch.zeros(0, 8)}, "it is empty or larger than its storage"),
    ],
)
def test_other_values_are_refused_by_name(tmp_path: Path, value: Any, message: str | None) -> None:
    write_bin(tmp_path, value)
    found = refusal(tmp_path)
    assert "\n" not in found
    assert (message or "is missing") in found


def test_integer_weights_are_refused(tmp_path: Path) -> None:
    state = make_model().state_dict()
    write_bin(tmp_path, state | {WTE: state[WTE].to(torch.int32)})
    assert refusal(tmp_path) == (
        f"{tmp_path / BIN}: `{WTE}` is of type `int32`; only `F32`, `F16`, `BF16`, `F64` can be read"
    )


def test_compressed_archive_is_refused(tmp_path: Path) -> None:
    path = write_bin(tmp_path, make_model().state_dict()) / BIN
    with zipfile.ZipFile(path) as archive:
        records = {name: archive.read(name) for name in archive.namelist()}
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, record in records.items():
            archive.writestr(name, record)
    assert "its records are compressed" in refusal(tmp_path)


def test_record_that_claims_more_than_the_file_holds_takes_no_memory(tmp_path: Path) -> None:
    path = write_bin(tmp_path, make_model().state_dict()) / BIN
    content = bytearray(path.read_bytes())
    entry = content.rindex(b"PK\x01\x02", 0, content.rindex(b"/version"))  # in the directory at the end
    content[entry + 24 : entry + 28] = (0xFFFFFFFE).to_bytes(4, "little")  # the size
    path.write_bytes(content)
    assert "a record in it claims to be longer than the file" in refusal(tmp_path)


def test_without_pytorch_one_line_says_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_bin(tmp_path, make_model().state_dict())
    monkeypatch.setitem(sys.modules, "torch", None)
    assert find_checkpoint(tmp_path).weights == (BIN,)
    assert refusal(tmp_path) == (
        f"{tmp_path / BIN}: is read with PyTorch, which is not installed: pip install 'gpt2forge[torch]'"
    )


@pytest.fixture(scope="module", params=[False, True])
def folder(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    yield write_bin(tmp_path_factory.mktemp("bin"), make_model().state_dict(), old=request.param)


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_damaged_file_ends_in_one_line(folder: Path, data: st.DataObject) -> None:
    path = folder / BIN
    content = path.read_bytes()
    found = read_damaged(folder, path, damage(content, data))
    # Neither form has checksums that PyTorch checks: a changed weight is another weight.
    assert isinstance(found, str) or found.keys() == load_once(folder).keys()


PROGRAM = """
import os, re, sys
from pathlib import Path
import torch
from transformers import AutoTokenizer, PreTrainedTokenizerFast
from gpt2forge.checkpoint.convert_checkpoint import convert_checkpoint

def measure():
    return 1024 * int(re.search(r"RssAnon:\\s+(\\d+)", Path("/proc/self/status").read_text())[1])

for folder in map(Path, sys.argv[1:]):
    if os.fork():
        assert os.wait()[1] == 0
        continue
    most, before = 0, measure()
    def report(done, total):
        global most
        most = max(most, measure() - before)
    convert_checkpoint(folder / "in", folder / "out", report)
    print(most, flush=True)
    os._exit(0)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_weights_are_never_in_memory_as_a_whole(tmp_path: Path) -> None:
    state = make_model().state_dict()
    state[WTE] = state[HEAD] = torch.rand(500_000, 8)  # the head is compared with the embedding
    folders = [tmp_path / "old", tmp_path / "new"]
    for folder in folders:
        write_bin(folder / "in", state, old=folder.name == "old", vocab_size=500_000)
        (folder / "out").mkdir()
        assert (folder / "in" / BIN).stat().st_size > 16_000_000
    command = [sys.executable, "-c", PROGRAM, *folders]
    done = subprocess.run(command, capture_output=True, check=True, text=True)
    most = [int(line) for line in done.stdout.splitlines()]
    assert len(most) == 2 and max(most) < 6_000_000


def test_result_is_what_the_same_weights_give_in_safetensors(tmp_path: Path) -> None:
    model = make_model()
    write_bin(tmp_path / "bin", model.state_dict())
    write_bin(tmp_path / "safetensors", {})
    (tmp_path / "safetensors" / BIN).unlink()
    model.save_pretrained(tmp_path / "safetensors")
    (tmp_path / "safetensors" / "generation_config.json").unlink()
    for name in ("bin", "safetensors"):
        (tmp_path / f"{name}-out").mkdir()
        convert_checkpoint(tmp_path / name, tmp_path / f"{name}-out")
    made = {path.name: path.read_bytes() for path in (tmp_path / "bin-out").iterdir()}
    assert made == {path.name: path.read_bytes() for path in (tmp_path / "safetensors-out").iterdir()}


@pytest.mark.parametrize("key", ["state_dict", "model", "module", "model_state_dict", "generator"])
def test_tensors_inside_another_mapping_are_refused_with_the_way_on(tmp_path: Path, key: str) -> None:
    """PyTorch Lightning, DeepSpeed and others keep them beside what their training needs."""
    saved = {"epoch": 3, "optimizer": {"state": {}}, key: make_model().state_dict()}
    message = refusal(write_bin(tmp_path, saved))
    command = f"torch.save(torch.load('pytorch_model.bin')['{key}'], 'pytorch_model.bin')"
    assert message == (
        f"{tmp_path / 'pytorch_model.bin'}: holds the tensors inside `{key}`, as a program for training saves them; "
        f"write them alone: `{command}`"
    )
    torch.save(torch.load(tmp_path / "pytorch_model.bin")[key], tmp_path / "pytorch_model.bin")
    assert_holds(tmp_path, make_model())


def test_shards_without_an_index_are_read_if_all_are_there(tmp_path: Path) -> None:
    write_shards(tmp_path, make_model().state_dict(), 3)
    (tmp_path / "pytorch_model.bin.index.json").unlink()
    assert_holds(tmp_path, make_model())
    (tmp_path / "pytorch_model-00002-of-00003.bin").unlink()
    assert refusal(tmp_path) == (
        f"{tmp_path}: `pytorch_model-00002-of-00003.bin` is missing; is the download complete?"
    )


def test_text_that_claims_gigabytes_takes_no_memory(tmp_path: Path) -> None:
    """A pickle of a file before PyTorch 1.6 says how long a text in it is."""
    path = tmp_path / "pytorch_model.bin"
    path.write_bytes(b"\x80\x02X" + (1 << 31).to_bytes(4, "little") + b"abc")
    tracemalloc.start()
    try:
        with pytest.raises(UserError, match="damaged"):
            load_pytorch(path)
        assert tracemalloc.get_traced_memory()[1] < 1 << 20
    finally:
        tracemalloc.stop()
