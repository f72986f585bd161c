"""Names of weights files, which tell formats apart that all have a config.json."""

import re
from collections.abc import Iterable

HUGGINGFACE = re.compile(
    r".*\.safetensors(\.index\.json)?|(pytorch|adapter)_model.*\.bin(\.index\.json)?|tf_model.*\.h5|flax_model.*\.msgpack",
    re.ASCII | re.DOTALL,
)
OTHERS = (".index", ".gguf")


def hold_huggingface(names: Iterable[str]) -> bool:
    """Return whether one of the files holds weights as transformers or peft write them."""
    return any(HUGGINGFACE.fullmatch(name) for name in names)


def hold_only_others(names: Iterable[str]) -> bool:
    """Return whether the weights among the files are all of other formats than Hugging Face's."""
    return any(name.endswith(OTHERS) for name in names) and not hold_huggingface(names)
