"""What every host is asked to go on with: ordinary Python that nano was not trained on."""

from tests.workshop import ROOT

NEW = 64  # tokens

MARGIN = 0.05
"""By how much the likeliest token's logit must lead the second's at every step of the reference.

Hosts round differently: another version of onnxruntime, another instruction set, a prompt in one pass or with padding.
Equal tokens can be asked for only where that decides nothing, and these prompts were chosen for it: of some 7,000
starts in heldout.txt they are among those with the largest leads in all four packages and the most different tokens.
"""

PROMPTS = (
    """\
        try:
            return parse_record(path.read_bytes())""",
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
"""Weights from a seed repeat themselves; of 60 lines this one has leads above MARGIN and three different tokens."""
