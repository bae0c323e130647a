"""Convolutions read and predict images that are large enough for them."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from diabolo.data.fields import Batch, Pixels
from diabolo.networks.layers.convolution import LARGEST_GRID, ConvolutionDecoder, PatchGrid
from diabolo.networks.member import Member
from diabolo.networks.network import Network
from diabolo.networks.recipes import RECIPES, make_members
from diabolo.networks.stems import StemOptions, make_stem
from diabolo.networks.stems.convolution import MIN_SIDE, ConvolutionStem
from diabolo.networks.stems.grid import PixelStem
from diabolo.utils.torch_state import forked_rng

ROWS, WIDTH = 5, 12
FIELDS = [Pixels((3, 25, 30)), Pixels((3, 25, 30), -2.0, 5.0)]


@pytest.fixture(params=[False, True], ids=["means", "full"])
def modules(request: pytest.FixtureRequest) -> Any:
    with forked_rng(0):
        stem: Any = make_stem(FIELDS, StemOptions(convolution=True, full_distribution=request.param))
        return stem, stem.make_head(WIDTH)


@pytest.fixture
def values() -> Tensor:
    with forked_rng(1):
        return torch.randn(ROWS, len(FIELDS), *FIELDS[0].shape)


def shown(values: Tensor) -> Tensor:
    return torch.ones_like(values, dtype=torch.bool)


@pytest.mark.parametrize(
    ("side", "convolution", "expected"),
    [
        (MIN_SIDE, True, ConvolutionStem),
        (MIN_SIDE - 1, True, PixelStem),
        (MIN_SIDE, False, PixelStem),
    ],
)
def test_only_large_images_are_read_by_convolutions(side: int, convolution: bool, expected: type) -> None:
    fields = [Pixels((1, side, MIN_SIDE))]
    assert type(make_stem(fields, StemOptions(convolution=convolution))) is expected


@pytest.mark.parametrize("size", [(24, 24), (28, 28), (25, 30), (56, 48), (64, 64), (24, 200)])
def test_patches_cover_the_image(size: tuple[int, int]) -> None:
    grid = PatchGrid.of(*size)
    assert max(grid.cells) <= LARGEST_GRID
    cut = grid.cut(torch.ones(1, 1, *size))
    assert cut.shape[2:] == tuple(cells * grid.patch for cells in grid.cells)
    assert float(cut.sum()) == size[0] * size[1]


def test_the_stem_has_its_width_and_reads_rows_one_by_one(modules: Any, values: Tensor) -> None:
    together = modules[0](values, shown(values))
    assert together.shape == (ROWS, modules[0].width)
    alone = torch.cat([modules[0](row[None], shown(row[None])) for row in values])
    assert torch.allclose(alone, together, atol=1e-5)


def test_a_hidden_pixel_shows_only_that_it_is_hidden(modules: Any, values: Tensor) -> None:
    visible, other = shown(values), values.clone()
    visible[:, 0, :, 3:9, 4] = False
    other[:, 0, :, 3:9, 4] += 3
    assert torch.equal(modules[0](values, visible), modules[0](other, visible))
    assert not torch.equal(modules[0](values, visible), modules[0](values, shown(values)))


def test_the_head_predicts_every_pixel_and_every_weight_learns(modules: Any, values: Tensor) -> None:
    head = modules[1]
    with forked_rng(2):
        h = torch.randn(ROWS, WIDTH)
        for parameter in head.parameters():  # the last layers begin with zeros, which pass no gradient
            torch.nn.init.normal_(parameter, std=0.1)
    likelihood = head(h)
    assert likelihood.mean.shape == values.shape
    (-likelihood.log_prob(values).sum()).backward()
    assert all(float(p.grad.abs().sum()) > 0 for p in head.parameters())


def test_the_first_prediction_is_the_average_image() -> None:
    decoder = ConvolutionDecoder(WIDTH, 2, PatchGrid.of(25, 30))
    assert not bool(decoder(torch.randn(3, WIDTH)).any())


@pytest.mark.parametrize("recipe", RECIPES)
def test_every_recipe_learns_from_large_images(recipe: str) -> None:
    with forked_rng(3):
        coarse = torch.randn(24, 1, 1, 4, 4)
        images = torch.nn.functional.interpolate(coarse[:, 0], scale_factor=6).unsqueeze(1)
        batch = Batch({Pixels.kind: images}, {Pixels.kind: shown(images)})
        for member in make_members(recipe, {}, {Pixels.kind}).values():
            network = Network({Pixels.kind: [Pixels((1, 24, 24))]}, {Pixels.kind: np.array([True])}, member)
            assert losses_fall(network, batch)


def losses_fall(network: Network, batch: Batch) -> bool:
    """Whether twenty steps of gradient descent lower the loss."""
    optimizer = torch.optim.Adam(network.parameters(), 3e-3)
    first = float(network.row_losses(batch).mean())
    for _ in range(20):
        optimizer.zero_grad()
        network.loss(batch).total.backward()  # type: ignore[no-untyped-call]
        optimizer.step()
    return float(network.row_losses(batch).mean()) < first


def test_members_of_older_files_have_dense_layers() -> None:
    state = Member(convolution=True).to_json()
    assert Member.from_json(state).convolution
    del state["convolution"]
    assert not Member.from_json(state).convolution
