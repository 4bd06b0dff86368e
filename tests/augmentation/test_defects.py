"""Defects of serial sections, each seen on its own."""

from __future__ import annotations

from dataclasses import replace

import torch

from napari_aitrain.training import augmentation
from napari_aitrain.training.augmentation import Augmenter

STILL = replace(
    augmentation.LIGHT, warp=0, tone=0, blur=0, noise=0, section=0, contrast=1.0, offset=0.0
)  # fmt: skip


def vary(monkeypatch, image, **ranges):
    """Return a stack, varied by what is named alone, and not turned."""
    monkeypatch.setitem(augmentation.STRENGTHS, "light", replace(STILL, **ranges))
    monkeypatch.setattr(Augmenter, "_turn", lambda self, shape: (list(range(3)), [False] * 3))
    turn = Augmenter("light", 3, (50.0, 4.0, 4.0), True, torch.Generator().manual_seed(1))
    ids = torch.arange(image.numel(), dtype=torch.float32).view(image.shape)
    out, values, weight = turn(image, ids, torch.ones_like(image), (True,))
    return out, values, weight, ids


def test_without_a_share_nothing_changes(monkeypatch):
    image = torch.rand(2, 1, 8, 24, 24)
    out, values, weight, ids = vary(monkeypatch, image)
    assert torch.allclose(out, image)
    assert torch.equal(values, ids) and weight.all()


def test_some_sections_are_lost_and_others_unsharp_but_labels_stay(monkeypatch):
    image = torch.rand(8, 1, 32, 24, 24)
    out, values, weight, ids = vary(monkeypatch, image, section=0.2)
    deviation = out.std((3, 4)).flatten()
    lost, unsharp = deviation < 1e-6, (deviation > 1e-6) & (deviation < 0.2)
    assert 0.1 < lost.float().mean() < 0.3
    assert 0.05 < unsharp.float().mean() < 0.3
    same = ~lost & ~unsharp
    assert torch.allclose(out.movedim(2, 1).flatten(0, 1)[same], image.movedim(2, 1).flatten(0, 1)[same])
    assert torch.equal(values, ids) and weight.all()


def test_sections_differ_in_contrast(monkeypatch):
    image = torch.rand(4, 1, 32, 24, 24)
    out, *_ = vary(monkeypatch, image, contrast=1.5)
    gain = out.std((3, 4)) / image.std((3, 4))
    assert gain.min() < 0.95 and gain.max() > 1.05


def test_displaced_sections_take_their_labels_along(monkeypatch):
    columns = torch.arange(64.0).expand(6, 1, 24, 64, 64).contiguous()
    monkeypatch.setitem(
        augmentation.STRENGTHS, "light", replace(STILL, warp=1, zoom=1.0, stretch=1.0, bend=0.0, section=0.3)
    )
    monkeypatch.setattr(Augmenter, "_turn", lambda self, shape: (list(range(3)), [False] * 3))
    monkeypatch.setattr(augmentation, "sections", lambda image, *_: image)
    monkeypatch.setattr(augmentation, "blur", lambda image, *_: image)
    monkeypatch.setattr(augmentation, "_rotation", lambda angle, pair, dims: torch.eye(dims).repeat(len(angle), 1, 1))
    turn = Augmenter("light", 3, (50.0, 4.0, 4.0), True, torch.Generator().manual_seed(1))
    image, values, weight = turn(columns, columns, torch.ones_like(columns), (True,))
    known = weight > 0
    assert torch.allclose(image[known], values[known], atol=0.51)
    middle = values[:, 0, :, 32, 32]
    assert (middle - middle.median(1, keepdim=True).values).abs().max() > 2
