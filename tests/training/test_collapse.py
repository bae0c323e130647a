"""Codes that say nothing are noticed."""

from __future__ import annotations

import pytest
import torch

from diabolo.data.fields import Batch, Pixels
from diabolo.networks.bottlenecks import Bottleneck, Quantized, Vanilla, Variational
from diabolo.networks.member import Member
from diabolo.networks.network import Network
from diabolo.training.collapse import collapse_notes
from diabolo.utils.torch_state import forked_rng


def built(bottleneck: Bottleneck) -> tuple[Network, Batch]:
    """An untrained network of small images, and images."""
    with forked_rng(0):
        field, scored = Pixels((1, 4, 4)), torch.ones(1, dtype=torch.bool).numpy()
        network = Network({Pixels.kind: [field]}, {Pixels.kind: scored}, Member(bottleneck=bottleneck))
        images = torch.randn(30, 1, 1, 4, 4)
    return network.eval(), Batch({Pixels.kind: images}, {Pixels.kind: torch.ones_like(images).bool()})


@pytest.mark.parametrize("bottleneck", [Vanilla(3), Quantized(3, levels=4)])
def test_codes_that_are_all_equal_are_noticed(bottleneck: Bottleneck) -> None:
    network, images = built(bottleneck)
    with torch.no_grad():
        network.get_parameter("bottleneck.code.weight").mul_(10)
        assert collapse_notes(network, images, "it") == []
        network.get_parameter("bottleneck.code.weight").zero_()
    (note,) = collapse_notes(network, images, "it")
    assert note.startswith("it: the latent code has collapsed: all 30 rows") and "lr=" in note


def test_numbers_of_a_code_that_say_nothing_are_counted() -> None:
    network, images = built(Variational(3, beta=2.0))
    with torch.no_grad():
        for name in ("mean", "log_var"):
            network.get_parameter(f"bottleneck.{name}.weight").mul_(10)
        assert collapse_notes(network, images, "it") == []
        for name in ("mean", "log_var"):
            network.get_parameter(f"bottleneck.{name}.weight")[1:].zero_()
            network.get_parameter(f"bottleneck.{name}.bias")[1:].zero_()
        (note,) = collapse_notes(network, images, "it")
        assert "2 of the 3 numbers" in note and "latent=1" in note and "beta than 2" in note
        for parameter in network.bottleneck.parameters():
            parameter.zero_()
    (note,) = collapse_notes(network, images, "it")
    assert "has collapsed" in note
