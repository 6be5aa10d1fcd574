"""The operator that converts videos and pictures into what Instagram accepts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, ClassVar, Final

from airflow.sdk import Context, conf

from airflow_provider_instagram.exceptions import ValidationError
from airflow_provider_instagram.media.spec import (
    ENDINGS,
    Options,
    PictureSpec,
    Profile,
    VideoSpec,
    check_ending,
    profile_for,
)
from airflow_provider_instagram.operators.authored import Arguments, AuthoredTask, Templated
from airflow_provider_instagram.operators.base import TRANSCODE, InstagramTask
from airflow_provider_instagram.posts.kinds import ItemKind, kind_by_name
from airflow_provider_instagram.utils import arguments
from airflow_provider_instagram.utils.urls import is_web, shown

if TYPE_CHECKING:
    from airflow_provider_instagram.media.spec import Fit, ProfileName, Trim
    from airflow_provider_instagram.publishing.transcode import Result

#: How the name of a result ends, by the kind of its source.
MADE_OF: Final = dict(zip(ItemKind, ENDINGS, strict=True))


class TranscodeOperator(AuthoredTask):
    """Make a video or a picture comply with Instagram's rules, at the lowest cost.

    A file that complies is returned unchanged. If its link has a query, which may be a signature
    and must not be stored in an XCom, a copy of the file is returned instead. Any other video, also
    an animated GIF, is converted to an MP4 with ffmpeg, and any other picture to a JPEG with
    Pillow. The result is checked by the same rules before it gets its name. The name of the output
    contains a digest of the source's content, the profile and the version of the tool, so that
    finished work is found and not repeated.

    Returns the path or URI of the compliant file. For a list of sources, returns a list, in which
    all items have the aspect ratio of the first, as a carousel shows them. The XCom ``report``
    contains the tier, the reasons, the warnings, and the measures before and after; for a list of
    sources, it is a list of these.

    :param source: The video or picture: a local path, ``file://``, ``https://``, or a URI that
        ObjectStoragePath opens. Or a list of these.
    :param output: The path or URI of the result. If it ends in ``/``, it is a folder or prefix, as
        a list of sources requires. A name with an ending must end like the result: ``.mp4`` for a
        video, ``.jpg`` for a picture. Default: next to a local source, or else under ``[instagram]
        work_prefix``.
    :param placement: The profile whose rules apply: ``reels``, ``feed``, ``story`` or ``carousel``.
    :param fit: How to fit a source of another aspect ratio into the frame: ``pad``, ``blur`` or
        ``crop``.
    :param background: The colour around a padded source and behind a transparent one: a name or
        ``#rrggbb``.
    :param trim: What to do with a video that is too long: ``error``, or ``end`` to cut off its end.
    :param spec: A :class:`~airflow_provider_instagram.media.spec.VideoSpec` or
        :class:`~airflow_provider_instagram.media.spec.PictureSpec` that replaces the one of the
            placement.
    """

    template_fields: Sequence[str] = (
        "source",
        "output_location",
        "placement",
        "fit",
        "background",
        "trim",
        "spec",
    )
    template_field_aliases: ClassVar[dict[str, str]] = {"output": "output_location"}
    ui_color = "#fdf1f6"

    def __init__(
        self,
        *,
        source: Sequence[str] | Templated,
        output: Templated | None = None,
        placement: ProfileName | Templated = "reels",
        fit: Fit | Templated = "pad",
        background: Templated = "black",
        trim: Trim | Templated = "error",
        spec: VideoSpec | PictureSpec | None = None,
        priority_weight: int = TRANSCODE,
        **kwargs: Any,
    ) -> None:
        super().__init__(priority_weight=priority_weight, **kwargs)
        self.source = source
        self.output_location = output
        self.placement = placement
        self.fit = fit
        self.background = background
        self.trim = trim
        self.spec = spec
        self.check()

    @classmethod
    def check_arguments(cls, known: Arguments) -> None:
        """Check the options and the names of files, as far as they are known."""
        _options(**{name: known[name] for name in ("fit", "background", "trim") if name in known})
        _profile(known.get("placement"), known.get("spec"))
        made = [*ENDINGS]
        if "source" in known:
            sources = _sources(known["source"], known.get("output"))
            for source in sources or [arguments.required_text("source", known["source"])]:
                _check_link(source)
                made = [MADE_OF[kind] for kind in (kind_by_name(source),) if kind] or made
        check_ending("output", arguments.text("output", known.get("output")), *made)

    def execute(self, context: Context) -> str | list[str]:
        """Transcode each source, and push a report."""
        sources = _sources(self.source, self.output_location)
        profile = _profile(self.placement, self.spec)
        options = _options(self.fit, self.background, self.trim)
        results = transcode(
            self,
            sources or [arguments.required_text("source", self.source)],
            profile,
            options,
            output=arguments.text("output", self.output_location),
        )
        reports = [result.report.as_data() for result in results]
        context["ti"].xcom_push(key="report", value=reports if sources else reports[0])
        return [result.location for result in results] if sources else results[0].location


def transcode(
    task: InstagramTask,
    sources: Sequence[str],
    profile: Profile,
    options: Options | None = None,
    **more: Any,
) -> list[Result]:
    """Run :class:`~airflow_provider_instagram.publishing.transcode.Transcode` in a task, until the task is killed."""
    from airflow_provider_instagram.publishing.transcode import Transcode
    from airflow_provider_instagram.utils.time_limit import Cancel

    task.cancel = Cancel()
    options = replace(options or Options(), **programs(), cancel=task.cancel)
    prefix = conf.get("instagram", "work_prefix")
    return Transcode(profile, options, work_prefix=prefix, **more).run(sources)


def programs() -> dict[str, Any]:
    """Return where ffmpeg and ffprobe are, as options of a transcode."""
    return {name: conf.get("instagram", name) for name in ("ffmpeg", "ffprobe")}


def _sources(given: Any, output: Any) -> list[str]:
    """Return the sources if a list is given, or else an empty list."""
    is_written_list = isinstance(given, str) and given.lstrip().startswith("[")
    if not is_written_list and not isinstance(given, (list, tuple)):
        return []
    sources = [
        arguments.required_text("source", source) for source in arguments.sequence("source", given)
    ]
    if not sources:
        raise ValidationError(
            "source is an empty list.", hint="Give at least one video or picture."
        )
    output = arguments.text("output", output)
    if output and not output.endswith("/"):
        raise ValidationError(
            f"output={output!r} is one file, but source is a list.",
            hint="End output= with / for a folder.",
        )
    return sources


def _profile(placement: Any, spec: Any) -> Profile:
    profile = profile_for(
        (arguments.text("placement", placement) or "reels").lower(),
        conf.get("instagram", "picture_shapes"),
    )
    spec = arguments.given(spec)
    if spec is None:
        return profile
    if isinstance(spec, VideoSpec):
        return replace(profile, video=spec)
    if isinstance(spec, PictureSpec):
        return replace(profile, picture=spec)
    raise ValidationError(f"spec must be a VideoSpec or a PictureSpec, not {spec!r}.")


def _options(fit: Any = None, background: Any = None, trim: Any = None) -> Options:
    given = {"fit": fit, "background": background, "trim": trim}
    texts: dict[str, Any] = {name: arguments.text(name, value) for name, value in given.items()}
    return Options(**{name: text for name, text in texts.items() if text is not None})


def _check_link(source: str) -> None:
    """Check that a web address is https, so that it can be downloaded."""
    if is_web(source) and not source.lower().startswith("https:"):
        raise ValidationError(
            f"source={shown(source)!r} is not https.",
            hint="Write its https:// address, a path, or a URI of storage.",
        )
