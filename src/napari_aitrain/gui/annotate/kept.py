"""What a project keeps of layers, and how it becomes layers' settings again."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ...annotation.project import KeptClass, KeptImage, KeptTruth, KeptWindow, Project, ProjectState
from ...geometry import Region
from .truth import GroundTruth, LabelClass, Window

if TYPE_CHECKING:
    from ..session import Session


def kept_state(session: Session, project: Project) -> ProjectState:
    """Return the state to be written; ground truths whose layers were removed stay in it as closed."""
    viewer, truths = session.viewer, session.truths
    kept = [_kept_truth(truth, truths.layer(truth)) for truth in truths.all()]
    keys = {one.key for one in kept}
    closed = [one.model_copy(update={"closed": True}) for one in project.state.truths if one.key not in keys]
    names = {truth.image for truth in kept} | {box.image for box in session.boxes}
    images = {image.name: image for image in project.state.images}
    images |= {layer.name: _kept_image(layer) for layer in viewer.layers if layer.name in names}
    wanted = names | {one.image for one in closed}
    return ProjectState(
        images=tuple(images[name] for name in sorted(wanted) if name in images),
        truths=(*kept, *closed),
        boxes=tuple(session.boxes),
    )


def placing(kept: KeptImage | KeptTruth) -> dict[str, Any]:
    """Return the arguments of a layer that put it where it was."""
    return {
        "scale": kept.scale,
        "translate": kept.translate,
        "units": kept.units,
        "axis_labels": kept.axis_labels,
    }


def ground_truth_fields(kept: KeptTruth) -> dict[str, Any]:
    """Return the arguments of `GroundTruths.adopt` for a kept ground truth."""
    return {
        "mode": kept.mode,
        "magnification": kept.magnification,
        "classes": tuple(LabelClass(one.id, one.name, one.color) for one in kept.classes),
        "background_id": kept.background_id,
        "key": kept.key,
        "window": window_of(kept.window),
    }


def window_of(kept: KeptWindow | None) -> Window | None:
    """Return the window of a kept one."""
    if kept is None:
        return None
    return Window(Region(kept.start, kept.stop), kept.image_shape, kept.levels)


def _kept_window(window: Window | None) -> KeptWindow | None:
    if window is None:
        return None
    region = window.region
    return KeptWindow(start=region.start, stop=region.stop, image_shape=window.image_shape, levels=window.levels)


def _place_of(layer: Any) -> dict[str, Any]:
    return {
        "scale": tuple(float(v) for v in layer.scale),
        "translate": tuple(float(v) for v in layer.translate),
        "units": tuple(str(unit) for unit in layer.units),
        "axis_labels": tuple(layer.axis_labels),
    }


def _kept_image(layer: Any) -> KeptImage:
    array = layer.data[0] if layer.multiscale else layer.data
    source = layer.source
    return KeptImage(
        name=layer.name,
        path=str(source.path or ""),
        shape=tuple(int(n) for n in array.shape[: layer.ndim]),
        plugin=source.reader_plugin or "",
        **_place_of(layer),
    )


def _kept_truth(truth: GroundTruth, layer: Any) -> KeptTruth:
    return KeptTruth(
        key=truth.key,
        layer=layer.name,
        image=truth.image,
        mode=truth.mode,
        magnification=truth.magnification,
        classes=tuple(KeptClass(id=one.id, name=one.name, color=one.color) for one in truth.classes),
        background_id=truth.background_id,
        shape=tuple(int(n) for n in layer.data.shape),
        window=_kept_window(truth.window),
        **_place_of(layer),
    )
