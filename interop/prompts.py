"""The prompts that every host continues: ordinary Python that nano was not trained on."""

from tests.workshop import ROOT

NEW = 64  # tokens

MARGIN = 0.05
"""The least lead of the likeliest token's logit over the second's at every step of the reference.

Hosts round differently, because of another version of onnxruntime, another instruction set, or padding. Tests can
require equal tokens only if rounding cannot decide them. The prompts were chosen for that: of some 7,000 starts in
heldout.txt they are among those with the largest leads in all four packages and the most different tokens.
"""

PROMPTS = (
    """\
        if isinstance(self.value, dict):
            return {key: node.plain() for key, node in self.value.items()}
        if isinstance(self.value, list):""",
    """\
    ) -> None:
        pass

    def show(self, event: Event) -> None:
        write_json(event.to_json(""",
    """\
        data = path.read_bytes()
        text = data.decode("utf-8")
    except (OSError, UnicodeDecodeError) as error:""",
)

assert all(prompt in (ROOT / "examples/nano/heldout.txt").read_text() for prompt in PROMPTS)

PROMPT_774M = "    return str(value)"
NEW_774M = 8
"""The number of new tokens. A model with random weights repeats itself; of 60 lines, this one yields three different
tokens with leads above MARGIN."""
