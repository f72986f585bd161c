"""Writes the logits of a package for rows of tokens, from a plain onnxruntime session or from ours.

python logits.py PACKAGE plain|ours TOKENS.npy LOGITS.npy
"""

import sys
from pathlib import Path

import numpy as np
import onnxruntime as ort

from gpt2forge.graph.model_file import GRAPH_FILE
from gpt2forge.runtime.feeds import make_feeds, read_cache_shape, run
from gpt2forge.runtime.session import open_package


def main(package: Path, how: str, tokens: str, out: str) -> None:
    if how == "plain":
        session = ort.InferenceSession(package / GRAPH_FILE, providers=["CPUExecutionProvider"])
    else:
        session = open_package(package)
    empty = read_cache_shape(session).empty(1)
    np.save(out, np.concatenate([run(session, make_feeds(row[None], empty))[0] for row in np.load(tokens)]))


main(Path(sys.argv[1]), *sys.argv[2:])
