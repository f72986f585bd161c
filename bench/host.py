"""What machine and which versions the numbers were taken with."""

import os
import platform
from importlib.metadata import version
from pathlib import Path
from typing import Any

import psutil

from gpt2forge.measure.host import count_threads

TOOLS = ("numpy", "onnx", "onnxruntime", "torch", "transformers")
PEERS = {
    "optimum": ("optimum", "optimum-onnx", "transformers"),
    "exporter": ("onnxscript",),
    "ctranslate2": ("ctranslate2",),
    "llamacpp": ("xllamacpp",),
}
HERE = Path(__file__).resolve().parent


def describe_host() -> dict[str, Any]:
    return {
        "processor": read_processor(),
        "threads": count_threads(),
        "load_before": os.getloadavg()[0],
        "memory_bytes": psutil.virtual_memory().total,
        "system": f"{platform.system()} {platform.machine()}, Python {platform.python_version()}",
        "versions": {**{tool: version(tool) for tool in TOOLS}, **read_pins()},
    }


def read_pins() -> dict[str, str]:
    """The versions in the environments of peers, as their requirements pin them."""
    found = {}
    for folder, tools in PEERS.items():
        lines = (HERE / "peers" / folder / "requirements.txt").read_text().splitlines()
        pins = dict(line.split("==") for line in lines if not line.startswith("#"))
        found |= {tool if folder == tool or tool not in TOOLS else f"{tool} for {folder}": pins[tool] for tool in tools}
    return found


def read_processor() -> str:
    """The processor's name, and whether it has the instructions that int8 wants."""
    path = Path("/proc/cpuinfo")
    if not path.exists():
        return platform.processor() or platform.machine()
    lines = [line.partition(":") for line in path.read_text().splitlines()]
    facts = {name.strip(): value.strip() for name, _, value in lines}
    wanted = [
        flag for flag in ("avx2", "avx512_vnni", "avx_vnni", "amx_int8") if flag in facts.get("flags", "").split()
    ]
    return f"{facts.get('model name', platform.machine())} ({', '.join(wanted)})"
