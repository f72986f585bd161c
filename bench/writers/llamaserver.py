"""llama.cpp's server on loopback, with as many slots as texts are written at once: a request of HTTP for each text."""

import ctypes
import http.client
import json
import signal
import socket
import subprocess
import sysconfig
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

SLOTS = 16
LONGEST = 128  # tokens of a slot
PATIENCE = 60.0  # seconds


class Writer:
    def __init__(self, path: Path, threads: int) -> None:
        program = Path(sysconfig.get_path("platlib"), "llama_server/bin/llama-server")
        self.port = find_port()
        slots = ("--parallel", str(SLOTS), "--ctx-size", str(SLOTS * LONGEST))
        words = ("--threads", str(threads), "--host", "127.0.0.1", "--port", str(self.port))
        command = [str(program), "--model", str(path), *slots, *words, "--log-disable"]
        self.process = subprocess.Popen(command, stdout=subprocess.DEVNULL, preexec_fn=end_with_parent)
        self.pid = self.process.pid
        self.wait()

    def wait(self) -> None:
        """Return when the server has loaded the model. Raises RuntimeError if it does not."""
        began = time.monotonic()
        while self.process.poll() is None and time.monotonic() - began < PATIENCE:
            try:
                if self.ask("GET", "/health")["status"] == "ok":
                    return
            except (OSError, KeyError):
                time.sleep(0.005)
        raise RuntimeError(f"llama-server does not answer; it ended with code {self.process.poll()}")

    def write(self, prompts: list[str], new: int) -> list[int]:
        """Write the likeliest texts; return how many tokens each has."""
        shared = {"n_predict": new, "temperature": 0, "ignore_eos": True, "cache_prompt": False}
        with ThreadPoolExecutor(len(prompts)) as pool:
            found = pool.map(lambda prompt: self.ask("POST", "/completion", {"prompt": prompt, **shared}), prompts)
            return [int(each["tokens_predicted"]) for each in found]

    def ask(self, method: str, path: str, value: object = None) -> dict[str, Any]:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=PATIENCE)
        try:
            connection.request(method, path, json.dumps(value), {"Content-Type": "application/json"})
            answer: dict[str, Any] = json.loads(connection.getresponse().read())
            return answer
        finally:
            connection.close()


def end_with_parent() -> None:
    """Let Linux end this process when its parent ends, however that ends: prctl(2), PR_SET_PDEATHSIG."""
    ctypes.CDLL(None).prctl(1, signal.SIGKILL)


def find_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port: int = listener.getsockname()[1]
        return port
