"""The forms in which a single weight can be stored, each with a short name: `8x64`, `4x32`, `8xchannel`, `float16`."""

from dataclasses import dataclass

from gpt2forge.quantize.scheme import CHANNEL, FLOAT16, FLOAT32, HALF, KINDS, Scheme, Storage, make_storage

BLOCKS = (16, 32, 64, 128, 256)
BITS = (8, 4)
TOKENS, POSITIONS = "wte", "wpe"  # a head of its own has the form of the token embedding
TABLES_PART = "tables"


@dataclass(frozen=True)
class Form:
    """Integers of `bits` bits, of which `granularity` share a scale, as a recipe names them; or float16."""

    bits: int
    granularity: int | str | None

    @property
    def name(self) -> str:
        return FLOAT16 if self.bits == HALF.bits else f"{self.bits}x{self.granularity}"

    def make_storage(self, channel_bits: int) -> Storage:
        """Return the storage that this form means; `channel_bits` are those of one scale per channel."""
        return HALF if self.bits == HALF.bits else make_storage(self.bits, self.granularity, channel_bits)


BLOCK_FORMS = tuple(Form(bits, block) for bits in BITS for block in BLOCKS)
LINEAR_FORMS = (*BLOCK_FORMS, Form(8, CHANNEL))
POSITION_FORMS = (Form(HALF.bits, None),)
FORMS = {form.name: form for form in (*LINEAR_FORMS, *POSITION_FORMS)}


def name_form(form: Form | None) -> str:
    """Return the short name of a form; no form means float32."""
    return form.name if form else FLOAT32


def name_storage(storage: Storage | None) -> str:
    """Return the short name of the form that a storage has."""
    if storage is None or storage.is_half:
        return FLOAT16 if storage else FLOAT32
    return f"{BITS[0] if storage.block is None else storage.bits}x{storage.block or CHANNEL}"


def list_forms(weight: str, length: int) -> tuple[Form, ...]:
    """Return the forms of a weight, which is a linear layer such as `h.0.attn.c_attn`, TOKENS or POSITIONS.

    Blocks longer than the `length` along which scales are shared are left out: they only pad.
    """
    if weight == POSITIONS:
        return POSITION_FORMS
    forms = BLOCK_FORMS if weight == TOKENS else LINEAR_FORMS
    return tuple(form for form in forms if not isinstance(form.granularity, int) or form.granularity <= length)


def store_one(weight: str, storage: Storage) -> Scheme:
    """Return the scheme that stores one weight this way and leaves all others float32."""
    if weight == POSITIONS:
        return Scheme(None, None, storage)
    if weight == TOKENS:
        return Scheme(None, storage)
    return Scheme(None, None, overrides={weight: storage})


def list_parts(layers: int) -> list[str]:
    """List the parts of a model with this many layers."""
    return [TABLES_PART, *(f"h.{layer}" for layer in range(layers))]


def list_weights(part: str) -> list[str]:
    """List the weights of a part of the model: a layer such as `h.0`, or TABLES_PART."""
    return [TOKENS, POSITIONS] if part == TABLES_PART else [f"{part}.{kind}" for kind in KINDS]
