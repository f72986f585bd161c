"""`python -m gpt2forge.measure.package_contestant`: the process that runs a built directory. It imports no PyTorch."""

from gpt2forge.measure.contestant import serve_turns
from gpt2forge.measure.systems import Package

if __name__ == "__main__":
    serve_turns(Package)
