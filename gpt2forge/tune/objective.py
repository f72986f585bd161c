"""The objectives of `tune`: what each makes best within the limits."""

from dataclasses import dataclass

from gpt2forge.recipe.load import LoadedRecipe
from gpt2forge.recipe.sections.benchmark_section import Benchmark
from gpt2forge.tune.problem import Aim
from gpt2forge.tune.tuning_sections import FormCostsSection

BATCH = 8  # texts at once


@dataclass(frozen=True)
class Objective:
    """What to minimize: the divergence, or a cost. The cost is bytes of the package, unless it is measured.

    With `rows`, products of so many rows are timed. `reads_prompt`: of as many as the recipe's `benchmark` has prompt
    tokens; the LM head reads the last one alone. `counts_memory`: the cost is the memory that a session holds.
    """

    aim: Aim
    rows: int | None = None
    reads_prompt: bool = False
    counts_memory: bool = False

    def choose_rows(self, loaded: LoadedRecipe) -> FormCostsSection | None:
        """Return the rows of activations that products are timed with; None if the cost is not a time."""
        if self.reads_prompt:
            benchmark = loaded.recipe.benchmark or Benchmark()
            return FormCostsSection(rows=benchmark.prompt_tokens, head_rows=1)
        return None if self.rows is None else FormCostsSection(rows=self.rows, head_rows=self.rows)


OBJECTIVES = {
    "size": Objective("cost"),
    "latency": Objective("cost", rows=1),
    "prefill": Objective("cost", reads_prompt=True),
    "throughput": Objective("cost", rows=BATCH),
    "memory": Objective("cost", counts_memory=True),
    "accuracy": Objective("kl"),
}
