"""Pages: one HTML file each, filled from a template, that needs no network."""

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


def write_page(path: Path, template: str, *, script: str = "", **content: Any) -> Path:
    """Fill the template NAME.html.jinja and write the page; all pages share one style sheet.

    Args:
        path: the HTML file to write.
        template: NAME.
        script: the file of its script, next to the template; empty for a page without one.
        content: the variables of the template.

    Returns:
        the path.

    Raises:
        MissingExtraError: jinja2 is not installed.
        DataError: the file cannot be written.
    """
    jinja2 = need("jinja2", "report")
    environment = jinja2.Environment(
        loader=jinja2.FunctionLoader(read_part),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["unbroken_dates"] = _unbroken_dates
    code = read_part(script) if script else ""
    # Only a script with this hash may run in the page, and nothing may be loaded from anywhere.
    script_hash = base64.b64encode(hashlib.sha256(code.encode()).digest()).decode()
    page = environment.get_template(f"{template}.html.jinja").render(
        style=read_part("page.css") + read_part("chart.css"),
        script=code,
        script_hash=script_hash,
        version=__version__,
        **content,
    )
    write_atomic(path, page.encode("utf-8", "replace"))
    return path


def _unbroken_dates(text: str) -> Any:
    """Return text as markup whose dates are not broken at their hyphens."""
    markup = need("markupsafe", "report")
    kept = re.sub(r"\d{4}-\d\d-\d\d", r'<span class="date">\g<0></span>', str(markup.escape(text)))
    return markup.Markup(kept)


def read_part(name: str) -> str:
    """Return the text of a file next to this one; a resource, as the package may be a zip file."""
    return resources.files(__package__).joinpath(name).read_text("utf-8")
