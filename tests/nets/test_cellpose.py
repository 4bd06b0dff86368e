"""Cellpose's network, built small by the package's own classes."""

from __future__ import annotations

import subprocess
import sys
from importlib.metadata import PackageNotFoundError

import numpy as np
import pytest
import torch
from pydantic import ValidationError
from small_cellpose import SMALL, small_network

from napari_aitrain.errors import ConfigError
from napari_aitrain.nets import (
    CellposeConfig,
    InferenceNetwork,
    NetworkConfig,
    build_network,
    cellpose_package,
    choose_network,
    read_network,
)
from napari_aitrain.nets.cellpose import config_of_weights, to_cellpose
from napari_aitrain.nets.cellpose_package import cellpose_module
from napari_aitrain.nets.scaled import at_scale, for_voxels

pytest.importorskip("cellpose")


def test_a_card_without_an_architecture_is_of_a_u_net() -> None:
    old = {key: value for key, value in choose_network("small", 2, 1, 3).model_dump().items() if key != "architecture"}
    assert isinstance(read_network(old), NetworkConfig)
    assert read_network(SMALL.model_dump(mode="json")) == SMALL
    with pytest.raises(ValidationError):
        read_network({"architecture": "resnet"})


def test_the_sizes_of_cellpose_sam_are_the_default() -> None:
    vit = cellpose_module("vit")
    with torch.device("meta"):
        whole = vit.CPSAM()
        mine = build_network(CellposeConfig())
    shapes = {name: tensor.shape for name, tensor in whole.state_dict().items()}
    assert {name: tensor.shape for name, tensor in to_cellpose(mine.state_dict()).items()} == shapes
    assert config_of_weights(whole.state_dict()) == CellposeConfig()
    assert 300e6 < sum(p.numel() for p in mine.parameters()) < 310e6


def test_sizes_are_found_again_in_weights() -> None:
    assert config_of_weights(to_cellpose(small_network().state_dict())) == SMALL


@pytest.mark.parametrize("wrong", [{"tile": 100}, {"patch": 3}, {"attention_heads": 3}, {"anisotropy": 0}, {"x": 1}])
def test_sizes_that_do_not_go_together_are_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        CellposeConfig.model_validate(SMALL.model_dump() | wrong)


def test_it_learns_from_tiles_of_one_to_three_channels() -> None:
    network = small_network().train()
    for channels in (1, 2, 3):
        output = network(torch.randn(2, channels, 32, 32))
        assert output.shape == (2, 4, 32, 32) and not output[:, 0].any()
    output.square().mean().backward()
    learning = {name for name, p in network.named_parameters() if p.grad is not None}
    assert learning == {name for name, p in network.named_parameters() if p.requires_grad}
    assert any("blocks.1" in name for name in learning) and not any("patch_embed" in name for name in learning)


def test_what_is_dropped_follows_from_the_step() -> None:
    network = small_network().train()
    network.net.rdrop = 0.9
    image, outputs = torch.randn(8, 1, 32, 32), []
    for step in (3, 4, 3):
        network.seed(step)
        outputs.append(network(image))
    assert torch.equal(outputs[0], outputs[2]) and not torch.equal(outputs[0], outputs[1])


@pytest.mark.parametrize("shape", [(2, 1, 20, 30), (1, 3, 70, 41), (1, 2, 32, 32)])
def test_images_are_seen_as_by_cellpose(shape: tuple[int, ...]) -> None:
    network, images = small_network(), np.random.default_rng(0).random(shape, np.float32)
    wanted, _ = cellpose_module("core").run_net(network.net.eval(), np.moveaxis(images, 1, -1), bsize=32)
    found = InferenceNetwork(network)(torch.from_numpy(images))
    assert found.shape == (shape[0], 4, *shape[2:]) and not found[:, 0].any()
    assert torch.allclose(found[:, 1:].movedim(1, -1), torch.from_numpy(wanted), atol=1e-5)


def test_volumes_are_seen_as_by_cellpose() -> None:
    network = small_network(SMALL.model_copy(update={"dims": 3}))
    image = np.random.default_rng(0).random((1, 4, 14, 10), np.float32)
    wanted, _ = cellpose_module("core").run_3D(network.net.eval(), np.moveaxis(image, 0, -1), bsize=32)
    found = InferenceNetwork(network)(torch.from_numpy(image)[None])[0].movedim(0, -1)
    assert torch.allclose(found * torch.tensor([2, 2, 2, 3]), torch.from_numpy(wanted), atol=1e-5)


def test_slices_far_apart_are_brought_nearer() -> None:
    network = small_network(SMALL.model_copy(update={"dims": 3}))
    image = torch.rand(1, 1, 3, 12, 10)
    plain, transforms = InferenceNetwork(network), cellpose_module("transforms")
    seen = for_voxels(plain, (30.0, 10.0, 10.0))
    stretched = transforms.resize_image_3d(image[0].movedim(0, -1).numpy(), (9, 12, 10))
    wanted = transforms.resize_image_3d(
        plain(torch.from_numpy(stretched).movedim(-1, 0)[None])[0].movedim(0, -1).numpy(), (3, 12, 10)
    )
    assert torch.allclose(seen(image)[0].movedim(0, -1), torch.from_numpy(wanted), atol=1e-4)
    assert not torch.allclose(seen(image), plain(image), atol=1e-2)
    assert for_voxels(plain, None) is plain
    scaled = for_voxels(at_scale(plain, 2.0, 3), (30.0, 10.0, 10.0))
    assert scaled.inner.config.anisotropy == 3 and plain.config.anisotropy == 1


def test_bfloat16_comes_near() -> None:
    network, image = small_network(), torch.rand(1, 1, 40, 40)
    exact = InferenceNetwork(network)(image)
    rough = InferenceNetwork(network, precision=torch.bfloat16)(image)
    assert rough.dtype == torch.float32 and (exact - rough).abs().mean() < 0.05
    assert next(network.parameters()).dtype == torch.float32


def without(name: str) -> object:
    def version(package: str) -> str:
        raise PackageNotFoundError(package) if package == name else AssertionError(package)

    return version


def test_without_the_package_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cellpose_package, "version", without("cellpose"))
    with pytest.raises(ConfigError, match=r"not installed.*\n.*\n.*napari-aitrain\[cellpose\]"):
        build_network(SMALL)


def test_an_older_cellpose_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cellpose_package, "version", lambda name: "3.1.1.2")
    with pytest.raises(ConfigError, match=r"cellpose 3\.1\.1\.2 is installed"):
        build_network(SMALL)


PROGRAM = """
import importlib, sys, types
import torch
from napari_aitrain.errors import ConfigError
from napari_aitrain.nets import cellpose_package
real = importlib.import_module
times = []
def imported(name, *rest, **more):
    if name == "torchvision":
        times.append(name)
        if {always!r} or len(times) == 1:
            sys.modules["torchvision"] = types.ModuleType("torchvision")
            raise {error}
    return real(name, *rest, **more)
importlib.import_module = imported
try:
    cellpose_package.cellpose_module("vit")
    print("works", len(times), "torchvision" in sys.modules)
except ConfigError as error:
    print(error.what, error.expected, error.remedy)
"""


def run(error: str, always: bool) -> str:
    program = PROGRAM.format(error=error, always=always)
    return subprocess.run(
        [sys.executable, "-c", program], check=True, capture_output=True, text=True, timeout=100
    ).stdout


def test_a_torchvision_whose_compiled_part_does_not_load_will_do() -> None:
    try:
        import torchvision.extension

        if torchvision.extension._has_ops():
            pytest.skip("here torchvision's compiled part loads")
    except (ImportError, RuntimeError):
        pass
    assert run("RuntimeError('operator torchvision::nms does not exist')", False).startswith("works 2 True")


@pytest.mark.parametrize(
    ("error", "always"),
    [("ImportError('no torchvision')", True), ("RuntimeError('operator torchvision::new_one does not exist')", True)],
    ids=["missing", "too new"],
)
def test_a_torchvision_that_does_not_fit_is_told_with_what_to_install(error: str, always: bool) -> None:
    told = run(error, always)
    minor = int(torch.__version__.split(".")[1]) + 15
    assert "do not fit together" in told and f"torchvision==0.{minor}.*" in told
