"""Reads the variables of a TensorFlow checkpoint, whoever named them."""

from pathlib import Path

from gpt2forge.checkpoint.config import ModelConfig
from gpt2forge.checkpoint.contents import Contents
from gpt2forge.checkpoint.format import Checkpoint
from gpt2forge.checkpoint.tf1.bundle_index import read_bundle
from gpt2forge.checkpoint.tf1.locate_entry import find_index
from gpt2forge.checkpoint.tf1.read_tf1 import read_tf1
from gpt2forge.checkpoint.tf2.object_graph import is_object_graph
from gpt2forge.checkpoint.tf2.read_tf2 import read_tf2


def read_variables(checkpoint: Checkpoint, config: ModelConfig, config_path: Path) -> Contents:
    """Find every tensor by OpenAI's names, or those of TFGPT2LMHeadModel; the names in the index decide.

    Raises UserError as `read_tf1` and `read_tf2` do.
    """
    entries = read_bundle(find_index(checkpoint), len(checkpoint.weights))
    read = read_tf2 if is_object_graph(entries) else read_tf1
    return read(checkpoint, config, config_path)
