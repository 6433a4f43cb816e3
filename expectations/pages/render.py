"""Renders the templates of `expectations/`, which are beside the modules that fill them."""

from __future__ import annotations

from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from expectations.pages import numbers
from expectations.pages.names import runtime_title

if TYPE_CHECKING:
    from jinja2 import Environment

ROOM = Path(__file__).parents[1]


def render_page(template: str, **values: object) -> str:
    """A page as text.

    template: path of the template below `expectations/`. values: escaped wherever the template shows them.

    Raises:
        jinja2.UndefinedError: the template uses a name that was not passed.
    """
    return _environment().get_template(template).render(values)


def templates_in(folder: Path, *, escape: bool = True) -> Environment:
    """The templates of a folder, set up as every page and message of this project needs them.

    escape: values are escaped for HTML; not in plain text. A name that a template uses and that was not
    passed is an error, not an empty text.
    """
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    class Templates(Environment):
        """Looks a name up in a row first: by default each costs an exception, and a page has many."""

        def getattr(self, obj: Any, attribute: str) -> Any:
            if type(obj) is dict and attribute in obj and not hasattr(dict, attribute):
                return obj[attribute]
            return super().getattr(obj, attribute)

    return Templates(
        loader=FileSystemLoader(folder),
        autoescape=escape,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )


@cache
def _environment() -> Environment:
    from markupsafe import Markup

    environment = templates_in(ROOM)
    environment.policies["json.dumps_kwargs"] = {
        "separators": (",", ":"),
        "default": str,
        "allow_nan": False,
    }
    environment.filters |= {**numbers.FILTERS, "figure": _figure, "cell": _cell, "runtime": runtime_title}
    environment.filters["drawing"] = Markup  # SVG that a figure's drawing escaped
    environment.filters["code"] = Markup  # style and scripts of libraries
    environment.globals["source"] = lambda name: Markup((ROOM / name).read_text())  # our own style and script
    return environment


def _figure(value: float | None, digits: int = 3) -> str:
    """Significant digits of a number; a dash where there is none."""
    from markupsafe import Markup

    return Markup("&ndash;") if value is None else numbers.significant(value, digits)


def _cell(value: object) -> str:
    """A value of a table as text: times in UTC, nothing for NULL."""
    if isinstance(value, datetime):
        return f"{value.astimezone(UTC):%F %H:%M}"
    return "" if value is None else str(value)
