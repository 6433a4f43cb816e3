"""A model's own tokenizer and chat template, read from its folder without the runtime."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

if TYPE_CHECKING:
    from tokenizers import Tokenizer as FastTokenizer

TOKENIZER = "tokenizer.json"
TOKENIZER_CONFIG = "tokenizer_config.json"
_TEMPLATE_FILES = ("chat_template.jinja", "chat_template.json")
_ADDED = 8
"""More special tokens than a tokenizer puts around a text."""

Message = Mapping[str, Any]
Asked = str | Sequence[Message]
"""A text to be completed, or the messages of a conversation."""


class NoTokenizer(Exception):
    """Why tokens cannot be counted here; a reason in one line."""


class ConversationRefused(Exception):
    """The chat template's own words about a conversation that the model does not take."""


class Tokenizer:
    """Counts the tokens that a server makes of a prompt."""

    def __init__(self, fast: FastTokenizer, render: Callable[[Sequence[Message]], str] | None) -> None:
        """render: the chat template; `None` if there is none."""
        self._fast, self._render = fast, render

    @property
    def has_template(self) -> bool:
        """Whether conversations are counted with their chat template, or their text alone."""
        return self._render is not None

    def tokens_beyond(self, prompt: Asked, room: int) -> int | None:
        """How many tokens a prompt has if they are more than `room`; otherwise `None`.

        Raises:
            ConversationRefused: the chat template does not take it.
            NoTokenizer: the chat template cannot be rendered here.
        """
        text = prompt if isinstance(prompt, str) else self._text(prompt)
        if len(text.encode()) + _ADDED <= room:
            return None  # a token stands for at least one byte
        # A chat template writes special tokens itself; to a text to be completed the tokenizer adds them.
        count = len(self._fast.encode(text, add_special_tokens=isinstance(prompt, str)).ids)
        return count if count > room else None

    def _text(self, messages: Sequence[Message]) -> str:
        if self._render is not None:
            return self._render(messages)
        return "\n".join(text for message in messages for text in _texts(message["content"]))


def read_tokenizer(folder: Path) -> Tokenizer:
    """The tokenizer in a model's folder.

    Raises:
        NoTokenizer: there is none that can be read here, or its chat template cannot be.
    """
    try:
        import tokenizers
    except ModuleNotFoundError:
        raise NoTokenizer(
            "the package tokenizers is missing (pip install 'jouleboard-measure[prompts]')"
        ) from None
    if not (folder / TOKENIZER).is_file():
        raise NoTokenizer(f"{folder} has no {TOKENIZER}")
    try:
        fast = tokenizers.Tokenizer.from_file(str(folder / TOKENIZER))
    except Exception as error:  # noqa: BLE001  the library raises plain Exception
        raise NoTokenizer(f"{folder / TOKENIZER} cannot be read: {_first_line(error)}") from None
    fast.no_truncation()
    fast.no_padding()
    config = read_json(folder / TOKENIZER_CONFIG)
    template = _template(folder, config)
    return Tokenizer(fast, None if template is None else _renderer(template, config))


def read_json(file: Path) -> dict[str, Any]:
    """The object in a file of a model; empty where there is none."""
    try:
        content = json.loads(file.read_bytes())
    except (OSError, ValueError, RecursionError):
        return {}
    return content if isinstance(content, dict) else {}


def _template(folder: Path, config: Mapping[str, Any]) -> str | None:
    """The chat template, from the first place that has one."""
    jinja, of_processor = (folder / name for name in _TEMPLATE_FILES)
    try:
        found: Any = jinja.read_text()
    except (OSError, UnicodeDecodeError):
        found = config.get("chat_template") or read_json(of_processor).get("chat_template")
    if isinstance(found, list):  # several, by name
        named = {one.get("name"): one.get("template") for one in found if isinstance(one, dict)}
        found = named.get("default")
    return found if isinstance(found, str) else None


def _renderer(template: str, config: Mapping[str, Any]) -> Callable[[Sequence[Message]], str]:
    """As `transformers` renders it: a sandbox, since a template is code of whoever made the model.

    Source: transformers.utils.chat_template_utils.
    """
    try:
        from jinja2 import TemplateError, nodes
        from jinja2.ext import Extension, loopcontrols
        from jinja2.sandbox import ImmutableSandboxedEnvironment
    except ModuleNotFoundError:
        raise NoTokenizer(
            "the package jinja2 is missing (pip install 'jouleboard-measure[prompts]')"
        ) from None

    class Generation(Extension):
        """`{% generation %}` marks what training looks at; its content is written as it is."""

        tags = {"generation"}

        def parse(self, parser: Any) -> Any:
            line = next(parser.stream).lineno
            return nodes.Scope(
                parser.parse_statements(("name:endgeneration",), drop_needle=True), lineno=line
            )

    environment = ImmutableSandboxedEnvironment(
        trim_blocks=True, lstrip_blocks=True, extensions=[Generation, loopcontrols]
    )
    environment.filters["tojson"] = lambda value, **options: json.dumps(
        value, **{"ensure_ascii": False, **options}
    )
    environment.globals |= {"raise_exception": _refuse, "strftime_now": datetime.now().strftime}
    special = {name: _token(value) for name, value in config.items() if name.endswith("_token")}
    try:
        compiled = environment.from_string(template)
    except TemplateError as error:
        raise NoTokenizer(f"the chat template cannot be read: {_first_line(error)}") from None

    def render(messages: Sequence[Message]) -> str:
        try:
            return compiled.render(
                messages=messages, add_generation_prompt=True, tools=None, documents=None, **special
            )
        except ConversationRefused:
            raise
        except Exception as error:  # noqa: BLE001  a template may raise whatever Python raises
            raise NoTokenizer(f"the chat template cannot be rendered here: {_first_line(error)}") from None

    return render


def _refuse(message: object) -> NoReturn:
    raise ConversationRefused(_first_line(message))


def _token(value: object) -> object:
    return value.get("content") if isinstance(value, dict) else value


def _texts(content: Any) -> list[str]:
    return [content] if isinstance(content, str) else [part["text"] for part in content if "text" in part]


def _first_line(words: object) -> str:
    return (str(words).strip().splitlines() or [type(words).__name__])[0][:200]
