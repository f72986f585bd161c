"""Makes the key under which an index lists a partition of a tensor.

TensorFlow's EncodeTensorNameSlice (tensorflow/core/util/saved_tensor_slice_util.cc) writes a zero, the tensor's name,
the number of axes, and start and length of each axis. The numbers are written so that their bytes sort as they do
(tensorflow/core/lib/strings/ordered_code.cc).
"""

from gpt2forge.checkpoint.tf1.bundle_index import Slice

LONGEST = 10  # bytes of a signed number


def encode_slice(name: str, slice_: Slice) -> bytes:
    """Return the key of a partition of the tensor `name`."""
    numbers = b"".join(encode_signed(number) for extent in slice_ for number in extent)
    return encode_unsigned(0) + encode_text(name.encode()) + encode_unsigned(len(slice_)) + numbers


def encode_text(text: bytes) -> bytes:
    r"""Escape 0 and 255, and add an end, as WriteString does."""
    return text.replace(b"\xff", b"\xff\0").replace(b"\0", b"\0\xff") + b"\0\1"


def encode_unsigned(number: int) -> bytes:
    """Return the number of bytes and the bytes, the highest first, as WriteNumIncreasing does."""
    length = (number.bit_length() + 7) // 8
    return bytes([length]) + number.to_bytes(length, "big")


def encode_signed(number: int) -> bytes:
    """Return the number's lowest bytes, its first bits turned, one for each byte, as WriteSignedNumIncreasing does."""
    magnitude = ~number if number < 0 else number
    length = next(count for count in range(1, LONGEST + 1) if magnitude < 1 << (7 * count - 1))
    lowest = number & ((1 << 8 * length) - 1)
    return (lowest ^ (((1 << length) - 1) << 7 * length)).to_bytes(length, "big")
