from __future__ import annotations

import pytest

from airflow_provider_instagram.media.boxes import Edit, Mp4Layout, Track

TRIMS = Edit(4.0, 1.4, 1.0)
PICTURE, SOUND = Track(1, "vide", 15360, 300, (TRIMS,)), Track(2, "soun", 48_000, 469, ())


@pytest.mark.parametrize(
    ("numbers", "kinds"),
    [
        ([1, 2], ["vide", "soun"]),
        ([2, 1], ["soun", "vide"]),
        ([0, 1, 2], ["", "vide", "soun"]),
        ([0, 1], ["vide", "soun"]),
        ([], ["vide", "soun"]),
    ],
    ids=["as they are", "other order", "a cover picture first", "one that nobody knows", "no numbers"],
)
def test_tracks_stand_where_ffprobe_has_their_streams(numbers: list[int], kinds: list[str]) -> None:
    """A cover picture that ffprobe counts first must not make the picture's edit list the sound's."""
    layout = Mp4Layout(
        "mp42", moov_first=True, fragmented=False, missing_bytes=0, tracks=(PICTURE, SOUND), location_boxes=()
    )
    ordered = layout.ordered_as(numbers)
    assert [track.kind for track in ordered.tracks] == kinds
    assert [track.edits for track in ordered.tracks if track.kind == "vide"] == [(TRIMS,)]
