"""Memory that a turn's process shares with the one that watches it: how far it is, and the input that it reads."""

import struct
from dataclasses import dataclass, field
from mmap import mmap

HEAD = struct.Struct("<QQQQ")  # inputs begun, lines reached, bytes of the name, bytes of the content
MOST = 1 << 22  # bytes of a name and a content


@dataclass(frozen=True)
class Shown:
    """The memory, which a fork shares."""

    memory: mmap = field(default_factory=lambda: mmap(-1, HEAD.size + MOST))

    def show(self, inputs: int, lines: int, name: str = "", content: bytes = b"") -> None:
        """Show the input that is read now."""
        words = name.encode()
        body = words + content
        self.memory[: HEAD.size] = HEAD.pack(inputs, lines, len(words), len(content))
        self.memory[HEAD.size : HEAD.size + len(body)] = body

    def count(self) -> tuple[int, int]:
        """Return how many inputs were begun, and how many lines they reached."""
        inputs, lines, _, _ = HEAD.unpack(self.memory[: HEAD.size])
        return inputs, lines

    def read(self) -> tuple[str, bytes]:
        """Return the name of the target and the content that is read now."""
        _, _, words, size = HEAD.unpack(self.memory[: HEAD.size])
        body = self.memory[HEAD.size : HEAD.size + words + size]
        return body[:words].decode(), body[words:]
