import csv
import io
import json
import re
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from napari_aitrain.errors import VolumeError
from napari_aitrain.evaluation import Evaluation
from napari_aitrain.evaluation.files import Scored
from napari_aitrain.evaluation.pictures import Row, grey_levels, side_by_side, write_progress_picture
from napari_aitrain.evaluation.report import write_report


def evaluation(**changes: object) -> Evaluation:
    """Return an evaluation of two images with scores."""
    metrics = {"ap50": 0.5, "iou": 0.75, "n_truth": 3, "n_prediction": 4}
    scored = Scored(np.array([0.9, 0.8, 0.3], np.float32), np.array([True, True, False]), 3)
    arguments = {"task": "instances", "how": "Taken for objects <b>.", "metrics": metrics, "scored": scored}
    images = {"a": {**metrics, "ap50": 0.25}, "b & c": {**metrics, "ap50": float("nan")}}
    return Evaluation(**{**arguments, "images": images, **changes})  # type: ignore[arg-type]


def row(title: str, shape: tuple[int, int, int] = (1, 32, 48), channels: int = 1) -> Row:
    random = np.random.default_rng(0)
    truth = np.zeros(shape, np.int32)
    truth[:, 5:12, 5:12], truth[:, 20:, 20:] = 7, -1
    return Row(title, random.random((channels, *shape)), truth, np.where(truth == 7, 2, 0), random.random(shape))


def text_of(html: str) -> str:
    """Return the text of a page, and fail where a tag is not closed in order."""
    parts: list[str] = []
    open_tags: list[str] = []

    class Reader(HTMLParser):
        def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
            if tag not in ("meta", "br", "img"):
                open_tags.append(tag)

        def handle_endtag(self, tag: str) -> None:
            assert open_tags.pop() == tag

        def handle_data(self, data: str) -> None:
            parts.append(data)

    Reader().feed(html)
    assert not open_tags
    return " ".join(parts)


def test_a_report_says_the_same_in_three_forms(tmp_path: Path) -> None:
    path = tmp_path / "report.html"
    roles = {"validation": {"ap50": 0.625, "score": 0.4}, "train": {"ap50": 0.875}}
    written = write_report(evaluation(), path, title="Nuclei & co", roles=roles, facts={"steps": 120})
    assert [p.name for p in written] == ["report.html", "report.json", "report.csv"]
    page = path.read_text(encoding="utf-8")
    text = text_of(page)
    assert "Nuclei & co" in text and "Taken for objects <b>." in text and "b & c" in text
    for figure in ("0.875", "0.625", "0.500", "0.250", "120"):
        assert figure in text
    assert text.index("train") < text.index("validation") < text.index("test")
    assert page.count("<svg") == 2
    data = json.loads((tmp_path / "report.json").read_text(encoding="utf-8"))
    assert data["roles"]["test"]["ap50"] == 0.5
    assert data["evaluation"]["images"]["b & c"]["ap50"] is None
    rows = list(csv.DictReader(io.StringIO((tmp_path / "report.csv").read_text(encoding="utf-8"))))
    assert [(r["what"], r["name"]) for r in rows] == [
        ("role", "train"),
        ("role", "validation"),
        ("role", "test"),
        ("image", "a"),
        ("image", "b & c"),
    ]
    assert float(rows[0]["ap50"]) == 0.875


def test_a_report_needs_nothing_from_elsewhere(tmp_path: Path) -> None:
    picture = tmp_path / "p.png"
    picture.write_bytes(side_by_side([row("start")]))
    write_report(evaluation(), tmp_path / "report.html", pictures=[("how it learned", picture)])
    page = (tmp_path / "report.html").read_text(encoding="utf-8")
    sources = re.findall(r'(?:src|href)="([^"]*)"', page)
    assert sources and all(s.startswith(("data:image/png;base64,", "#")) for s in sources)
    assert "<script" not in page


def test_a_report_of_classes_without_scores(tmp_path: Path) -> None:
    metrics = {"iou": 0.5, "iou_10": 0.4, "iou_2": 0.6}
    write_report(evaluation(metrics=metrics, scored=None, images={"a": metrics}), tmp_path / "r.html")
    page = (tmp_path / "r.html").read_text(encoding="utf-8")
    text = text_of(page)
    assert "<svg" not in page
    assert text.index("class 2") < text.index("class 10")
    assert "Image by image" not in text


def test_a_report_of_a_model_card_alone(tmp_path: Path) -> None:
    write_report(None, tmp_path / "r.html", roles={"validation": {"ap50": 0.5}})
    assert "0.500" in text_of((tmp_path / "r.html").read_text(encoding="utf-8"))


@pytest.mark.parametrize("channels", [1, 2, 3, 5])
def test_pictures_have_a_panel_per_column_and_row(channels: int) -> None:
    one = Image.open(io.BytesIO(side_by_side([row("start", channels=channels)])))
    three = Image.open(io.BytesIO(side_by_side([row(t, (4, 32, 48), channels) for t in ("start", "middle", "end")])))
    assert one.width == three.width
    assert three.height > 2 * one.height
    assert grey_levels(row("", channels=channels).image[:, 0]).shape == (32, 48, 3)


def test_matching_objects_have_matching_colours() -> None:
    image, truth, prediction, unsure = row("start").panels()
    np.testing.assert_array_equal(truth, prediction)
    np.testing.assert_array_equal(truth[25:], image[25:])
    assert not np.array_equal(truth[5:12, 5:12], image[5:12, 5:12])
    assert unsure.shape == image.shape


def test_a_constant_image_can_be_shown() -> None:
    assert np.isfinite(grey_levels(np.full((1, 4, 4), 7, np.uint8))).all()


def preview(folder: Path, step: int, size: int = 32) -> None:
    truth = np.ones((1, size, 32), np.int32)
    arrays = {"image": np.ones((1, *truth.shape), np.float32), "truth": truth, "labels": truth}
    folder.mkdir(exist_ok=True)
    np.savez(
        folder / f"{step:06d}.npz", uncertainty=np.zeros(truth.shape, np.uint8), step=step, seconds=step / 10, **arrays
    )


@pytest.mark.parametrize(("steps", "rows"), [([1], 1), ([1, 5], 2), ([1, 5, 9, 20, 40], 3)])
def test_progress_shows_start_middle_and_end(tmp_path: Path, steps: list[int], rows: int) -> None:
    preview(tmp_path / "previews", 0, size=64)  # of another place, so left out
    for step in steps:
        preview(tmp_path / "previews", step)
    out = write_progress_picture(tmp_path / "previews", tmp_path / "progress.png")
    expected = Image.open(io.BytesIO(side_by_side([row("step 1, 0 s", (1, 32, 32))] * rows)))
    assert Image.open(out).size == expected.size


def test_no_previews_are_an_error(tmp_path: Path) -> None:
    with pytest.raises(VolumeError, match="no previews"):
        write_progress_picture(tmp_path, tmp_path / "progress.png")
