"""Fully connected layers with a hand-written gradient."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

ATEN = torch.ops.aten


class FusedActivation(NamedTuple):
    """An activation, and (gradient of its output, what was kept) -> the gradient of its input.

    What is kept is its input; or its output, where that is enough: then it is computed in place.
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


class FusedNorm(NamedTuple):
    """A batch normalisation: its weights, their gradients, its running moments and its settings."""

    scale: Tensor
    shift: Tensor
    scale_grad: Tensor
    shift_grad: Tensor
    running_mean: Tensor
    running_var: Tensor
    momentum: float
    eps: float


class FusedLayer(NamedTuple):
    """A layer: weights, their gradients, its normalisation if any, and whether it adds to its input."""

    weight: Tensor
    bias: Tensor
    weight_grad: Tensor
    bias_grad: Tensor
    norm: FusedNorm | None
    residual: bool


class FusedMLP(torch.autograd.Function):
    """Linear, optional batch normalisation, activation, for several layers.

    It computes what the modules would, by the same kernels, and adds the gradients of its weights straight
    to the tensors that accumulate them. With the small matrices of a table, torch's bookkeeping for every
    single operation costs as much as the operations.
    """

    @staticmethod
    def forward(
        ctx: Any, h: Tensor, anchor: Tensor, layers: list[FusedLayer], activation: FusedActivation
    ) -> Tensor:
        """Return the output of the last layer, (rows, last size).

        Args:
            ctx: keeps what the gradient needs.
            h: (rows, inputs).
            anchor: any weight; because it requires a gradient, torch calls `backward`.
            layers: the layers.
            activation: of all layers.
        """
        kept: list[tuple[Tensor, ...]] = []
        for weight, bias, _, _, norm, residual in layers:
            x = before = torch.addmm(bias, h, weight.t())
            mean = inverse_std = bias
            if norm is not None:
                moments = norm.running_mean, norm.running_var
                x, mean, inverse_std = torch.native_batch_norm(
                    before, norm.scale, norm.shift, *moments, True, norm.momentum, norm.eps
                )
            out = activation.forward(x)
            kept.append((h, before, x, mean, inverse_std))
            h = h + out if residual else out
        # Only the output is kept by torch: it refers to this gradient, a cycle that would keep both alive.
        ctx.save_for_backward(h)
        *rest, (first, before, x, mean, inverse_std) = kept
        ctx.kept = [*rest, (first, before, None if x is h else x, mean, inverse_std)]
        ctx.layers, ctx.activation = layers, activation
        return h

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, None, None, None]:
        """Return the gradient of the input; add those of the weights, from the last layer to the first.

        Args:
            ctx: what `forward` kept.
            grad: (rows, last size) the gradient of the output.
        """
        (output,) = ctx.saved_tensors
        for number in reversed(range(len(ctx.layers))):
            weight, _, weight_grad, bias_grad, norm, residual = ctx.layers[number]
            h, before, x, mean, inverse_std = ctx.kept[number]
            down = ctx.activation.backward(grad, output if x is None else x)
            if norm is None:
                bias_grad.add_(down.sum(0))
            else:
                # A normalisation removes every shift: the gradient of a bias before it is exactly 0.
                outputs = [True, True, True]
                down, scale_grad, shift_grad = ATEN.native_batch_norm_backward.default(
                    down, before, norm.scale, None, None, mean, inverse_std, True, norm.eps, outputs
                )
                norm.scale_grad.add_(scale_grad)
                norm.shift_grad.add_(shift_grad)
            weight_grad.addmm_(down.t(), h)
            if number or ctx.needs_input_grad[0]:
                grad = torch.addmm(grad, down, weight) if residual else down @ weight
        return (grad if ctx.needs_input_grad[0] else None, None, None, None)
