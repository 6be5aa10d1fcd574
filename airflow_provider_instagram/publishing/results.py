"""What a use case returns if it has not done its work: it was not to be done, or it has to wait."""

from __future__ import annotations

from typing import NamedTuple


class Skipped(NamedTuple):
    """The work is not to be done.

    :param mark: In a few words, for the label of the task in the grid.
    :param reason: In a sentence.
    """

    mark: str
    reason: str
