"""The machine and the versions that the numbers were measured with."""

import os
import platform
import re
from importlib.metadata import version
from pathlib import Path
from typing import Any

import psutil

from gpt2forge.measure.host import read_cpuinfo
from gpt2forge.processors import count_threads

TOOLS = ("numpy", "onnx", "onnxruntime", "torch", "transformers")
PEERS = {
    "optimum": ("optimum", "optimum-onnx", "transformers"),
    "exporter": ("onnxscript",),
    "ctranslate2": ("ctranslate2",),
    "llamacpp": ("llama-cpp-python",),
    "openvino": ("openvino", "nncf", "optimum-intel", "transformers"),
}
INT8_FLAGS = ("avx2", "avx512_vnni", "avx_vnni", "amx_int8")
PIN = re.compile(r"^([\w.-]+)==(\S+)", re.MULTILINE)
HERE = Path(__file__).resolve().parent


def describe_host() -> dict[str, Any]:
    return {
        "processor": name_processor(),
        "threads": count_threads(),
        "load_before": os.getloadavg()[0],
        "memory_bytes": psutil.virtual_memory().total,
        "system": f"{platform.system()} {platform.machine()}, Python {platform.python_version()}",
        "versions": {**{tool: version(tool) for tool in TOOLS}, **read_pins()},
    }


def read_pins() -> dict[str, str]:
    """Return the versions in the environments of peers, as their requirements pin them."""
    found: dict[str, str] = {}
    for folder, tools in PEERS.items():
        texts = [path.read_text() for path in sorted((HERE / "peers" / folder).glob("*.txt"))]
        pins = dict(PIN.findall("\n".join(texts)))
        found |= {tool if folder == tool or tool not in TOOLS else f"{tool} for {folder}": pins[tool] for tool in tools}
    return found


def name_processor() -> str:
    """Return the processor's name, and the instructions for int8 that it has."""
    facts = read_cpuinfo()
    if not facts:
        return platform.processor() or platform.machine()
    flags = facts.get("flags", "").split()
    return f"{facts.get('model name', platform.machine())} ({', '.join(flag for flag in INT8_FLAGS if flag in flags)})"
