"""Pages: one HTML file each, from a template, that needs no network."""

from __future__ import annotations

import base64
import hashlib
import re
from importlib import resources
from pathlib import Path
from typing import Any

from diabolo.errors import need
from diabolo.utils.files import write_atomic
from diabolo.version import __version__


def write_page(path: Path, template: str, **shown: Any) -> Path:
    """Fill a template, NAME.html.jinja, with what it shows, and write it.

    All pages share one style; one with a script has it in NAME.js.

    Raises:
        MissingExtraError: jinja2 is not installed.
        DataError: the file cannot be written.
    """
    jinja2 = need("jinja2", "report")
    setting = jinja2.Environment(
        loader=jinja2.FunctionLoader(part),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    setting.filters["dates"] = _dates
    script = part(f"{template}.js") if _has(f"{template}.js") else ""
    # Only a script with this hash may run in the page, and nothing may be loaded from anywhere.
    script_hash = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    page = setting.get_template(f"{template}.html.jinja").render(
        style=part("page.css") + part("chart.css"),
        script=script,
        script_hash=script_hash,
        version=__version__,
        **shown,
    )
    write_atomic(path, page.encode("utf-8", "replace"))
    return path


def _dates(text: str) -> Any:
    """Text whose dates are not broken at their hyphens."""
    markup = need("markupsafe", "report")
    kept = re.sub(r"\d{4}-\d\d-\d\d", r'<span class="date">\g<0></span>', str(markup.escape(text)))
    return markup.Markup(kept)


def _has(name: str) -> bool:
    return resources.files(__package__).joinpath(name).is_file()


def part(name: str) -> str:
    """A file beside this one; read as a resource, as the package may be a zip file."""
    return resources.files(__package__).joinpath(name).read_text("utf-8")
