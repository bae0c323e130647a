"""Layers with one gradient for all compute what the modules compute one by one."""

from __future__ import annotations

import copy
from itertools import product

import pytest
import torch

from diabolo.layers import MLP
from diabolo.layers.stack import STEPS
from diabolo.training import private_draws


@pytest.mark.parametrize(
    ("activation", "batch_norm", "residual"), list(product(STEPS, (False, True), (False, True)))
)
def test_a_stack_is_its_modules(activation: str, batch_norm: bool, residual: bool) -> None:
    with private_draws(0):
        net = MLP(6, (8, 8, 5, 5), activation=activation, batch_norm=batch_norm, residual=residual).double()
        rows = torch.randn(7, 6, dtype=torch.double)
        towards = torch.randn(7, 5, dtype=torch.double)
    plain = copy.deepcopy(net)
    plain.activation = "one by one"
    found = []
    for one in (net.train(), plain.train()):
        x = rows.clone().requires_grad_()
        out = one(x)
        (out * towards).sum().backward()
        found.append([out.detach(), x.grad, *(p.grad for p in one.parameters()), *one.buffers()])
    assert sum(float(g.abs().sum()) for g in found[0][2:]) > 0
    for mine, theirs in zip(*found, strict=True):
        torch.testing.assert_close(mine, theirs, rtol=1e-9, atol=1e-12)


def test_the_input_is_left_as_it_is() -> None:
    """The activations work in place, and must not do so on what is not theirs."""
    net, x = MLP(4, (4, 4), activation="relu").train(), torch.randn(5, 4, requires_grad=True)
    before = x.detach().clone()
    net(x).sum().backward()
    assert torch.equal(x.detach(), before)
    x.grad = None
    net(x.relu()).sum().backward()
    assert x.grad is not None


def test_a_stack_learns_alone() -> None:
    net = MLP(3, (8, 1), activation="relu", batch_norm=True).train()
    x = torch.randn(64, 3)
    optimizer = torch.optim.Adam(net.parameters(), lr=0.05)
    first = last = 0.0
    for step in range(60):
        loss = (net(x) - x.sum(1, keepdim=True).relu()).square().mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        last = float(loss.detach())
        first = first or last
        assert step or first > 0
    assert last < 0.3 * first
