"""Whole texts beside other systems, what the loop around the model costs, what guesses give, and opening a model.

1. Text goes in and text comes out, with each system's own tokenizer and loop; choosing a token is the argmax.
2. A system is opened in two processes. The numbers are those of the second one: the first has read the files, and what
   both map is shared.
"""

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from bench.builds import COLD, run_build
from bench.generation import cut_prompts, measure_guesses, measure_loop
from bench.goals import BLOCKS, CHANNEL, CTRANSLATE2, DOUBLE, OPTIMUM, Q8
from bench.peers.measure import PAUSE, attempt, prepare_all
from bench.peers.process import Peer, start
from bench.peers.systems import OURS, SYSTEMS, System
from bench.plan import Plan
from bench.quiet import Gate, report
from bench.writers.packed import name_packed
from gpt2forge.measure.spread import summarize
from gpt2forge.processors import count_threads
from gpt2forge.runtime.generation import Options
from gpt2forge.runtime.model import Model
from gpt2forge.runtime.open_model import open_model
from gpt2forge.store.atomic import remove_tree

FLOAT32 = "ours, fp32"
FAST = "ours, int8 blocks of 64 and cache, fitted"
"""The form of the `-fast` recipes, in whose passes no rounding depends on the number of tokens."""


@dataclass(frozen=True)
class Writer:
    """A system that writes texts: its environment, the system whose files it opens, and its module in `bench/writers/`.

    The module has the environment's name unless it is given.
    """

    kind: str
    files: str
    module: str = ""


WRITERS = {
    BLOCKS: Writer(OURS, BLOCKS),
    CHANNEL: Writer(OURS, CHANNEL),
    DOUBLE: Writer(OURS, DOUBLE),
    f"{BLOCKS}, packed": Writer(OURS, BLOCKS, "packed"),
    "genai, ours in int8 blocks of 128": Writer("genai", BLOCKS),
    "genai, ours in int8 per channel": Writer("genai", CHANNEL),
    "Optimum's generate, int8 per channel": Writer("optimum", OPTIMUM),
    CTRANSLATE2: Writer("ctranslate2", CTRANSLATE2),
    "llama.cpp Q8_0, its library": Writer("llamacpp", Q8),
    "llama.cpp Q8_0, its server": Writer("llamaserver", Q8),
}
BATCHES = (1, 4, 16)
NEW = 24  # tokens behind each prompt
PIECE = 64  # characters of a prompt
ROUNDS = 2
CHECKED = (1, 2, 4, 8)  # tokens that one pass checks
PAST = 128  # tokens before them
TRIES = 5
LOOP_TEXTS = {True: 20, False: 2}  # of a trained model, and of a synthetic one, which is larger
LOOP_NEW = 64
WAYS: Mapping[str, Options] = {"likeliest": {"temperature": 0.0}, "drawn": {"seed": 1}}
Found = dict[str, dict[str, Any]]


def measure_texts(plans: Mapping[str, Plan]) -> dict[str, Any]:
    """Measure each model's writers, and our packages alone."""
    return {model: measure_model(plan) for model, plan in plans.items()}


def measure_model(plan: Plan) -> dict[str, Any]:
    """Measure one model: a synthetic one writes nothing that repeats, so its guesses are not measured."""
    weights = plan.store / "artifacts" / run_build(plan, COLD).digest("convert")
    writers = {name: writer for name, writer in WRITERS.items() if not plan.systems or name in plan.systems}
    files = prepare_all(plan, weights, choose_files(writers, plan))
    gate = Gate(plan.patience)
    models = {name: open_model(Path(found["path"])) for name, found in list_ours(files)}
    alone = {name: measure_alone(plan, model, gate) for name, model in models.items()}
    del models
    found = {"writers": measure_writers(plan, writers, files, gate), "alone": alone, "gate": gate.to_json()}
    for _, made in list_ours(files):  # they are built anew each time
        for place in (Path(made["path"]), name_packed(Path(made["path"]))):
            if place.exists():
                remove_tree(place)
    return found


def choose_files(writers: Mapping[str, Writer], plan: Plan) -> dict[str, System]:
    """Return the systems to prepare; a system that others begin with comes before them."""
    names = {writer.files for writer in writers.values()} | {BLOCKS, CHANNEL}
    names |= {FLOAT32, FAST} if plan.is_trained else set()
    names |= {after for name in names if (after := SYSTEMS[name].after)}
    return {name: system for name, system in SYSTEMS.items() if name in names}


def list_ours(files: Found) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield our packages. Raises RuntimeError if one could not be built."""
    for name, found in files.items():
        if SYSTEMS[name].kind == OURS:
            if "error" in found:
                raise RuntimeError(f"{name}: {found['error']}")
            yield name, found


def measure_alone(plan: Plan, model: Model, gate: Gate) -> dict[str, Any]:
    """Measure the loop as a share of the session's time, passes that check several tokens, and guesses."""
    report(f"{plan.model}: the loop and guesses of {model.folder.name}")
    gate.wait()
    prompts = list(cut_prompts(LOOP_TEXTS[plan.is_trained]))
    found: dict[str, Any] = {
        "loop": {name: measure_loop(model, prompts, options, LOOP_NEW) for name, options in WAYS.items()},
        "checked_ms": measure_checks(model),
    }
    if plan.is_trained:
        kinds = {"repeating": [prompt[: len(prompt) // 2] * 2 for prompt in prompts], "ordinary": prompts}
        found["guesses"] = {
            f"{kind}, {name}": measure_guesses(model, texts, {**options, "ignore_end": True})
            for kind, texts in kinds.items()
            for name, options in WAYS.items()
        }
    return found


def measure_checks(model: Model) -> dict[str, dict[str, float]]:
    """Return the milliseconds of a pass over some tokens behind others, in turns."""
    decoder = model.decoder
    step = decoder.start(PAST + max(CHECKED))
    tokens = np.random.default_rng(0).integers(0, decoder.vocabulary, (1, PAST + max(CHECKED)))
    step.read_prompts(tokens[:, :PAST].tolist())
    taken: dict[str, list[float]] = {str(count): [] for count in CHECKED}
    for _ in range(TRIES):
        for count in CHECKED:
            began = time.perf_counter()
            step.read_each(tokens[:, PAST : PAST + count])
            taken[str(count)].append(1e3 * (time.perf_counter() - began))
            step.forget(count)
    return {count: summarize(values).to_json() for count, values in taken.items()}


def measure_writers(plan: Plan, writers: Mapping[str, Writer], files: Found, gate: Gate) -> Found:
    """Return what each writer takes to open, and its tokens a second by texts at once; `error` if it failed."""
    prompts = [prompt[:PIECE] for prompt in cut_prompts(max(BATCHES))]
    found: Found = {}
    with ExitStack() as stack:
        peers: dict[str, Peer] = {}
        for name, writer in writers.items():
            report(f"{plan.model}: opening {name}")
            made = files[writer.files]
            found[name] = {"error": made["error"]} if "error" in made else {}
            begin = partial(open_twice, plan, stack, writer, Path(made.get("path", "")), prompts[0])
            if opened := attempt(found[name], begin):
                peers[name], numbers = opened
                found[name] |= numbers
        acts = {name: partial(write, peer) for name, peer in peers.items()}
        for name, speeds in take_turns(acts, prompts, found, gate).items():
            found[name]["tokens_s"] = speeds
    return found


def open_twice(plan: Plan, stack: ExitStack, writer: Writer, path: Path, prompt: str) -> tuple[Peer, dict[str, float]]:
    """Open a writer in two processes; return the second, which the stack ends, and what opening it took."""
    work = plan.work / "peers" / SYSTEMS[writer.files].kind
    begin = partial(start, System(writer.kind, ""), work, writer.module or writer.kind)

    def ask(peer: Peer) -> dict[str, float]:
        found: dict[str, float] = peer.ask("open", path=str(path), threads=count_threads(), prompt=prompt)
        return found

    with begin() as first:
        ask(first)
        second = stack.enter_context(begin())
        return second, ask(second)


def write(peer: Peer, prompts: Sequence[str]) -> float:
    """Return the tokens a second that a writer adds to prompts."""
    return float(NEW * len(prompts) / peer.ask("write", prompts=list(prompts), new=NEW))


def take_turns(
    acts: Mapping[str, Callable[[Sequence[str]], float]], prompts: Sequence[str], found: Found, gate: Gate
) -> dict[str, dict[str, Any]]:
    """Return the spread of what each writer reached, by texts at once; round 0 only lays out memory."""
    samples: dict[str, dict[str, list[float]]] = {name: {str(batch): [] for batch in BATCHES} for name in acts}
    for number in range(ROUNDS + 1):
        report(f"{len(acts)} writers, round {number} of {ROUNDS}")
        for batch in BATCHES if number else BATCHES[:1]:
            for name, act in acts.items():
                gate.wait()
                time.sleep(PAUSE)
                reached = attempt(found[name], partial(act, prompts[:batch]))
                if reached and number:
                    samples[name][str(batch)].append(reached)
    return {
        name: {batch: summarize(values).to_json() for batch, values in taken.items() if values}
        for name, taken in samples.items()
    }
