"""Settings of the documentation site. ``make docs`` builds it."""

from __future__ import annotations

import re
from importlib.metadata import version as version_of
from typing import TYPE_CHECKING

from pygments.lexers import TextLexer

if TYPE_CHECKING:
    from sphinx.application import Sphinx

project = "airflow-provider-instagram"
author = "The authors of airflow-provider-instagram"
copyright = f"{author}, under the Apache License 2.0"  # noqa: A001 -- a setting of Sphinx
version = release = version_of(project)
html_title = f"airflow-provider-instagram {release}"

extensions = ["myst_parser", "sphinx_copybutton"]
source_suffix = {".md": "markdown"}
myst_heading_anchors = 4

html_theme = "furo"
html_static_path = ["static"]
html_css_files = ["site.css"]
html_show_sphinx = False
html_copy_source = False


def index_codes(_app: Sphinx, page: str, source: list[str]) -> None:
    """Put Meta's codes into the index, because the search finds numbers in the index only."""
    if page == "operate/errors":
        text, heading, codes = source[0].partition("## Meta's codes\n")
        numbers = sorted(set(re.findall(r"\b\d{5,}\b", codes)))
        source[0] = f"{text}{heading}\n```{{index}} {', '.join(numbers)}\n```\n{codes}"


def setup(app: Sphinx) -> dict[str, bool]:
    """Show CSV as text, and let the search find codes."""
    app.add_lexer("csv", TextLexer)
    app.connect("source-read", index_codes)
    return {"parallel_read_safe": True}
