"""The filters that bring a picture's colours to what every phone shows: bt709, limited range, 8 bits."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from airflow_provider_instagram.media.geometry import Size
    from airflow_provider_instagram.media.probe import Video

#: The matrices that ffmpeg's scaler knows by the names that ffprobe gives them.
SCALER_MATRICES: Final = frozenset({"bt709", "fcc", "bt470bg", "smpte170m", "smpte240m"})
BT709: Final = {"primaries": "bt709", "transfer": "bt709", "matrix": "bt709", "range": "tv"}
#: The brightness that white has in a picture of high dynamic range, in candela a square metre. Source: ITU-R BT.2408.
WHITE_CD_M2: Final = 203


def scaled(stream: Any, video: Video, size: Size) -> Any:
    """Scale a picture and convert its colours; the first comes first, for it leaves less to convert.

    :param stream: A stream of ffmpeg-python.
    :param video: What the picture is.
    :param size: Its new size.
    :return: The stream; its last filter leaves bt709 in limited range.
    """
    if video.is_hdr:
        return _from_high_dynamic_range(stream.filter("scale", size.columns, size.rows, flags="bicubic"), video)
    if video.primaries == "bt2020":
        stream = stream.filter("scale", size.columns, size.rows, flags="bicubic")
        return stream.filter(
            "zscale", **_source(video), primaries="bt709", transfer="bt709", matrix="bt709", range="tv"
        )
    return stream.filter(
        "scale",
        size.columns,
        size.rows,
        flags="bicubic",
        in_color_matrix=video.matrix if video.matrix in SCALER_MATRICES else _usual_matrix(video),
        out_color_matrix="bt709",
        in_range="pc" if video.full_range else "tv",
        out_range="tv",
    )


def _from_high_dynamic_range(stream: Any, video: Video) -> Any:
    return (
        stream.filter("zscale", **_source(video), transfer="linear", npl=WHITE_CD_M2)
        .filter("format", "gbrpf32le")
        .filter("zscale", primaries="bt709")
        .filter("tonemap", "mobius", desat=0)
        .filter("zscale", **BT709)
    )


def _source(video: Video) -> dict[str, str]:
    """What the picture's own colours are; a wide picture that does not tell everything is bt2020."""
    return {
        "primariesin": video.primaries or "bt2020",
        "transferin": video.transfer or "bt2020-10",
        "matrixin": video.matrix or "bt2020nc",
        "rangein": "pc" if video.full_range else "tv",
    }


def _usual_matrix(video: Video) -> str:
    """What players take for granted when a file does not tell: high definition is bt709."""
    return "bt709" if min(video.columns, video.rows) >= 720 else "smpte170m"
