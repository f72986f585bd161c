"""`make bench`: builds, sizes and speed beside PyTorch, in one run on this machine."""

import os

os.environ["ORT_DISABLE_TELEMETRY"] = "1"  # for every process that measures, also of peers; see gpt2forge.runtime
