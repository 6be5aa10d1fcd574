"""Settings of the documentation site. ``make docs`` builds it."""

from __future__ import annotations

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


def setup(app: Sphinx) -> dict[str, bool]:
    """Show CSV as text."""
    app.add_lexer("csv", TextLexer)
    return {"parallel_read_safe": True}
