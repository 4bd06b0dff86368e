"""The demo, with few seconds of training: everything it promises is there, and what it says is so."""

import csv
import io

import numpy as np
import pytest
import tifffile
from rich.console import Console

from napari_aitrain.demo import run_demo
from napari_aitrain.errors import OutputExistsError
from napari_aitrain.evaluation import instance_metrics
from napari_aitrain.models import load_model
from napari_aitrain.samples import nuclei_2d


@pytest.fixture(scope="module")
def shown(tmp_path_factory):
    folder = tmp_path_factory.mktemp("demo")
    patch = pytest.MonkeyPatch()
    patch.setenv("AITRAIN_HOME", str(folder / "home"))
    patch.delenv("DISPLAY", raising=False)
    patch.chdir(folder)
    text = io.StringIO()
    result = run_demo(minutes=0.05, console=Console(file=text, width=200), sample=nuclei_2d(size=384, count=130))
    yield result, text.getvalue()
    patch.undo()


def test_everything_promised_is_there(shown):
    result, _ = shown
    for name in ("model/model.json", "model/weights.safetensors", "job/job.yaml", "prediction.tif", "report.html"):
        assert (result.folder / name).stat().st_size > 0
    with open(result.folder / "prediction.tif.scores.csv", newline="") as file:
        rows = list(csv.DictReader(file))
    labels = tifffile.imread(result.folder / "prediction.tif")
    assert labels.shape == (384, 384)
    assert {int(row["id"]) for row in rows} >= set(np.unique(labels)) - {0}


def test_picture_shows_start_middle_and_end(shown):
    result, _ = shown
    from matplotlib import image

    picture = image.imread(result.folder / "progress.png")
    assert picture.shape[0] > 300 and picture.shape[1] > 400 and picture.std() > 0.05


def test_figures_are_those_of_the_test_boxes(shown):
    result, _ = shown
    test = result.folder / "test"
    names = sorted(path.name for path in (test / "truth").glob("*.tif"))
    assert names == ["test-1.tif", "test-2.tif", "test-3.tif"]
    counted = sum(
        instance_metrics(tifffile.imread(test / "prediction" / n)[None], tifffile.imread(test / "truth" / n)[None])[
            "n_truth"
        ]
        for n in names
    )
    assert counted == result.evaluation.metrics["n_truth"] > 10


def test_test_boxes_were_never_trained_on(shown):
    result, _ = shown
    card = load_model(result.model).card
    assert card.data.voxels.get("train", 0) == 3 * 96 * 96
    assert card.data.voxels.get("validation", 0) == 96 * 96


def test_end_in_words_with_commands_that_can_be_typed(shown):
    result, text = shown
    metrics = result.evaluation.metrics
    assert f"found {result.n_right} of {metrics['n_truth']:.0f} objects" in text
    assert f"(AP50): {metrics['ap50']:.2f}" in text
    assert "napari-aitrain predict aitrain-demo/model YOUR_IMAGE --out YOUR_LABELS.tif" in text


def test_nothing_is_written_over(shown):
    result, _ = shown
    before = (result.folder / "prediction.tif").read_bytes()
    with pytest.raises(OutputExistsError):
        run_demo(result.folder, minutes=0.05)
    assert (result.folder / "prediction.tif").read_bytes() == before
