"""Fully connected layers with their gradient written out."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

ATEN = torch.ops.aten


class FusedActivation(NamedTuple):
    """An activation: its values, and (gradient of its values, what was kept) -> the gradient of its input.

    What is kept is its input, or its values where those are enough: then they take the input's place.
    """

    forward: Callable[[Tensor], Tensor]
    backward: Callable[[Tensor, Tensor], Tensor]


FUSED_ACTIVATIONS = {
    "silu": FusedActivation(ATEN.silu.default, ATEN.silu_backward.default),
    "gelu": FusedActivation(ATEN.gelu.default, ATEN.gelu_backward.default),
    "relu": FusedActivation(ATEN.relu_.default, lambda g, y: ATEN.threshold_backward.default(g, y, 0)),
    "leaky_relu": FusedActivation(
        lambda x: ATEN.leaky_relu_.default(x, 0.1),
        lambda g, y: ATEN.leaky_relu_backward.default(g, y, 0.1, True),
    ),
}


class Norm(NamedTuple):
    """A batch normalisation: its weights, their gradients, and what it has seen so far."""

    scale: Tensor
    shift: Tensor
    of_scale: Tensor
    of_shift: Tensor
    mean: Tensor
    variance: Tensor
    momentum: float
    eps: float


class Layer(NamedTuple):
    """One layer's weights, their gradients, its normalisation if any, and whether it adds to its input."""

    weight: Tensor
    bias: Tensor
    of_weight: Tensor
    of_bias: Tensor
    norm: Norm | None
    adds: bool


class FusedMLP(torch.autograd.Function):
    """Linear, optional batch normalisation, activation, for several layers.

    It computes what the modules would, by the same kernels, and adds the gradients of its weights straight
    to where they are gathered. With the small matrices of a table, torch's bookkeeping for every single
    operation costs as much as the operations.
    """

    @staticmethod
    def forward(ctx: Any, h: Tensor, anchor: Tensor, layers: list[Layer], step: FusedActivation) -> Tensor:
        """(rows, inputs) -> (rows, last size).

        Args:
            ctx: keeps what the gradient needs.
            h: the input.
            anchor: a weight; that it asks for a gradient makes torch ask for this one.
            layers: the layers.
            step: the activation.
        """
        kept: list[tuple[Tensor, ...]] = []
        for weight, bias, _, _, norm, adds in layers:
            x = before = torch.addmm(bias, h, weight.t())
            mean = spread = bias
            if norm is not None:
                x, mean, spread = torch.native_batch_norm(
                    before, norm.scale, norm.shift, norm.mean, norm.variance, True, norm.momentum, norm.eps
                )
            out = step.forward(x)
            kept.append((h, before, x, mean, spread))
            h = h + out if adds else out
        # Only the output is kept by torch: it refers to this gradient, and the two would hold each other.
        ctx.save_for_backward(h)
        *rest, (first, before, x, mean, spread) = kept
        ctx.kept = [*rest, (first, before, None if x is h else x, mean, spread)]
        ctx.layers, ctx.step = layers, step
        return h

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, g: Tensor) -> tuple[Tensor | None, None, None, None]:
        """Gradients, from the last layer to the first."""
        (output,) = ctx.saved_tensors
        for number in reversed(range(len(ctx.layers))):
            weight, _, of_weight, of_bias, norm, adds = ctx.layers[number]
            h, before, x, mean, spread = ctx.kept[number]
            down = ctx.step.backward(g, output if x is None else x)
            if norm is None:
                of_bias.add_(down.sum(0))
            else:
                # A normalisation takes every shift away: the gradient of a bias before it is exactly 0.
                down, of_scale, of_shift = ATEN.native_batch_norm_backward.default(
                    down, before, norm.scale, None, None, mean, spread, True, norm.eps, [True, True, True]
                )
                norm.of_scale.add_(of_scale)
                norm.of_shift.add_(of_shift)
            of_weight.addmm_(down.t(), h)
            if number or ctx.needs_input_grad[0]:
                g = torch.addmm(g, down, weight) if adds else down @ weight
        return (g if ctx.needs_input_grad[0] else None, None, None, None)
