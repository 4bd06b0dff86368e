"""What `predict` leaves beside its outputs is neither an image nor a stray."""

import numpy as np
import tifffile

from napari_aitrain.volumes import match_files


def test_tables_and_stores_of_predictions_are_no_strays(tmp_path):
    for folder in ("found", "truth"):
        (tmp_path / folder).mkdir()
        for name in ("a.tif", "b.tif"):
            tifffile.imwrite(tmp_path / folder / name, np.zeros((8, 8), np.uint8))
    (tmp_path / "found" / "a.tif.scores.csv").write_text("id,score\n")
    (tmp_path / "found" / "a.tif.prediction").mkdir()
    (tmp_path / "found" / "notes.txt").write_text("mine")
    matching = match_files(tmp_path / "found", tmp_path / "truth")
    assert [pair.name for pair in matching.pairs] == ["a", "b"]
    assert [path.name for path in matching.ignored] == ["notes.txt"]
