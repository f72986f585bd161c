"""Files that people take for a checkpoint are named, with what to do; the libraries that make them wrote them."""

import json
import tarfile
import zipfile
from pathlib import Path

import onnx
import pytest

from gpt2forge.checkpoint.convert_checkpoint import read_checkpoint
from gpt2forge.checkpoint.detect import find_checkpoint
from gpt2forge.errors import UserError
from tests.checkpoint.tiny import DATA

SAVE = "`model.save_pretrained(folder)` and `tokenizer.save_pretrained(folder)`"
WITHOUT = (
    "start from the model before that, in float32, float16 or bfloat16: `quantization:` of the recipe quantizes it"
)
POINTER = """version https://git-lfs.github.com/spec/v1
oid sha256:248dfc3911869ec493c76e65bf2fcf7f615828b0254c12b473182f0f81d3a707
size 548105171
"""
"""As `git lfs pointer --file=model.safetensors` prints it."""


def refusal(path: Path) -> str:
    with pytest.raises(UserError) as error:
        read_checkpoint(find_checkpoint(path))
    assert "\n" not in str(error.value)
    return str(error.value)


@pytest.mark.parametrize("name", ["model.safetensors", "tokenizer.json"])
def test_git_lfs_pointer_is_named(tmp_path: Path, name: str) -> None:
    for each in ("config.json", "model.safetensors", "tokenizer.json"):
        (tmp_path / each).write_text("{}")
    (tmp_path / name).write_text(POINTER)
    assert refusal(tmp_path) == (
        f"{tmp_path / name}: a pointer of Git LFS, and not the file itself; run `git lfs pull` in {tmp_path}"
    )


def test_git_lfs_pointer_among_the_files_of_tensorflow_is_named(tmp_path: Path) -> None:
    for path in (DATA / "openai").iterdir():
        (tmp_path / path.name).write_bytes(path.read_bytes())
    (tmp_path / "model.ckpt.data-00000-of-00001").write_text(POINTER)
    assert "model.ckpt.data-00000-of-00001: a pointer of Git LFS" in refusal(tmp_path)


def test_git_lfs_pointer_that_is_not_read_does_not_matter(tmp_path: Path) -> None:
    for path in (DATA / "openai").iterdir():
        (tmp_path / path.name).write_bytes(path.read_bytes())
    (tmp_path / "tf_model.h5").write_text(POINTER)
    assert len(read_checkpoint(find_checkpoint(tmp_path))[1].tensors) == 136


@pytest.mark.parametrize("above", [True, False])
@pytest.mark.parametrize("name", ["gpt2.zip", "checkpoint_run1.tar", "model.tar.gz", "model.TGZ"])
def test_archive_is_named_with_the_command_that_unpacks_it(tmp_path: Path, name: str, above: bool) -> None:
    path = tmp_path / name
    if name.endswith("zip"):
        with zipfile.ZipFile(path, "w") as archive:
            archive.write(DATA / "openai/hparams.json", "hparams.json")
    else:
        with tarfile.open(path, "w" if name.endswith("tar") else "w:gz") as archive:
            archive.add(DATA / "run1", "checkpoint/run1")
    what, command = ("a zip", "unzip FILE -d FOLDER") if "zip" in name else ("a tar", "tar -xf FILE -C FOLDER")
    assert refusal(tmp_path if above else path) == (
        f"{path}: {what} archive; unpack it and name the folder: `mkdir FOLDER && {command}`"
    )


@pytest.mark.parametrize("beside", [True, False])
def test_exported_model_is_named(tmp_path: Path, beside: bool) -> None:
    value = onnx.helper.make_tensor_value_info("ids", onnx.TensorProto.INT64, [1])
    node = onnx.helper.make_node("Identity", ["ids"], ["same"])
    same = onnx.helper.make_tensor_value_info("same", onnx.TensorProto.INT64, [1])
    onnx.save(onnx.helper.make_model(onnx.helper.make_graph([node], "g", [value], [same])), tmp_path / "model.onnx")
    if beside:
        (tmp_path / "config.json").write_text('{"model_type": "gpt2"}')
        (tmp_path / "tokenizer.json").write_text("{}")
    expected = (
        f"{tmp_path}: holds `model.onnx`, a model that is exported to ONNX already; "
        f"name the folder that it was exported from, which {SAVE} wrote"
    )
    assert refusal(tmp_path) == refusal(tmp_path / "model.onnx") == expected


@pytest.mark.parametrize(
    ("name", "what"),
    [
        ("latest_checkpointed_iteration.txt", "a checkpoint of Megatron-LM; convert it with"),
        ("model_optim_rng.pt", "a checkpoint of Megatron-LM; convert it with"),
        ("zero_to_fp32.py", "a checkpoint of DeepSpeed; let its `zero_to_fp32.py` write"),
        ("mp_rank_00_model_states.pt", "a checkpoint of DeepSpeed; let its"),
        ("saved_model.pb", "a TensorFlow SavedModel, which is a program"),
        ("openvino_model.xml", "a model in the form of one runtime"),
        ("64.tflite", "a model in the form of one runtime"),
        ("epoch=3-step=100.ckpt", "a checkpoint of PyTorch Lightning, or of another program for training; load it"),
        ("best_model.pt", "a checkpoint of PyTorch Lightning, or of another program for training; load it with"),
    ],
)
@pytest.mark.parametrize("beside", [True, False])
def test_files_of_other_programs_are_named(tmp_path: Path, name: str, what: str, beside: bool) -> None:
    (tmp_path / name).write_bytes(b"\x80\x02}q\x00.")
    if beside:
        (tmp_path / "config.json").write_text('{"model_type": "gpt2"}')
    assert refusal(tmp_path).startswith(f"{tmp_path}: holds `{name}`, {what}")


def test_files_of_other_programs_are_named_from_above(tmp_path: Path) -> None:
    below = tmp_path / "release/mp_rank_00"
    below.mkdir(parents=True)
    (below / "model_optim_rng.pt").write_bytes(b"")
    assert refusal(tmp_path).startswith(f"{below}: holds `model_optim_rng.pt`, a checkpoint of Megatron-LM")


def test_files_of_other_programs_beside_a_checkpoint_do_not_matter(tmp_path: Path) -> None:
    for path in (DATA / "openai").iterdir():
        (tmp_path / path.name).write_bytes(path.read_bytes())
    for name in ("model.onnx", "zero_to_fp32.py", "old.zip"):
        (tmp_path / name).write_bytes(b"")
    assert find_checkpoint(tmp_path).format.name == "tf1"
    (tmp_path / "vocab.bpe").unlink()
    assert "`vocab.bpe` missing" in refusal(tmp_path)


@pytest.mark.parametrize(
    ("config", "shown"),
    [
        ("GPTJConfig", "model_type is `gptj`, GPT-J; only"),
        ("GPTNeoConfig", "model_type is `gpt_neo`, GPT-Neo; only"),
        ("GPTNeoXConfig", "model_type is `gpt_neox`, GPT-NeoX; only"),
        ("LlamaConfig", "model_type is `llama`, Llama; only"),
        ("OPTConfig", "model_type is `opt`, OPT; only"),
        ("MambaConfig", "model_type is `mamba`; only"),
    ],
)
@pytest.mark.parametrize("complete", [True, False])
def test_other_architecture_is_named_from_the_config_that_transformers_writes(
    tmp_path: Path, config: str, shown: str, complete: bool
) -> None:
    transformers = pytest.importorskip("transformers")
    getattr(transformers, config)().save_pretrained(tmp_path)
    if complete:
        for name in ("model.safetensors", "tokenizer.json"):
            (tmp_path / name).write_text("{}")
    assert refusal(tmp_path) == (
        f"{tmp_path / 'config.json'}: {shown} `gpt2` can be built; `optimum-cli export onnx --model FOLDER OUT` may "
        "export it"
    )


@pytest.mark.parametrize("complete", [True, False])
def test_decoder_of_an_image_encoder_is_named(tmp_path: Path, complete: bool) -> None:
    transformers = pytest.importorskip("transformers")
    parts = transformers.ViTConfig(), transformers.GPT2Config(add_cross_attention=True)
    transformers.VisionEncoderDecoderConfig.from_encoder_decoder_configs(*parts).save_pretrained(tmp_path)
    if complete:
        for name in ("model.safetensors", "tokenizer.json"):
            (tmp_path / name).write_text("{}")
    assert refusal(tmp_path) == (
        f"{tmp_path / 'config.json'}: model_type is `vision-encoder-decoder`, an image encoder and a decoder that depends "
        "on it; only a `gpt2` that stands alone can be built; `optimum-cli export onnx --model FOLDER OUT` may export it"
    )


@pytest.mark.parametrize(("method", "name"), [("gptq", "GPTQ"), ("awq", "AWQ"), ("bitsandbytes", "bitsandbytes")])
def test_quantized_weights_are_named_from_the_config_that_transformers_writes(
    tmp_path: Path, method: str, name: str
) -> None:
    transformers = pytest.importorskip("transformers")
    config = transformers.GPT2Config()
    config.quantization_config = {
        "gptq": lambda: transformers.GPTQConfig(bits=4, dataset="c4"),
        "awq": transformers.AwqConfig,
        "bitsandbytes": lambda: transformers.BitsAndBytesConfig(load_in_8bit=True),
    }[method]().to_dict()
    config.save_pretrained(tmp_path)
    for each in ("model.safetensors", "tokenizer.json"):
        (tmp_path / each).write_text("{}")
    assert refusal(tmp_path) == f"{tmp_path / 'config.json'}: the weights are quantized by {name}; {WITHOUT}"


def test_weights_of_autogptq_are_named(tmp_path: Path) -> None:
    """AutoGPTQ before version 0.6 described its weights in quantize_config.json alone."""
    (tmp_path / "config.json").write_text('{"model_type": "gpt2"}')
    (tmp_path / "quantize_config.json").write_text(json.dumps({"bits": 4, "group_size": 128, "desc_act": False}))
    (tmp_path / "gptq_model-4bit-128g.safetensors").write_text("")
    assert refusal(tmp_path) == f"{tmp_path / 'quantize_config.json'}: the weights are quantized by GPTQ; {WITHOUT}"
