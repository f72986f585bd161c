"""Runs modules one after the other in this process, so that TensorFlow is imported once for all of them.

Usage: python -m interop.tensorflow.run, in the repository's folder. stdin holds a JSON list of [module, argument...].
"""

import json
import os
import runpy
import sys

QUIET = {"TF_CPP_MIN_LOG_LEVEL": "3", "CUDA_VISIBLE_DEVICES": ""}


def main() -> None:
    os.environ.update(QUIET)  # TensorFlow reads them when it is imported
    for module, *arguments in json.load(sys.stdin):
        sys.argv = [module, *arguments]
        runpy.run_module(module, run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    main()
