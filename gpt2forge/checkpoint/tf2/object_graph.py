"""Finds a GPT-2's tensors in a TensorFlow 2 checkpoint, which names each by its path through the saved objects.

tf.train.Checkpoint and Keras' save_weights write the path of attributes from the saved object to a variable, then
`/.ATTRIBUTES/VARIABLE_VALUE`: `transformer/h/0/attn/c_attn/weight/.ATTRIBUTES/VARIABLE_VALUE`. The attributes are those
of TFGPT2LMHeadModel, which transformers had until version 4. So the paths are enough, and the graph of objects beside
the tensors is not read (tensorflow/core/protobuf/trackable_object_graph.proto).
"""

import re
from collections.abc import Iterable

from gpt2forge.checkpoint.names import PREFIX
from gpt2forge.checkpoint.untrusted_text import quote_untrusted

GRAPH = "_CHECKPOINTABLE_OBJECT_GRAPH"
VALUE = "/.ATTRIBUTES/VARIABLE_VALUE"
SLOT = ".OPTIMIZER_SLOT"
EMBEDDING = re.compile(r"(?P<outer>(?:[^/]+/)*?)(?P<inner>transformer/)?wte(?:/weight|/embeddings)?", re.ASCII)
HEADS = ("multiple_choice_head.", "score.", "classifier.")
MOST_NAMES = 5  # in a message

ENDS = (
    (re.compile(r"(wte|wpe)(\.(weight|embeddings))?", re.ASCII), r"\1.weight"),
    (re.compile(r"(.*\b(?:ln_1|ln_2|ln_f|ln_cross_attn))\.gamma", re.ASCII), r"\1.weight"),
    (re.compile(r"(.*\b(?:ln_1|ln_2|ln_f|ln_cross_attn))\.beta", re.ASCII), r"\1.bias"),
)
"""Names of Keras' layers, with those of PyTorch's. TFConv1D has the names `weight` and `bias` of both."""


def is_object_graph(names: Iterable[str]) -> bool:
    """Return whether the names in an index are those of a TensorFlow 2 checkpoint."""
    return GRAPH in names


def translate_paths(paths: Iterable[str]) -> dict[str, str]:
    """Return transformers' names of a model's tensors, by their names in the index.

    Optimizers, counters and metrics are not among them. Raises ValueError if there is no GPT-2, or more than one.
    """
    values = [path.removesuffix(VALUE) for path in paths if path.endswith(VALUE) and SLOT not in path]
    roots = {(match["outer"], match["inner"] or "") for value in values if (match := EMBEDDING.fullmatch(value))}
    if not roots:
        shown = ", ".join(map(quote_untrusted, values[:MOST_NAMES])) or "no variable"
        raise ValueError(f"a TensorFlow 2 checkpoint, but not of a TFGPT2LMHeadModel: it holds {shown}")
    if len(roots) > 1:
        shown = " and ".join(sorted(quote_untrusted(f"{outer}{inner}wte") for outer, inner in roots)[:2])
        raise ValueError(f"a TensorFlow 2 checkpoint of two models, {shown}")
    ((outer, inner),) = roots
    names = {}
    for value in values:
        name = translate(value.removeprefix(outer), inner) if value.startswith(outer) else None
        if name:
            names[value + VALUE] = name
    return names


def translate(path: str, inner: str) -> str | None:
    """Return transformers' name of a variable by its path from the model; None if it is not one of the weights."""
    name = path.removeprefix(inner).replace("/", ".")
    if path.startswith(inner) and name.startswith(("wte", "wpe", "h.", "ln_f.")):
        for pattern, replacement in ENDS:
            name = pattern.sub(replacement, name) if pattern.fullmatch(name) else name
        return PREFIX + name
    return name if name.startswith(HEADS) else None
