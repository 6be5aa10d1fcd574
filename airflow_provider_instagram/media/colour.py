"""The filters that convert colours to what every phone shows: bt709, limited range, 8 bits."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from airflow_provider_instagram.media.geometry import Size
    from airflow_provider_instagram.media.info import Video

#: ffprobe's names of matrices, and the names that ffmpeg's scaler uses for them.
SCALER_MATRICES: Final = {"bt470bg": "bt601", "bt2020nc": "bt2020"} | {
    name: name for name in ("bt709", "fcc", "smpte170m", "smpte240m")
}
#: Primaries that ffmpeg's ``zscale`` knows and that are not bt709's.
OTHER_PRIMARIES: Final = frozenset({"bt470m", "bt470bg", "smpte170m", "smpte240m", "bt2020", "smpte431", "smpte432"})
#: Transfer curves of standard range that ``zscale`` knows. All others are treated as bt709's, which is very similar.
CURVES: Final = frozenset(
    {"smpte170m", "smpte240m", "bt2020-10", "bt2020-12", "iec61966-2-1", "iec61966-2-4", "linear"}
)
BT709: Final = {"primaries": "bt709", "transfer": "bt709", "matrix": "bt709", "range": "tv"}
#: The luminance of white in an HDR video, in candela per square metre. Source: ITU-R BT.2408.
WHITE_CD_M2: Final = 203


def scaled(stream: Any, video: Video, size: Size) -> Any:
    """Scale a video and convert its colours. Scaling comes first, because it leaves less to convert.

    :return: The stream, in bt709 and limited range.
    """
    if video.is_hdr:
        return _from_high_dynamic_range(stream.filter("scale", size.columns, size.rows, flags="bicubic"), video)
    if video.primaries in OTHER_PRIMARIES:
        curve = video.transfer if video.transfer in CURVES else "bt709"
        stream = stream.filter("scale", size.columns, size.rows, flags="bicubic")
        return stream.filter("zscale", **_source(video), transferin=curve, **BT709)
    return stream.filter(
        "scale",
        size.columns,
        size.rows,
        flags="bicubic",
        in_color_matrix=_matrix(video),
        out_color_matrix="bt709",
        in_range="pc" if video.full_range else "tv",
        out_range="tv",
    )


def _from_high_dynamic_range(stream: Any, video: Video) -> Any:
    return (
        stream.filter("zscale", **_source(video), transferin=video.transfer, transfer="linear", npl=WHITE_CD_M2)
        .filter("format", "gbrpf32le")
        .filter("zscale", primaries="bt709")
        .filter("tonemap", "mobius", desat=0)
        .filter("zscale", **BT709)
    )


def _source(video: Video) -> dict[str, str]:
    """Return the colours of the source. The default of an HDR video is bt2020."""
    return {
        "primariesin": video.primaries if video.primaries in OTHER_PRIMARIES else "bt2020",
        "matrixin": video.matrix if video.matrix in (*SCALER_MATRICES, "bt2020c", "gbr") else _usual_matrix(video),
        "rangein": "pc" if video.full_range else "tv",
    }


def _matrix(video: Video) -> str:
    return SCALER_MATRICES.get(video.matrix) or _usual_matrix(video)


def _usual_matrix(video: Video) -> str:
    """Return the matrix that players assume if a file names none: bt709 for high definition, bt2020 for wide colour."""
    if video.primaries == "bt2020" or video.is_hdr:
        return "bt2020nc"
    return "bt709" if min(video.columns, video.rows) >= 720 else "smpte170m"
