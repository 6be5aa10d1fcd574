"""Settings of the documentation site. ``make docs`` builds it."""

from __future__ import annotations

import os
import sys
import tempfile
from importlib.metadata import version as version_of
from pathlib import Path
from typing import TYPE_CHECKING, Final

from pygments.lexers import TextLexer

if TYPE_CHECKING:
    from sphinx.application import Sphinx

ROOT: Final = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))
#: Airflow writes its settings there when it is first imported. The site needs none, and no database.
_home = tempfile.TemporaryDirectory(prefix="airflow-")
os.environ["AIRFLOW_HOME"] = _home.name
os.environ["AIRFLOW__LOGGING__LOGGING_LEVEL"] = "ERROR"

project = "airflow-provider-instagram"
author = "The authors of airflow-provider-instagram"
copyright = f"{author}, under the Apache License 2.0"  # noqa: A001 -- a setting of Sphinx
version = release = version_of(project)
html_title = f"airflow-provider-instagram {release}"

extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.viewcode"]
source_suffix = {".md": "markdown"}
myst_heading_anchors = 4

html_theme = "furo"
html_static_path = ["static"]
html_css_files = ["site.css"]
html_show_sphinx = False
html_copy_source = False

autodoc_typehints = "description"
autodoc_typehints_description_target = "documented"
autodoc_class_signature = "mixed"
autodoc_member_order = "bysource"
autodoc_preserve_defaults = True
maximum_signature_line_length = 120
toc_object_entries_show_parents = "hide"


def _fill(app: Sphinx, docname: str, source: list[str]) -> None:
    """Replace the comments of a page that name a table or a number by those of the code."""
    from docs.tables import filled

    source[0] = filled(source[0])


def setup(app: Sphinx) -> dict[str, bool]:
    """Connect the tables and the numbers of the code to the pages."""
    app.add_lexer("csv", TextLexer)
    app.connect("source-read", _fill)
    return {"parallel_read_safe": True}
