"""`gpt2forge generate`: text from a built recipe, as it comes."""


def generate(
    reference: str,
    prompt: str,
    max_tokens: int,
    temperature: float,
    top_k: int,
    top_p: float,
    seed: int,
    threads: int,
    as_json: bool,
) -> None:
    raise NotImplementedError
