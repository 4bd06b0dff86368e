"""The demo: label a few boxes, train, predict, evaluate on boxes never trained on, and say what came of it."""

from __future__ import annotations

import itertools
import shlex
import shutil
import time
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from .cli.progress import show_events
from .cli.watch import watched
from .errors import JobError
from .geometry import Region
from .jobs import JobFolder, Worker, last
from .jobs.failure import as_error
from .jobs.folder import refuse_filled
from .samples import Sample, nuclei_2d, write_image, write_sample
from .training.config import SCRATCH, Source, TrainConfig
from .volumes import LabelsWriter

if TYPE_CHECKING:
    from rich.console import Console

    from .evaluation import Evaluation

_NAME = "aitrain-demo"


@dataclass(frozen=True)
class DemoResult:
    """What the demo reached and where it lies.

    Parameters
    ----------
    folder : Path
        With ``data/``, ``job/``, ``model/``, ``test/``, ``prediction.tif``, ``progress.png`` and ``report.html``.
    evaluation : Evaluation
        On the test boxes alone.
    seconds : float
        For everything.
    """

    folder: Path
    evaluation: Evaluation
    seconds: float

    @property
    def model(self) -> Path:
        """The model's folder."""
        return self.folder / "model"

    @property
    def n_right(self) -> int:
        """How many objects of the truth were found."""
        metrics = self.evaluation.metrics
        return round(metrics["recall"] * metrics["n_truth"])


def run_demo(
    out: Path | None = None, minutes: float = 1.0, console: Console | None = None, sample: Sample | None = None
) -> DemoResult:
    """Show the whole job on a sample of known truth, without a network and without a display.

    Parameters
    ----------
    out : Path, optional
        New folder for everything; ``aitrain-demo`` here, with a number if that is taken.
    minutes : float
        How long to train.
    console : Console, optional
        Where to tell what happens; standard output if not given.
    sample : Sample, optional
        What to learn from; nuclei if not given.

    Raises
    ------
    OutputExistsError
        If `out` is there and is not empty.
    AitrainError
        If the training failed; it says why.
    """
    from rich.console import Console

    console = console or Console(highlight=False)
    sample = sample or nuclei_2d()
    began = time.monotonic()
    folder = (_free_folder() if out is None else out).absolute()
    refuse_filled(folder)
    job = _label(sample, folder, minutes)
    boxes = Counter(box.role for box in sample.boxes)
    _say(
        console,
        f"A made-up image of {sample.name}, whose truth is known exactly, with {boxes['train']} boxes to train on, "
        f"{boxes['validation']} to watch while training, and {boxes['test']} that the model never sees.",
    )
    _say(console, f"Training for {minutes:g} min. Stop early with Ctrl-C.")
    _train(job, console)
    shutil.copytree(job.model, folder / "model")
    result = DemoResult(folder, _predict_and_evaluate(sample, folder, console), time.monotonic() - began)
    _draw(result)
    _tell(result, console)
    return result


def _free_folder() -> Path:
    names = (_NAME if number == 1 else f"{_NAME}-{number}" for number in itertools.count(1))
    return next(path for path in map(Path, names) if not path.exists())


def _label(sample: Sample, folder: Path, minutes: float) -> JobFolder:
    """Write an image, labels inside the boxes and the boxes, and the job that learns from them."""
    files = write_sample(sample, folder / "data")
    source = Source(image=files.image, labels=files.labels, boxes=sample.boxes)
    # What is shown is learning.
    config = TrainConfig(name="demo", task="instances", sources=(source,), minutes=minutes, start_from=SCRATCH)
    return JobFolder.create(config, folder / "job")


def _train(job: JobFolder, console: Console) -> None:
    """Train in a worker process, as `train` does; Ctrl-C ends the training, and the demo goes on with what it has."""
    worker = Worker(job)
    try:
        show_events(job.follow(alive=lambda: worker.alive), console)
    except KeyboardInterrupt:
        _say(console, "Stopping; what it has learned is kept.")
        worker.stop(grace=60)
    worker.process.wait()
    failed = last(job.events(), "failed")
    if failed is not None:
        raise as_error(failed.data)
    if not (job.model / "model.json").is_file():
        raise JobError("the training ended before there was a model", "a few seconds of training", f"see {job.log}")


def write_test(sample: Sample, test: Path) -> None:
    """Write each test box as an image of its own into ``images``, and its truth into ``truth``."""
    (test / "images").mkdir(parents=True)
    for box in (box for box in sample.boxes if box.role == "test"):
        name, (z, y, x) = f"{box.name.replace(' ', '-')}.tif", box.region.slices
        write_image(test / "images" / name, sample.image[:, z, y, x], sample.voxel_size)
        with LabelsWriter(test / "truth" / name, box.region.shape, voxel_size=sample.voxel_size) as writer:
            writer.write(Region.from_shape(box.region.shape), sample.labels[z, y, x])


def _predict_and_evaluate(sample: Sample, folder: Path, console: Console) -> Evaluation:
    """Predict the whole image for the eye, and the test boxes for the figures."""
    from .evaluation import evaluate_files
    from .inference import predict

    test = folder / "test"
    write_test(sample, test)
    with watched(console, "Predicting") as watch:
        for image, out in (
            (folder / "data" / f"{sample.name}.tif", folder / "prediction.tif"),
            (test / "images", test / "prediction"),
        ):
            predict(folder / "model", image, out, progress=watch.progress, cancelled=watch.cancelled)
    return evaluate_files(test / "prediction", test / "truth", task="instances")


def _draw(result: DemoResult) -> None:
    """Write the picture of how the model learned, and the report with it."""
    from .evaluation.pictures import write_progress_picture
    from .evaluation.report import write_report
    from .models import load_model

    card = load_model(result.model).card
    picture = write_progress_picture(result.folder / "job" / "previews", result.folder / "progress.png")
    write_report(
        result.evaluation,
        result.folder / "report.html",
        title="What the demo reached",
        roles={role: card.metrics[role] for role in ("train", "validation") if role in card.metrics},
        facts={"Steps": card.steps, "Seconds of training": round(card.seconds), "Seed": card.seed},
        pictures=[("The validation box while the model learned", picture)],
    )


def _tell(result: DemoResult, console: Console) -> None:
    """Say what was reached, where it lies and what to try next."""
    metrics, folder = result.evaluation.metrics, _path(result.folder)
    wrong = round(metrics["n_prediction"]) - result.n_right
    console.print(
        f"\nOn boxes it never saw it found {result.n_right} of {metrics['n_truth']:.0f} objects; {wrong} of the "
        f"{metrics['n_prediction']:.0f} that it drew are wrong. Average precision (AP50): {metrics['ap50']:.2f}.",
        style="bold green",
        soft_wrap=True,
    )
    rows = {
        "how it learned": f"{folder}/progress.png",
        "figures": f"{folder}/report.html",
        "model": f"{folder}/model",
        "labels": f"{folder}/prediction.tif, with prediction.tif.scores.csv",
    }
    for what, where in rows.items():
        _say(console, f"  {what:15}{where}")
    console.print("\nWhat to try next", style="bold")
    commands = {
        "five minutes more": f"train {folder}/job/job.yaml --start-from {folder}/model --minutes 5",
        "only sure objects": f"predict {folder}/model {folder}/data/nuclei.tif --out sure.tif --threshold 0.8",
        "your image": f"predict {folder}/model YOUR_IMAGE --out YOUR_LABELS.tif",
        "your labels": "train --image YOUR_IMAGE --labels YOUR_LABELS --task instances",
    }
    for what, command in commands.items():
        _say(console, f"  {what:19}napari-aitrain {command}")


def _path(path: Path) -> str:
    """Return a path as it can be typed here."""
    here = Path.cwd()
    return shlex.quote(str(path.relative_to(here) if path.is_relative_to(here) else path))


def _say(console: Console, text: str) -> None:
    console.print(text, markup=False, soft_wrap=True)
