import ast
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

import napari_aitrain
from napari_aitrain.annotation.boxes import Box
from napari_aitrain.annotation.choosing import Choice
from napari_aitrain.annotation.findings import error, warning
from napari_aitrain.annotation.policy import (
    Policy,
    alone,
    effective_policy,
    parse_policy,
    project_policy,
    read_policy,
    user_policy,
    write_policy,
)
from napari_aitrain.annotation.rule_list import RULES
from napari_aitrain.errors import ConfigError

NOON = datetime(2026, 11, 20, 12, tzinfo=UTC)
boxes_of_any_kind = st.lists(
    st.builds(
        lambda status, tags, days: Box(
            start=(0, 0, 0),
            stop=(1, 9, 9),
            status=status,
            tags=tuple(tags),
            changed=None if days is None else NOON + timedelta(days=days),
        ),
        st.sampled_from(["in progress", "done", "reviewed", "rejected"]),
        st.sets(st.sampled_from("abc")),
        st.none() | st.integers(-3, 3),
    ),
    max_size=8,
)


@given(
    boxes_of_any_kind,
    st.sets(st.sampled_from(["in progress", "done", "reviewed", "rejected"])),
    st.sets(st.sampled_from("abc")),
    st.none() | st.integers(-3, 3),
    st.none() | st.integers(-3, 3),
)
def test_what_is_left_is_what_is_kept(boxes, statuses, tags, since, until) -> None:
    first, last = (None if day is None else NOON.date() + timedelta(days=day) for day in (since, until))
    choice = Choice(tuple(statuses), tuple(tags), first, last)
    kept, left = choice.keep(boxes), choice.left(boxes)
    assert left[-1].boxes == len(kept)
    assert [one.boxes for one in left] == sorted((one.boxes for one in left), reverse=True)
    assert all(box.status in statuses - {"rejected"} for box in kept)
    assert all(not tags or tags & set(box.tags) for box in kept)
    if since is not None or until is not None:
        assert all(box.changed is not None for box in kept)


def test_days_count_whole() -> None:
    box = Box(start=(0, 0, 0), stop=(1, 9, 9), changed=NOON)
    day = NOON.astimezone().date()
    assert Choice(("done",), since=day, until=day).keep([box]) == (box,)
    assert Choice(("done",), since=day + timedelta(days=1)).keep([box]) == ()
    assert (
        Choice(("done",), until=date(2026, 1, 1)).left([box, box.model_copy(update={"changed": None})])[1].undated == 1
    )


def test_every_finding_of_a_check_can_be_named_in_a_policy() -> None:
    package = Path(napari_aitrain.__file__).parent
    found = set()
    for folder in ("annotation", "training", "volumes"):
        for path in (package / folder).rglob("*.py"):
            for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
                if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.args:
                    level, code = node.func.id, node.args[0]
                    if level in ("error", "warning") and isinstance(code, ast.Constant) and code.value.islower():
                        found.add((code.value, level))
    # Those about the model to start from are about that choice, not about the training set.
    found = {(code, level) for code, level in found if not code.startswith("start-") and code != "damaged-starter"}
    known = {(code, rule.level) for code, rule in RULES.items()}
    assert found == known - {("no-validation-labels", "error"), ("no-test-labels", "error")}  # f"no-{role}-labels"


def test_a_policy_grades_findings() -> None:
    policy = Policy(levels={"few-annotations": "error", "box-small": "off", "roles-overlap": "warning"})
    found = [
        warning("box-small", "a"),
        error("roles-overlap", "b"),
        warning("few-annotations", "c"),
        error("Other", "d"),
    ]
    assert [(one.code, one.level) for one in policy.graded(found)] == [
        ("few-annotations", "error"),
        ("Other", "error"),
        ("roles-overlap", "warning"),
    ]
    assert Policy().graded(found)[-1].level == "warning"


@pytest.mark.parametrize(
    ("data", "said"),
    [
        ({"levels": {"few-anotations": "off"}}, "did you mean 'few-annotations'"),
        ({"levels": {"no-labels": "warning"}}, "nothing can be learned"),
        ({"minimum_extend": 3}, "minimum_extend"),
        ({"minimum_extent": 0}, "minimum_extent"),
        ([], "where"),
    ],
)
def test_a_wrong_policy_says_what_is_wrong(data, said) -> None:
    with pytest.raises(ConfigError, match="where") as caught:
        parse_policy(data, "where")
    assert said in caught.value.what


def test_the_training_goes_before_the_project_and_that_before_the_user(tmp_path, monkeypatch) -> None:
    monkeypatch.setenv("AITRAIN_HOME", str(tmp_path / "home"))
    project = tmp_path / "project"
    labels = project / "labels" / "nuclei.zarr"
    labels.mkdir(parents=True)
    assert project_policy([labels]) is None
    (project / "project.json").write_text("{}")
    where = project_policy([tmp_path / "elsewhere.tif", labels])
    assert where == project / "policy.yaml"
    assert effective_policy(None, [labels]) == Policy()
    write_policy(user_policy(), Policy(minimum_extent=8, enough_annotations=7, levels={"box-small": "off"}))
    write_policy(where, Policy(enough_annotations=20, levels={"few-annotations": "error"}))
    found = effective_policy(Policy(enough_per_class=40), [labels])
    assert (found.minimum_extent, found.enough_annotations, found.enough_per_class) == (8, 20, 40)
    assert found.levels == {"box-small": "off", "few-annotations": "error"}
    # What a job has written down no file changes any more.
    assert effective_policy(alone(Policy()), [labels]) == alone(Policy())


def test_what_a_policy_does_not_say_stays_unsaid_when_it_is_written() -> None:
    policy = Policy(enough_annotations=7)
    assert policy.model_dump(mode="json") == {"enough_annotations": 7}
    assert parse_policy(policy.model_dump(), "here").model_fields_set == {"enough_annotations"}


def test_a_policy_file_that_cannot_be_read_is_told(tmp_path) -> None:
    path = tmp_path / "policy.yaml"
    assert read_policy(path) == Policy()
    path.write_text("levels: {box-small: off}", encoding="utf-8")
    assert read_policy(path).levels == {"box-small": "off"}
    path.write_text("a: [", encoding="utf-8")
    with pytest.raises(ConfigError, match="not YAML"):
        read_policy(path)
    path.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(ConfigError, match="cannot be read"):
        read_policy(path)
