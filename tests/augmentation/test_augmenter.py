"""The augmenter: image and targets move together, unlabelled voxels stay so, one seed gives one result."""

import pytest
import torch

from napari_aitrain.training.augmentation import Augmenter

ISOTROPIC = (8.0, 8.0, 8.0)
ANISOTROPIC = (50.0, 4.0, 4.0)


def augmenter(strength="full", dims=2, voxel_size=None, em=False, seed=0):
    return Augmenter(strength, dims, voxel_size, em, torch.Generator().manual_seed(seed))


def smooth_field(*shape, seed=0):
    """A smooth random map, so that interpolation is exact to a small error."""
    coarse = torch.randn((1, 1, *(max(2, n // 12) for n in shape)), generator=torch.Generator().manual_seed(seed))
    mode = "bilinear" if len(shape) == 2 else "trilinear"
    return torch.nn.functional.interpolate(coarse, shape, mode=mode, align_corners=True)


def geometry_only(monkeypatch):
    monkeypatch.setattr(Augmenter, "_vary", lambda self, image, ranges, part: image)


def test_none_returns_the_patch_itself():
    image, values, weight = torch.rand(2, 1, 16, 16), torch.rand(2, 3, 16, 16), torch.ones(2, 1, 16, 16)
    out = augmenter("none")(image, values, weight, (False,) * 3)
    assert all(torch.equal(a, b) for a, b in zip(out, (image, values, weight), strict=True))


def test_none_crops_the_middle():
    image = torch.arange(36.0).view(1, 1, 6, 6)
    out, _, _ = augmenter("none")(image, image, torch.ones_like(image), (False,), (2, 4))
    assert torch.equal(out, image[:, :, 2:4, 1:5])


@pytest.mark.parametrize("strength", ["light", "full"])
@pytest.mark.parametrize("labelled", [1.0, 0.7])
@pytest.mark.parametrize(("dims", "voxel_size"), [(2, None), (3, ISOTROPIC), (3, ANISOTROPIC)])
def test_image_and_targets_move_together(monkeypatch, strength, labelled, dims, voxel_size):
    geometry_only(monkeypatch)
    shape = (96, 96) if dims == 2 else (24, 40, 40)
    field = smooth_field(*shape).expand(8, 1, *shape)
    weight = (torch.rand((8, 1, *shape), generator=torch.Generator().manual_seed(1)) < labelled).float()
    classes = (field > 0).float()
    image, values, new_weight = augmenter(strength, dims, voxel_size, em=True)(
        field, torch.cat([field, classes], 1), weight, (False, True), tuple(n - 8 for n in shape)
    )
    known = new_weight > 0
    assert known.float().mean() > 0.3 * labelled
    assert torch.allclose(new_weight[known], torch.tensor(1.0))
    assert (image - values[:, :1])[known].abs().quantile(0.99) < 0.2
    clear = known & (image.abs() > 0.3)
    assert ((image > 0) == (values[:, 1:] > 0))[clear].float().mean() > 0.995
    assert set(values[:, 1].unique().tolist()) <= {0.0, 1.0}


def test_geometry_really_moves(monkeypatch):
    geometry_only(monkeypatch)
    field = smooth_field(64, 64).repeat(8, 1, 1, 1)
    image, _, _ = augmenter()(field, field, torch.ones_like(field), (False,))
    lattice = [torch.rot90(f, k, (1, 2)) for f in (field[0], field[0].flip(1)) for k in range(4)]
    exact = [any(torch.equal(sample, turned) for turned in lattice) for sample in image]
    assert any(exact)
    assert not all(exact)


@pytest.mark.parametrize("nearest", [True, False])
@pytest.mark.parametrize("seed", range(4))
def test_what_stands_in_unlabelled_voxels_never_counts(nearest, seed):
    poison = torch.full((6, 1, 64, 64), float("nan") if not nearest else -1e6)
    labelled = torch.zeros((6, 1, 64, 64))
    labelled[..., 20:44, 10:50] = 1
    values = torch.where(labelled > 0, 2.0, poison)
    _, out, weight = augmenter(seed=seed)(torch.rand(6, 1, 64, 64), values, labelled, (nearest,))
    known = weight > 0
    assert known.any()
    assert torch.allclose(out[known], torch.tensor(2.0), atol=1e-5)


@pytest.mark.parametrize("nearest", [True, False])
def test_no_labels_no_weight(nearest):
    zeros = torch.zeros(6, 1, 48, 48)
    _, _, weight = augmenter()(torch.rand(6, 1, 48, 48), zeros, zeros, (nearest,))
    assert not weight.any()


def test_outside_the_patch_weighs_nothing(monkeypatch):
    geometry_only(monkeypatch)
    ones = torch.ones(32, 1, 48, 48)
    tight = augmenter()(ones, ones, ones, (False,))[2]
    turn = augmenter()
    roomy = torch.ones(32, 1, *turn.input_shape((48, 48)))
    spacious = turn(roomy, roomy, roomy, (False,), (48, 48))[2]
    assert spacious.shape == tight.shape
    assert (tight == 0).float().mean() > 5 * (spacious == 0).float().mean()
    assert torch.allclose(tight[tight > 0], torch.tensor(1.0))


def test_weights_other_than_one_are_kept():
    weight = torch.zeros(8, 1, 48, 48)
    weight[..., :24] = 3.0
    values = torch.rand(8, 1, 48, 48)
    for nearest in (True, False):
        out = augmenter()(values, values, weight, (nearest,))[2]
        known = out > 0
        assert torch.allclose(out[known], torch.tensor(3.0), atol=1e-4)


@pytest.mark.parametrize(("dims", "em"), [(2, False), (3, True)])
def test_the_generator_alone_decides(dims, em):
    shape = (40, 40) if dims == 2 else (8, 32, 32)
    image, weight = torch.rand(3, 2, *shape), torch.ones(3, 1, *shape)
    generator = torch.Generator().manual_seed(7)
    turn = Augmenter("full", dims, None, em, generator)
    turn(image, weight, weight, (True,))
    state = generator.get_state()
    first = turn(image, weight, weight, (True,))
    torch.manual_seed(99)
    resumed = torch.Generator()
    resumed.set_state(state)
    second = Augmenter("full", dims, None, em, resumed)(image, weight, weight, (True,))
    third = turn(image, weight, weight, (True,))
    assert all(torch.equal(a, b) for a, b in zip(first, second, strict=True))
    assert not torch.equal(first[0], third[0])


def test_input_is_not_changed():
    image, weight = torch.rand(4, 1, 32, 32), torch.ones(4, 1, 32, 32)
    before = image.clone()
    for _ in range(5):
        augmenter()(image, image, weight, (False,))
    assert torch.equal(image, before)


@pytest.mark.parametrize(
    ("voxel_size", "exchanged"),
    [
        (ISOTROPIC, {0, 1, 2}),
        (ANISOTROPIC, {1, 2}),
        (None, {1, 2}),
        ((4.0, 8.0, 8.0), {1, 2}),
        ((8.0, 4.0, 8.0), {0, 2}),
    ],
)
def test_only_axes_of_equal_spacing_are_exchanged(voxel_size, exchanged):
    turn = augmenter(dims=3, voxel_size=voxel_size)
    orders = [turn._turn((32, 32, 32))[0] for _ in range(100)]
    moved = {axis for order in orders for axis, source in enumerate(order) if axis != source}
    assert moved == exchanged


def test_unequal_extents_are_not_exchanged():
    image = torch.rand(16, 1, 24, 32)
    out, _, _ = augmenter()(image, image, torch.ones_like(image), (False,))
    assert out.shape == image.shape


def test_anisotropic_sections_stay_whole(monkeypatch):
    """Nothing mixes sections when z is coarser: each output section shows one input section."""
    geometry_only(monkeypatch)
    depth = torch.arange(6.0).view(1, 1, 6, 1, 1).expand(12, 1, 6, 48, 48).contiguous()
    out, _, _ = augmenter(dims=3, voxel_size=ANISOTROPIC, em=True)(depth, depth, torch.ones_like(depth), (True,))
    assert torch.allclose(out, out.mean((3, 4), keepdim=True), atol=1e-3)
    assert torch.allclose(out, out.round(), atol=1e-3)


def test_in_plane_turns_are_rigid_in_physical_units(monkeypatch):
    """With y half as fine as x, a physical circle stays a circle whatever the angle."""
    ranges = Augmenter("full", 2, None, False, torch.Generator())._ranges
    turn = augmenter(voxel_size=(1.0, 2.0, 1.0))
    still = ranges.__class__(**{**ranges.__dict__, "zoom": 1.0, "stretch": 1.0, "bend": 0.0})
    grid = turn._grid(*turn._motion(5, still, (64, 128), list(range(5))), (64, 128), (64, 128))
    physical = grid * 64.0  # both axes span 128 units
    steps_x = (physical[:, :, 1:] - physical[:, :, :-1]).norm(dim=-1)
    steps_y = (physical[:, 1:] - physical[:, :-1]).norm(dim=-1)
    assert torch.allclose(steps_x, torch.ones_like(steps_x), atol=1e-3)
    assert torch.allclose(steps_y, torch.full_like(steps_y, 2.0), atol=1e-3)


def test_a_teacher_holds_on_unlabelled_voxels_and_thin_strokes_stay(monkeypatch):
    geometry_only(monkeypatch)
    teacher = smooth_field(64, 64).sigmoid().repeat(16, 1, 1, 1)
    stroke = torch.zeros_like(teacher)
    stroke[..., 30, 5:60] = 1
    values = torch.cat([stroke, teacher, 1 - teacher], 1)
    image, out, weight = augmenter()(teacher, values, stroke, (True, False, False), everywhere=2)
    assert set(weight.unique().tolist()) == {0.0, 1.0}
    assert torch.equal(out[:, :1], weight)
    assert (weight.sum((1, 2, 3)) > 20).all()
    taught = out[:, 1:].sum(1, keepdim=True)
    inside = taught > 0.5
    assert torch.allclose(taught[inside], torch.tensor(1.0), atol=1e-5)
    assert not taught[~inside].any()
    assert 0.9 < inside.float().mean() < 1
    assert torch.allclose(out[:, 1:2][inside], image[inside], atol=1e-5)
