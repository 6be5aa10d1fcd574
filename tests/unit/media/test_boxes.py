from __future__ import annotations

import pytest

from airflow_provider_instagram.media.boxes import Edit, Mp4Layout, Track

TRIMS = Edit(4.0, 1.4, 1.0)
PICTURE, SOUND = Track(1, 300, (TRIMS,)), Track(2, 469, ())


@pytest.mark.parametrize(
    ("numbers", "samples"),
    [
        ([1, 2], [300, 469]),
        ([2, 1], [469, 300]),
        ([0, 1, 2], [0, 300, 469]),
        ([0, 1], [300, 469]),
        ([], [300, 469]),
    ],
    ids=["as they are", "other order", "a cover picture first", "one that nobody knows", "no numbers"],
)
def test_tracks_stand_where_ffprobe_has_their_streams(numbers: list[int], samples: list[int]) -> None:
    """A cover picture that ffprobe counts first must not make the picture's edit list the sound's."""
    layout = Mp4Layout(
        "mp42", moov_first=True, fragmented=False, missing_bytes=0, tracks=(PICTURE, SOUND), location_boxes=()
    )
    ordered = layout.ordered_as(numbers)
    assert [track.samples for track in ordered.tracks] == samples
    assert [track.samples for track in ordered.tracks if track.edits] == [300]
