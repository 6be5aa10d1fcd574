"""The README on a package's page. Links to files of the repository lead nowhere there, so they become text."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from hatchling.metadata.plugin.interface import MetadataHookInterface


def for_package_page(readme: str) -> str:
    """Return a README without pictures and links that are relative to the repository."""
    without_pictures = re.sub(r"!\[[^\]]*\]\((?!https:)[^)]*\)\n\n", "", readme)
    return re.sub(r"\[([^\]]+)\]\((?!https:)[^)]*\)", r"\1", without_pictures)


class ReadmeHook(MetadataHookInterface):
    """Sets the README while a distribution is built."""

    def update(self, metadata: dict[str, Any]) -> None:
        """Set the field ``readme``, which ``pyproject.toml`` calls dynamic."""
        text = for_package_page((Path(self.root) / "README.md").read_text(encoding="utf-8"))
        metadata["readme"] = {"content-type": "text/markdown", "text": text}
