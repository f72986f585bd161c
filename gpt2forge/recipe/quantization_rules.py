"""Rules on `quantization:` and on the text that it is fitted to."""

from collections.abc import Iterator

from gpt2forge.quantize.scheme import CHANNEL, FLOAT32, find_conflict, list_linears
from gpt2forge.quantize.scheme_table import SCHEMES, choose_embeddings, find_integers
from gpt2forge.recipe.faults import Finding, join_choices, refuse
from gpt2forge.recipe.schema import Loc
from gpt2forge.recipe.sections.calibration_section import Calibration
from gpt2forge.recipe.sections.quantization_section import Quantization
from gpt2forge.recipe.sections.target_section import TargetSection
from gpt2forge.recipe.sections.verify_section import Verify
from gpt2forge.stages.quantize import FITTED

INTEGER_KEYS = ("granularity", "few_rows", "method", "smooth", "overrides", "skip")
BLOCKS = "16, 32, 64, 128 or 256"


def check_integer_keys(quantization: Quantization) -> Iterator[Finding]:
    """Refuse keys that only integers have."""
    if SCHEMES[quantization.scheme].has_scales:
        return
    for key in INTEGER_KEYS:
        value = getattr(quantization, key)
        if value and value != Quantization.model_fields[key].default:
            problem = f"means nothing where `scheme` is `{quantization.scheme}`; remove it"
            yield refuse(("quantization", key), value, problem)


def check_channels(quantization: Quantization) -> Iterator[Finding]:
    """Refuse one scale per output channel for storages that do not have it."""
    spec = SCHEMES[quantization.scheme]
    able = {name: spec for name, spec in SCHEMES.items() if spec.has_channels}
    if quantization.granularity == CHANNEL and spec.has_scales and not spec.has_channels:
        problem = f"needs {join_choices('scheme', able)}; use {BLOCKS}"
        yield refuse(("quantization", "granularity"), CHANNEL, problem)
    for pattern, own in quantization.exceptions.items():
        if own.granularity == CHANNEL and not find_integers(own.bits).has_channels:
            loc = ("quantization", "overrides", pattern, "granularity")
            bits = sorted({str(spec.bits) for spec in able.values()})
            yield refuse(loc, CHANNEL, f"needs {join_choices('bits', bits)}; use {BLOCKS}")


def check_few_rows(quantization: Quantization) -> Iterator[Finding]:
    """Refuse another product for few rows where no layer has one scale per output channel."""
    has_scales = SCHEMES[quantization.scheme].has_scales  # check_integer_keys refuses the key without
    if has_scales and quantization.few_rows != CHANNEL and not any(list_channels(quantization)):
        problem = "means nothing where no `granularity` is `channel`; use `granularity: channel`, or remove it"
        yield refuse(("quantization", "few_rows"), quantization.few_rows, problem)


def list_channels(quantization: Quantization) -> Iterator[Loc]:
    """Yield each path that asks for one scale per output channel."""
    if not SCHEMES[quantization.scheme].has_scales:  # check_integer_keys refuses these
        return
    if quantization.granularity == CHANNEL:
        yield ("quantization", "granularity")
    for pattern, own in quantization.exceptions.items():
        if own.granularity == CHANNEL:
            yield ("quantization", "overrides", pattern, "granularity")


def check_embeddings(quantization: Quantization) -> Iterator[Finding]:
    """Refuse embeddings that differ from a scheme of everything, and such a scheme for the embeddings alone."""
    scheme, default = quantization.scheme, choose_embeddings(quantization.scheme)
    embeddings, block = quantization.embeddings or default, quantization.embeddings_granularity
    if embeddings != default and SCHEMES[scheme].is_whole:
        yield refuse(("quantization", "embeddings"), embeddings, contradict(scheme))
    elif embeddings != default and SCHEMES[embeddings].is_whole:
        yield refuse(("quantization", "embeddings"), embeddings, f"needs `scheme: {embeddings}`")
    elif block is not None and not SCHEMES[embeddings].has_scales:
        problem = f"means nothing where `embeddings` is `{embeddings}`; remove it"
        yield refuse(("quantization", "embeddings_granularity"), block, problem)


def check_positions(quantization: Quantization) -> Iterator[Finding]:
    """Refuse float32 positions beside a scheme of everything."""
    if SCHEMES[quantization.scheme].is_whole and quantization.positions == FLOAT32:
        yield refuse(("quantization", "positions"), FLOAT32, contradict(quantization.scheme))


def contradict(scheme: str) -> str:
    return f"contradicts `scheme: {scheme}`, which is everything; remove it"


def check_patterns(quantization: Quantization) -> Iterator[Finding]:
    """Refuse two patterns that match the same linear layer. The first block stands for all: no model is known yet."""
    if not SCHEMES[quantization.scheme].has_scales:
        return
    overrides, skip = quantization.exceptions, quantization.skip or ()
    for key, skipped in (("overrides", ()), ("skip", skip)):
        conflict = find_conflict(list_linears([0]), overrides, skipped)
        if conflict:
            yield refuse(("quantization", key), getattr(quantization, key), f"is ambiguous: {conflict}")
            return


def check_calibration(
    quantization: Quantization, target: TargetSection, calibration: Calibration | None
) -> Iterator[Finding]:
    """Refuse to fit weights without a text to fit them to."""
    if calibration is None:
        for key in list_fitted(quantization, target):
            problem = "needs `calibration:` with a `text` like what the model is for"
            yield refuse(("quantization", key), getattr(quantization, key), problem)


def check_texts(
    quantization: Quantization, target: TargetSection, calibration: Calibration | None, verify: Verify | None
) -> Iterator[Finding]:
    """Refuse to measure on the text that weights were fitted to: it shows little about other texts."""
    if calibration and verify and calibration.text == verify.text and list_fitted(quantization, target):
        problem = (
            "is `verify.text` too, and a result cannot be measured on the text that it was fitted to; name another"
        )
        yield refuse(("calibration", "text"), calibration.text, problem)


def list_fitted(quantization: Quantization, target: TargetSection) -> list[str]:
    """Return the keys that need a calibration text, without those that other rules refuse."""
    refused = set() if SCHEMES[quantization.scheme].has_scales else {"method", "smooth"}
    if target.device == "cuda":
        refused.add("kv_cache")
    return [key for key, value in FITTED.items() if key not in refused and getattr(quantization, key) == value]
