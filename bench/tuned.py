"""Compares what `tune` finds with every uniform scheme, at equal size and at equal divergence.

`python -m bench.tuned RECIPE --name NAME` measures RECIPE and the uniform schemes of its checkpoint. It tunes against
RECIPE and each uniform scheme that is fitted: for the least divergence in as many bytes, and for the fewest bytes at
the same divergence. Every choice is made on the calibration text, and all numbers are of the text of `verify`. It
writes docs/benchmarks/tuned-NAME.json, and the picture and the table of docs/tuning.md. Its store keeps every step, so
that it goes on where it stopped.
"""

import argparse
import json
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from bench.plan import WORK
from bench.quiet import report
from bench.tuning_page import RESULTS, write_page, write_picture
from gpt2forge.builder.report import Report
from gpt2forge.errors import UserError
from gpt2forge.executor.events import Event
from gpt2forge.quantize.forms import LINEAR_FORMS, Form
from gpt2forge.recipe.load import LoadedRecipe, load_recipe
from gpt2forge.store.store import Store
from gpt2forge.tune.candidate import FITTED, make_recipe
from gpt2forge.tune.effect import compare_kl
from gpt2forge.tune.objective import OBJECTIVES
from gpt2forge.tune.run_variants import run_variants
from gpt2forge.tune.tune_recipe import UNLIMITED, Tuner
from gpt2forge.tune.tuning_limits import TuningLimits

TABLES = {"embeddings": "int8", "positions": "float16"}
TABLE_BITS = 8  # of embeddings
Limit = Literal["bytes", "kl"]
LIMITS: Mapping[Limit, Callable[[Mapping[str, Any]], tuple[str, TuningLimits]]] = {
    "bytes": lambda own: ("accuracy", TuningLimits(size=own["bytes"])),
    "kl": lambda own: ("size", TuningLimits(kl=own["kl"])),
}
"""The objective and the limits of a mix that has at most the bytes, or the divergence, of a scheme."""

ROUNDINGS: Mapping[str, Mapping[str, Any]] = {"fitted": FITTED, "nearest": {}}


@dataclass(frozen=True)
class Bench:
    """Holds where tuning begins, and the store of all steps. `keep` gets the results so far after each mix.

    Uniform schemes have blocks of at most `longest` weights: those longer than the model is wide only pad.
    """

    start: LoadedRecipe
    store: Store
    longest: int = 128
    keep: Callable[[dict[str, Any]], None] = lambda results: None

    def measure(self) -> None:
        """Measure bytes and divergence of the recipe, of uniform schemes, and of the mixes tuned against them."""
        uniform = {rounding: self.make_uniform(rounding) for rounding in ROUNDINGS}
        every = [recipe for recipes in uniform.values() for recipe in recipes.values()]
        report(f"{len(every)} uniform schemes")
        own, *others = run_variants([self.start, *every], self.store, ignore)
        found = iter(others)
        schemes = {rounding: {name: next(found) for name in recipes} for rounding, recipes in uniform.items()}
        described = {
            rounding: {name: describe(each) for name, each in schemes[rounding].items()} for rounding in schemes
        }
        opponents = {"recipe": own, **schemes["fitted"]}
        results: dict[str, Any] = {
            "recipe": describe(own),
            "uniform": described,
            "tuned": {name: {} for name in opponents},
        }
        self.keep(results)
        for limit in LIMITS:
            for name, opponent in opponents.items():
                results["tuned"][name][limit] = self.tune_against(name, opponent, limit)
                self.keep(results)

    def make_uniform(self, rounding: str) -> dict[str, LoadedRecipe]:
        """Return the recipe of each uniform scheme by its name."""
        forms = list_uniform(self.longest)
        return {f"int{form.bits}-{form.granularity}": self.make_scheme(form, rounding) for form in forms}

    def make_scheme(self, form: Form, rounding: str) -> LoadedRecipe:
        """Return a recipe whose linear layers all have one form."""
        own = form.granularity if form.bits == TABLE_BITS and isinstance(form.granularity, int) else None
        tables = {**TABLES, "embeddings_granularity": own or self.longest}
        values = {"scheme": f"int{form.bits}", "granularity": form.granularity, **tables, **ROUNDINGS[rounding]}
        return make_recipe(self.start, values, f"{self.start.recipe.name}-{form.name}-{rounding}", UNLIMITED)

    def tune_against(self, name: str, opponent: Report, limit: Limit) -> dict[str, Any] | None:
        """Return the best mix within the limit of an opponent, and how its divergence differs; None without one."""
        own = describe(opponent)
        report(f"in the {limit} of {name}: {own['bytes']:,} bytes, KL {own['kl']:.3e}")
        objective, limits = LIMITS[limit](own)
        full = f"{self.start.recipe.name}-{limit}-{name}"
        try:
            found = Tuner(self.start, full, OBJECTIVES[objective], limits, self.store, ignore, report).tune()
        except UserError as error:
            report(str(error))
            return None
        ours, theirs = found.report.verify, opponent.verify
        difference = compare_kl(ours, theirs) if ours and theirs else None
        mix = {**describe(found.report), "mixes": len(found.tried)}
        return {**mix, "difference": difference.to_json() if difference else None}


def list_uniform(longest: int) -> list[Form]:
    """List the forms that all linear layers have in a uniform scheme."""
    return [form for form in LINEAR_FORMS if not isinstance(form.granularity, int) or form.granularity <= longest]


def describe(found: Report) -> dict[str, Any]:
    """Return the bytes of a result and its divergence in nats a token. Raises UserError if it was not measured."""
    if found.bytes is None or found.verify is None:
        raise UserError(f"{found.recipe}: {found.error or 'was not measured'}")
    return {"bytes": found.bytes.package, "kl": found.verify.kl_mean}


def ignore(event: Event) -> None:
    """Show nothing: there is a line for each mix."""


def main() -> None:
    parser = argparse.ArgumentParser(
        prog="python -m bench.tuned", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("recipe", metavar="RECIPE", help="where tuning begins, such as nano-cpu@fitted")
    parser.add_argument(
        "--set", dest="changes", action="append", default=[], metavar="KEY=VALUE", help="change a value"
    )
    parser.add_argument("--name", required=True, help="what docs/tuning.md calls the model")
    parser.add_argument("--store", type=Path, default=WORK / "tuned", help="folder of the store (default %(default)s)")
    parser.add_argument("--longest", type=int, default=Bench.longest, help="longest block (default %(default)s)")
    options = parser.parse_args()
    start = load_recipe(options.recipe, (*options.changes, "~benchmark"), options.name)
    words = [
        *(f"--set {change}" for change in options.changes),
        f"--longest {options.longest}",
        f"--name {options.name}",
    ]
    origin = {"command": f"python -m bench.tuned {options.recipe} {' '.join(words)}", "date": time.strftime("%Y-%m-%d")}
    path = RESULTS / f"tuned-{options.name}.json"

    def keep(results: dict[str, Any]) -> None:
        whole = {**origin, "selector": options.recipe, **results}
        path.write_text(json.dumps(whole, indent=1) + "\n", encoding="utf-8")

    Bench(start, Store(options.store), options.longest, keep).measure()
    write_picture(options.name)
    write_page()


if __name__ == "__main__":
    main()
