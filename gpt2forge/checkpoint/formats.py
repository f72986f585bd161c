"""The checkpoint formats that can be converted. Importing them is cheap; see `format` for how to add one."""

from gpt2forge.checkpoint.format import Format
from gpt2forge.checkpoint.gguf.gguf_format import GGUF
from gpt2forge.checkpoint.huggingface.huggingface_format import HUGGINGFACE
from gpt2forge.checkpoint.nanogpt.nanogpt_format import NANOGPT
from gpt2forge.checkpoint.tf1.tf1_format import TF1
from gpt2forge.checkpoint.tf2.tf2_format import TF2

FORMATS: tuple[Format, ...] = (TF1, TF2, HUGGINGFACE, NANOGPT, GGUF)
