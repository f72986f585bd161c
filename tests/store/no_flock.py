"""A child process in which the kernel refuses flock, as it does on some file systems: by a seccomp filter.

https://docs.kernel.org/userspace-api/seccomp_filter.html
"""

import ctypes
import os
import platform
import struct
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

FLOCK, FCNTL = {"x86_64": (73, 72), "aarch64": (32, 25)}.get(platform.machine(), (0, 0))
F_OFD_SETLK, F_OFD_SETLKW = 37, 38
LOAD, EQUAL, RETURN = 0x20, 0x15, 0x06  # BPF_LD | BPF_W | BPF_ABS, BPF_JMP | BPF_JEQ | BPF_K, BPF_RET | BPF_K
NUMBER, SECOND = 0, 24  # offsets in struct seccomp_data: the system call, and the low half of its second argument
ALLOW, REFUSE = 0x7FFF0000, 0x00050000
PR_SET_SECCOMP, PR_SET_NO_NEW_PRIVS, SECCOMP_MODE_FILTER = 22, 38, 2

Instruction = tuple[int, int, int, int]


def refuse(number: int, error: int, commands: Sequence[int] = ()) -> list[Instruction]:
    """Return the instructions that refuse a system call with an error, if its second argument is one of `commands`."""
    if not commands:
        return [(LOAD, 0, 0, NUMBER), (EQUAL, 0, 1, number), (RETURN, 0, 0, REFUSE | error)]
    tests = [
        (EQUAL, len(commands) - index - 1, int(index == len(commands) - 1), each) for index, each in enumerate(commands)
    ]
    return [
        *((LOAD, 0, 0, NUMBER), (EQUAL, 0, len(tests) + 2, number), (LOAD, 0, 0, SECOND)),
        *(*tests, (RETURN, 0, 0, REFUSE | error)),
    ]


def install(instructions: Sequence[Instruction]) -> None:
    """Filter all later system calls of this process and its children."""
    code = b"".join(struct.pack("=HBBI", *each) for each in (*instructions, (RETURN, 0, 0, ALLOW)))
    buffer = ctypes.create_string_buffer(code)
    program = struct.pack("HP", len(code) // 8, ctypes.addressof(buffer))
    libc = ctypes.CDLL(None, use_errno=True)
    assert libc.prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0
    if libc.prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, program, 0, 0) != 0:
        raise OSError(ctypes.get_errno(), "seccomp is refused")


def run_without_flock(body: Callable[[], str], folder: Path, error: int, and_fcntl: bool = False) -> str:
    """Return what a function returns in a child process in which flock, and locks of fcntl too, end in an error."""
    if sys.platform != "linux" or not FLOCK:
        pytest.skip("needs Linux on x86_64 or aarch64")
    answer = folder / "answer"
    pid = os.fork()
    if pid == 0:
        code = 1
        try:
            filters = refuse(FLOCK, error) + (refuse(FCNTL, error, (F_OFD_SETLK, F_OFD_SETLKW)) if and_fcntl else [])
            install(filters)
            answer.write_text(body())
            code = 0
        finally:
            os._exit(code)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
    return answer.read_text()
