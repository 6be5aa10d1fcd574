"""The DAGs of ``dags/gallery`` as a user has them: copied, with the values at their top changed."""

from __future__ import annotations

import ast
import re
from pathlib import Path
from typing import Any, Final

ROOT: Final = Path(__file__).parents[1]
DAGS: Final = ROOT / "dags"
PAGES: Final = ROOT / "docs" / "gallery"


def adapted(name: str, **values: Any) -> str:
    """Return the text of a DAG file in which constants have other values.

    :param name: The file's path below ``dags``.
    :param values: The new values, by the names of the constants.
    """
    text = (DAGS / name).read_text()
    lines = text.splitlines(keepends=True)
    for node in reversed(ast.parse(text).body):
        if isinstance(node, ast.Assign) and (constant := ast.unparse(node.targets[0])) in values:
            lines[node.lineno - 1 : node.end_lineno] = [f"{constant} = {values.pop(constant)!r}\n"]
    assert not values, f"{name} has no {', '.join(values)}"
    return "".join(lines)


def example_on(page: str) -> str:
    """Return the one Python example that a page of the gallery has besides the DAG itself.

    :param page: The name of the page.
    """
    (source,) = re.findall(r"```python\n(.*?)```", (PAGES / page).read_text(), re.DOTALL)
    return str(source)
