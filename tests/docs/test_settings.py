"""The tables of settings say what the code says."""

import importlib.util
from pathlib import Path

import pytest
import yaml

from napari_aitrain.annotation.boxes import Box
from napari_aitrain.training.config import Source, TrainConfig

DOCS = Path(__file__).parents[2] / "docs"


@pytest.fixture(scope="module")
def settings_table():
    spec = importlib.util.spec_from_file_location("settings_table", DOCS / "settings_table.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_page_is_up_to_date(settings_table):
    page = settings_table.PAGE.read_text(encoding="utf-8")
    assert page == settings_table.page_with_tables(page), "run: python docs/settings_table.py"


def test_example_has_every_setting():
    example = yaml.safe_load((DOCS / "snippets" / "job.yaml").read_text(encoding="utf-8"))
    assert set(example) == set(TrainConfig.model_fields)
    assert set(example["sources"][0]) == set(Source.model_fields)
    assert set(example["sources"][0]["boxes"][0]) == set(Box.model_fields)
