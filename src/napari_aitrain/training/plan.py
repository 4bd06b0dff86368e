"""The plan of a training: which boxes are used, as what, and what stands against it. Nothing is written."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace

from ..annotation.boxes import Role, Status
from ..annotation.findings import Finding, error, warning
from ..annotation.policy import Policy, effective_policy
from ..annotation.roles import Candidate
from ..annotation.rules import BoxedSource, check_boxes
from ..annotation.split import Split, assign_roles
from ..errors import AitrainError, NotReadyError
from ..geometry import Region, Triple
from ..location import absolute
from ..tasks import get_task, make_task
from ..volumes.units import VoxelSize
from .config import TrainConfig
from .dims import Depth, Dims, resolve_dims
from .labelled import Labelled, scan_labels
from .object_rules import tell_apart
from .set_rules import check_consistency
from .sources import SourceImage, open_sources
from .start import Start, plan_start
from .task_rules import check_needs
from .truth_rules import check_truth

REACH = 16


@dataclass(frozen=True)
class PlannedCrop:
    """A box, or a part of one, that will be frozen.

    Parameters
    ----------
    image : SourceImage
        Where it lies.
    region : Region
        In voxels of the training magnification.
    role : {'train', 'validation', 'test'}
        What it is used for.
    name : str
        The name of its box.
    status : {'in progress', 'done', 'reviewed'}
        The status of its box.
    sparse : bool
        Whether 0 means unlabelled in the file.
    labelled : Labelled
        What is labelled in it.
    """

    image: SourceImage
    region: Region
    role: Role
    name: str
    status: Status
    sparse: bool
    labelled: Labelled

    @property
    def depth(self) -> Depth:
        """What the choice between 2-D and 3-D depends on."""
        labelled = self.labelled
        continued, followed = (n / max(1, labelled.foreground) for n in (labelled.continued, labelled.followed))
        return Depth(self.region.shape[0], continued, self.image.voxel_size, followed, self.role == "train")


@dataclass(frozen=True)
class Plan:
    """What a training would use.

    Parameters
    ----------
    crops : tuple of PlannedCrop
        In the order of sources and boxes.
    dims : Dims
        Slice by slice or whole volumes, and why.
    classes : tuple of int
        Ids of the classes of the training crops in rising order; ``(0, 1)`` for instances.
    instances : bool
        Whether labels are ids of objects.
    sentence : str
        How validation came by its voxels.
    findings : tuple of Finding
        Errors and warnings.
    problems : tuple of AitrainError
        The errors among the findings that came from files, to be raised as they are.
    binary : bool
        Whether connected pieces of the labels are taken for objects.
    start : Start
        Where the training begins.
    task : str
        Its name.
    images : int
        Images of the training set, whether or not something of them is used.
    policy : Policy
        What the findings obey.
    """

    crops: tuple[PlannedCrop, ...]
    dims: Dims
    classes: tuple[int, ...]
    instances: bool
    sentence: str
    findings: tuple[Finding, ...]
    problems: tuple[AitrainError, ...] = ()
    binary: bool = False
    start: Start = field(default_factory=Start)
    task: str = "instances"
    images: int = 0
    policy: Policy = field(default_factory=Policy)

    def of_role(self, role: Role) -> list[PlannedCrop]:
        """Return the crops of a role."""
        return [crop for crop in self.crops if crop.role == role]

    def raise_errors(self) -> None:
        """Raise what blocks the start, if anything does.

        Raises
        ------
        AitrainError
            As a file gave it; `NotReadyError` with every error of the rules otherwise.
        """
        if self.problems:
            raise self.problems[0]
        errors = [finding for finding in self.findings if finding.level == "error"]
        if errors:
            raise NotReadyError(
                "\n".join(finding.message for finding in errors),
                "a training set without errors",
                "\n".join(dict.fromkeys(finding.remedy for finding in errors)),
            )


def plan_crops(config: TrainConfig, receptive_field: Triple | None = None) -> Plan:
    """Open the training set, read its ground truth box by box, choose dims and give roles.

    Parameters
    ----------
    config : TrainConfig
        What is to be trained.
    receptive_field : tuple of int, optional
        Half width of what the network sees around a voxel, in z, y, x order, in voxels of the training
        magnification; none takes 16 voxels, in z as many as make the same length, none in 2-D.

    Raises
    ------
    ConfigError
        If the task is unknown, a file of policy cannot be read, or 3-D is asked for and there is a single slice. All
        else becomes a finding.
    """
    task = get_task(config.task)
    policy = effective_policy(config.policy, (source.labels for source in config.sources))
    instances = task.instances
    opened = open_sources(config)
    found = [error(type(problem).__name__, problem.what, problem.remedy) for problem in opened.problems]
    if opened.strays:
        names = ", ".join(path.name for path in opened.strays[:4])
        found.append(
            warning("stray-files", f"{len(opened.strays)} files have no partner and are left out: {names}.", "Rename.")
        )
    candidates, problems = _scan(opened.images, not instances)
    found += [error(type(problem).__name__, problem.what, problem.remedy) for problem in problems]
    dims = resolve_dims(config, [crop.depth for crop in candidates], instances, task.continuous)
    if opened.images or not opened.problems:
        boxed = [_boxed(image, dims.dims == 2) for image in opened.images]
        found += [
            finding for finding in check_boxes(boxed, policy.minimum_extent) if candidates or finding.level == "error"
        ]
    apart = tell_apart(candidates, make_task(config.task, config.task_settings), dims.dims, config.task_settings)
    candidates = apart.crops
    found += apart.findings
    split = _split(config, candidates, _reach(receptive_field, dims.dims, candidates))
    crops = tuple(_parts(candidates, split))
    classes = _classes(crops, instances)
    found += check_consistency(candidates, dims.dims)
    found += check_needs(candidates, task)
    found += check_truth(crops, classes, instances, config.classes, config.class_names, policy)
    found += split.findings if candidates else ()
    start = plan_start(config, crops, dims.dims)
    found = policy.graded([*found, *start.findings])
    all_problems = (*opened.problems, *problems, *([start.problem] if start.problem else []))
    return Plan(
        crops=crops,
        dims=dims,
        classes=classes,
        instances=instances,
        sentence=split.sentence,
        findings=tuple(found),
        problems=all_problems,
        binary=apart.binary,
        start=start,
        task=config.task,
        images=len(opened.images),
        policy=policy,
    )


def _scan(images: Sequence[SourceImage], by_class: bool) -> tuple[list[PlannedCrop], list[AitrainError]]:
    crops: list[PlannedCrop] = []
    problems: list[AitrainError] = []
    for image in images:
        try:
            crops += _scan_image(image, by_class)
        except AitrainError as problem:
            problems.append(problem)
    return crops, problems


def _scan_image(image: SourceImage, by_class: bool) -> Iterator[PlannedCrop]:
    volume = image.open_labels()
    for box in image.boxes:
        region, sparse = image.aligned(box), image.is_sparse(box)
        if not region.empty:
            labelled = scan_labels(volume, region, sparse, image.source.background_id, by_class, image.chosen)
            yield PlannedCrop(image, region, box.role, box.label, box.status, sparse, labelled)


def _boxed(image: SourceImage, slices: bool) -> BoxedSource:
    return BoxedSource(
        image=str(image.image),
        labels=str(image.labels),
        labels_shape=image.shape,
        boxes=image.boxes,
        magnification=image.magnification,
        image_magnifications=image.image_magnifications,
        labels_magnifications=image.labels_magnifications,
        slices=slices,
        drawn=image.drawn,
    )


def _split(config: TrainConfig, crops: Sequence[PlannedCrop], reach: Triple) -> Split:
    candidates = [
        Candidate(
            region=crop.region,
            role=crop.role,
            image=str(absolute(crop.image.image)),
            name=crop.name,
            magnification=crop.image.magnification,
            profiles=crop.labelled.profiles,
            classes=crop.labelled.rows,
        )
        for crop in crops
    ]
    return assign_roles(candidates, config.validation_fraction, config.seed, reach)


def _parts(crops: Sequence[PlannedCrop], split: Split) -> Iterator[PlannedCrop]:
    for part in split.parts:
        crop = crops[part.of]
        if part.region == crop.region:
            yield replace(crop, role=part.role)
            continue
        background = crop.image.source.background_id
        labels = crop.image.open_labels()
        labelled = scan_labels(labels, part.region, crop.sparse, background, chosen=crop.image.chosen)
        yield replace(crop, role=part.role, region=part.region, labelled=labelled)


def _classes(crops: Sequence[PlannedCrop], instances: bool) -> tuple[int, ...]:
    if instances:
        return 0, 1
    found = {label for crop in crops if crop.role == "train" for label in crop.labelled.voxels}
    return tuple(sorted(found))


def _reach(receptive_field: Triple | None, dims: int, crops: Sequence[PlannedCrop]) -> Triple:
    if receptive_field is not None:
        return (0, *receptive_field[1:]) if dims == 2 else receptive_field
    if dims == 2:
        return 0, REACH, REACH
    sizes: list[VoxelSize] = [crop.image.voxel_size for crop in crops if crop.image.voxel_size is not None]
    ratio = min((size[1] / size[0] for size in sizes), default=1.0)
    return max(1, min(REACH, round(REACH * ratio))), REACH, REACH
