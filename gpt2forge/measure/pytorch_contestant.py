"""`python -m gpt2forge.measure.pytorch_contestant`: the process that runs PyTorch, and measures the memory's speed."""

from functools import cache

from gpt2forge.measure.contestant import serve_turns


def main() -> None:
    """Take turns. PyTorch takes seconds to import, so only this process does, before the first system is opened."""
    from gpt2forge.measure.bandwidth import Bandwidth
    from gpt2forge.pytorch.oracle import Oracle, load_model

    make_bandwidth = cache(Bandwidth)
    serve_turns(
        lambda weights, threads, capacity: Oracle(load_model(weights), threads),
        lambda rows: make_bandwidth(rows).sample(),
    )


if __name__ == "__main__":
    main()
