"""Layers with a hand-written gradient compute what their modules compute one by one."""

from __future__ import annotations

import copy
from itertools import product

import pytest
import torch

from diabolo.networks.layers import MLP
from diabolo.networks.layers.fused_mlp import FUSED_ACTIVATIONS
from diabolo.utils.torch_state import forked_rng


def fused(net: MLP) -> MLP:
    for parameter in net.parameters():
        parameter.grad = torch.zeros_like(parameter)
    net.fuse(True)
    return net


@pytest.mark.parametrize(
    ("activation", "batch_norm", "residual"), list(product(FUSED_ACTIVATIONS, (False, True), (False, True)))
)
def test_a_stack_is_its_modules(activation: str, batch_norm: bool, residual: bool) -> None:
    with forked_rng(0):
        net = MLP(6, (8, 8, 5, 5), activation=activation, batch_norm=batch_norm, residual=residual).double()
        rows = torch.randn(7, 6, dtype=torch.double)
        towards = torch.randn(7, 5, dtype=torch.double)
    plain, written = copy.deepcopy(net).train(), fused(net).train()
    assert written.fused is not None
    found = []
    for one in (written, plain):
        for _ in range(2):  # gradients add up, and normalisations remember
            x = rows.clone().requires_grad_()
            out = one(x)
            (out * towards).sum().backward()
        buffers = [b for name, b in one.named_buffers() if "num_batches" not in name]
        found.append([out.detach(), x.grad, *(p.grad for p in one.parameters()), *buffers])
    assert sum(float(g.abs().sum()) for g in found[0][2:]) > 0
    for mine, theirs in zip(*found, strict=True):
        torch.testing.assert_close(mine, theirs, rtol=1e-9, atol=1e-12)


def test_the_input_is_left_as_it_is() -> None:
    """The activations work in place, and must not do so on what is not theirs."""
    net = fused(MLP(4, (4, 4), activation="relu")).train()
    x = torch.randn(5, 4, requires_grad=True)
    before = x.detach().clone()
    net(x.relu()).sum().backward()
    assert torch.equal(x.detach(), before) and x.grad is not None


def test_an_input_without_a_gradient_is_fine() -> None:
    net = fused(MLP(4, (4,))).train()
    net(torch.randn(5, 4)).sum().backward()
    assert all(float(p.grad.abs().sum()) > 0 for p in net.parameters() if p.grad is not None)


@pytest.mark.parametrize("activation", ["elu", "tanh"])
def test_others_go_through_their_modules(activation: str) -> None:
    net = fused(MLP(4, (4,), activation=activation)).train()
    assert net.fused is None
    net(torch.randn(5, 4)).sum().backward()


def test_nothing_is_left_after_training() -> None:
    net = fused(MLP(4, (4,))).train()
    net.fuse(False)
    copy.deepcopy(net)
    x = torch.randn(5, 4)
    torch.testing.assert_close(net(x), net.eval()(x))
