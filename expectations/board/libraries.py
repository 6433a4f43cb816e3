"""The JavaScript of libraries that pages of the site share, in one file: copied out of Python packages.

Vega draws the interactive figures. Its expression interpreter evaluates their specifications, so that a
content security policy without `unsafe-eval` can hold. Tabulator shows the tables.
"""

from __future__ import annotations

import hashlib
import re
import shutil
from functools import cache
from importlib.metadata import version
from importlib.resources import files
from pathlib import Path

from expectations import kept, pages

LIBRARIES = "libraries.js"
"""File name in the site's folder."""

PICTURES = "pictures.js"
"""The same, of the script with which pages without other scripts save their figures as PNG."""

KEPT_IN = Path(__file__).resolve().parents[2] / "build"
"""Where Vega's script is kept for the next publication; bundling it takes a second."""

_KEPT = "vega-{digest}.js"
_INTERPRETER = "2.0.0"  # of the Vega that vl-convert 1.9 brings
_UNUSED = re.compile(
    r"range|group|tree|edit|menu|popup|print|footer|calcs|paginat|page|alert|spreadsheet|data-tree|toggle"
    r"|responsive|moving|selected|rtl|filter|validation|vertical|traffic|tooltip|@"
)
_VEGA = """
import {{ View as ViewOfVega, parse as parseForVega }} from "/npm/vega@{vega}/+esm";
import {{ expressionInterpreter as interpreterOfVega }} from "/npm/vega-interpreter@{interpreter}/+esm";
window.vega = {{ View: ViewOfVega, parse: parseForVega, expressionInterpreter: interpreterOfVega }};
"""


def write_libraries(folder: Path) -> None:
    """Write `libraries.js` and `pictures.js` into the site's folder."""
    (folder / LIBRARIES).write_text(libraries())
    shutil.copyfile(Path(pages.__file__).parent / PICTURES, folder / PICTURES)


@cache
def libraries() -> str:
    """The text of the file: `window.vega` and `window.Tabulator`."""
    return f"{_vega()}\n{_tabulator('js/tabulator.min.js')}\n"


@cache
def table_style() -> str:
    """Tabulator's own style sheet, without the rules of features that no page uses."""
    rules = re.findall(r"[^{}]+{[^{}]*}", _tabulator("css/tabulator_simple.min.css"))
    return "".join(rule for rule in rules if not _UNUSED.search(rule.split("{")[0]))


def _vega() -> str:
    import vl_convert

    imports = _VEGA.format(vega=vl_convert.get_vega_version(), interpreter=_INTERPRETER)
    made_from = hashlib.sha256(f"{version('vl-convert-python')} {imports}".encode()).hexdigest()
    place = KEPT_IN / _KEPT.format(digest=made_from[:32])
    bundle = kept.read(place)
    if bundle is None:
        bundle = vl_convert.javascript_bundle(imports).encode()
        kept.keep(bundle, place, instead_of=_KEPT.format(digest="*"))
    return f"(() => {{{bundle.decode()}}})();"


def _tabulator(name: str) -> str:
    return _without_map((files("js_lib_tabulator") / "static" / "tabulator" / name).read_text())


def _without_map(text: str) -> str:
    """Without the last line's reference to a source map, which is not in the site."""
    return text.split("//# sourceMappingURL", maxsplit=1)[0].split("/*# sourceMappingURL", maxsplit=1)[0]
