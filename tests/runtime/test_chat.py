"""Chats are formatted as transformers formats them, in a sandbox; packages without a template are named."""

import json
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("jinja2")
pytest.importorskip("torch")

from transformers.utils.chat_template_utils import render_jinja_template

from gpt2forge.errors import UserError
from gpt2forge.runtime.chat import format_chat

MESSAGES = [
    {"role": "system", "content": "Be brief."},
    {"role": "user", "content": "<b>é & \u2603</b>\n"},
    {"role": "assistant", "content": "  yes "},
    {"role": "user", "content": "why?"},
]
TEMPLATES = {
    "chatml": (
        "{% for message in messages %}{{'<|im_start|>' + message['role'] + '\\n' + message['content'] + '<|im_end|>' + "
        "'\\n'}}{% endfor %}{% if add_generation_prompt %}{{ '<|im_start|>assistant\\n' }}{% endif %}"
    ),
    "blocks": "  {%- for m in messages %}\n  {% if m.role == 'user' %}\nQ: {{ m.content | trim }}\n  {% endif %}\n"
    "{% endfor %}\n{{ bos_token }}{{ eos_token }}{{ unk_token }}",
    "tags": "{% for m in messages %}{% generation %}{{ m.content }}{% endgeneration %}{% if loop.index == 2 %}{% break %}"
    "{% endif %}{% endfor %}",
    "json": "{{ messages | tojson }}{{ messages[1] | tojson(indent=2) }}",
    "namespace": "{% set ns = namespace(count=0) %}{% for m in messages %}{% set ns.count = ns.count + 1 %}{% endfor %}"
    "{{ ns.count }}{{ dict(a=1) | tojson }}",
}
TOKENS = {"bos_token": "<s>", "eos_token": {"content": "</s>", "lstrip": False}, "pad_token": None, "other_token": "x"}


def write(folder: Path, template: str, in_config: bool = False) -> Path:
    config: dict[str, Any] = {**TOKENS, **({"chat_template": template} if in_config else {})}
    (folder / "tokenizer_config.json").write_text(json.dumps(config))
    if not in_config:
        (folder / "chat_template.jinja").write_text(template)
    return folder


@pytest.mark.parametrize("in_config", [False, True])
@pytest.mark.parametrize("template", TEMPLATES.values(), ids=TEMPLATES.keys())
def test_prompt_is_that_of_transformers(tmp_path: Path, template: str, in_config: bool) -> None:
    wanted, _ = render_jinja_template(
        conversations=[MESSAGES],
        chat_template=template,
        add_generation_prompt=True,
        bos_token="<s>",
        eos_token="</s>",
    )
    assert [format_chat(write(tmp_path, template, in_config), MESSAGES)] == wanted


@pytest.mark.parametrize(
    ("template", "reason"),
    [
        ("{{ raise_exception('roles must alternate') }}", "roles must alternate"),
        ("{{ ''.__class__.__mro__ }}", "access to attribute `__class__"),
        ("{{ messages.append(1) }}", "access to attribute `append"),
        ("{% for %}", "Expected an expression"),
        ("{{ none.value.more }}", "has no attribute"),
        ("{{ range(100000000) | list }}", "Range too big"),
        ("{{ 1 / 0 }}", "division by zero"),
    ],
)
def test_template_that_fails_or_reaches_out_is_one_line(tmp_path: Path, template: str, reason: str) -> None:
    with pytest.raises(UserError) as error:
        format_chat(write(tmp_path, template), MESSAGES)
    assert str(error.value).startswith("the chat template fails: ")
    assert reason.partition("`")[0] in str(error.value)


def test_package_without_a_template_is_named(tmp_path: Path) -> None:
    with pytest.raises(UserError) as error:
        format_chat(tmp_path, MESSAGES)
    fault = "this model has no chat_template.jinja, so it was not made for chats; give a prompt instead"
    assert str(error.value) == fault


@pytest.mark.parametrize("message", [{"role": "user"}, {"content": "x"}, "x"])
def test_message_without_a_role_or_a_content_is_an_error(tmp_path: Path, message: Any) -> None:
    with pytest.raises(UserError, match=r"^each message of a chat needs a `role` and a `content`$"):
        format_chat(tmp_path, [message])
    with pytest.raises(TypeError, match=r"^`content` must be text"):
        format_chat(tmp_path, [{"role": "user", "content": 5}])  # type: ignore[dict-item]
