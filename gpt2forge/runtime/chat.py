"""Formats the messages of a chat by the package's template, in the sandbox that transformers uses.

https://huggingface.co/docs/transformers/chat_templating; `utils/chat_template_utils.py` has the environment.
"""

import json
from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

from gpt2forge.checkpoint.huggingface.chat_templates import TEMPLATE, list_template_names, read_templates
from gpt2forge.checkpoint.untrusted_text import quote_untrusted, read_object
from gpt2forge.errors import UserError, check_argument

CONFIG = "tokenizer_config.json"
SPECIAL = tuple(f"{role}_token" for role in ("bos", "eos", "unk", "sep", "pad", "cls", "mask"))


def format_chat(folder: Path, messages: Sequence[Mapping[str, str]]) -> str:
    """Return the prompt for the next answer in a chat; each message has a `role` and its `content`.

    Raises UserError if the package in `folder` has no template, if jinja2 is not installed, or if the template fails.
    """
    check_messages(messages)
    config = read_object(folder / CONFIG) if (folder / CONFIG).is_file() else {}
    names = {*list_template_names(folder), *([TEMPLATE] if (folder / TEMPLATE).is_file() else [])}
    template = read_templates(folder, names, config).get("default")
    if template is None:
        raise UserError(f"this model has no {TEMPLATE}, so it was not made for chats; give a prompt instead")
    plain = [dict(each) for each in messages]
    return render(template, messages=plain, add_generation_prompt=True, **read_tokens(config))


def check_messages(messages: Sequence[Mapping[str, str]]) -> None:
    """Raise TypeError or UserError unless each message has a role and a content, which are text."""
    for message in messages:
        if not isinstance(message, Mapping) or not {"role", "content"} <= message.keys():
            raise UserError("each message of a chat needs a `role` and a `content`")
        for key in ("role", "content"):
            check_argument(key, message[key], str)


def read_tokens(config: Mapping[str, Any]) -> dict[str, str]:
    """Return the special tokens that tokenizer_config.json names, by their roles."""
    found = {key: config.get(key) for key in SPECIAL}
    texts = {key: value.get("content") if isinstance(value, dict) else value for key, value in found.items()}
    return {key: text for key, text in texts.items() if isinstance(text, str)}


def render(template: str, **values: Any) -> str:
    """Fill a template. Raises UserError if jinja2 is not installed, or if the template fails."""
    try:
        from jinja2 import TemplateError

        from gpt2forge.runtime.chat_environment import make_environment
    except ImportError as error:
        raise UserError("a chat needs jinja2, which is not installed: pip install 'gpt2forge[chat]'") from error
    environment = make_environment()
    environment.filters["tojson"] = dump
    environment.globals["strftime_now"] = lambda form: datetime.now().strftime(form)
    try:
        return environment.from_string(template).render(**values)
    except (TemplateError, TypeError, ValueError, ArithmeticError, LookupError, AttributeError) as error:
        raise UserError(f"the chat template fails: {quote_untrusted(str(error))}; are the roles right?") from error


def dump(
    value: Any,
    ensure_ascii: bool = False,
    indent: int | None = None,
    separators: tuple[str, str] | None = None,
    sort_keys: bool = False,
) -> str:
    """Write a value as JSON; jinja2's own filter escapes it for HTML."""
    return json.dumps(value, ensure_ascii=ensure_ascii, indent=indent, separators=separators, sort_keys=sort_keys)
