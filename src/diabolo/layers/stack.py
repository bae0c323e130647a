"""Many fully connected layers as one step of the gradient."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable

ATEN = torch.ops.aten


class Step(NamedTuple):
    """An activation: its values, and (gradient of its values, what was kept) -> the gradient of its input.

    What is kept is its input, or its values where those are enough: then they take the input's place.
    """

    forward: Callable[[Tensor], Tensor]
    backward: Callable[[Tensor, Tensor], Tensor]


STEPS = {
    "silu": Step(ATEN.silu.default, ATEN.silu_backward.default),
    "gelu": Step(ATEN.gelu.default, ATEN.gelu_backward.default),
    "relu": Step(ATEN.relu_.default, lambda g, y: ATEN.threshold_backward.default(g, y, 0)),
    "leaky_relu": Step(
        lambda x: ATEN.leaky_relu_.default(x, 0.1),
        lambda g, y: ATEN.leaky_relu_backward.default(g, y, 0.1, True),
    ),
}

Layer = tuple[nn.Linear, nn.BatchNorm1d | None]


class Stack(torch.autograd.Function):
    """Linear, optional batch normalisation, activation, for several layers, with one gradient for all.

    It computes what the modules would, by the same kernels, in training. For the small matrices of a
    table the bookkeeping of a gradient for every single operation costs more than the operations.
    """

    @staticmethod
    def through(h: Tensor, layers: Sequence[Layer], adds: Sequence[bool], activation: str) -> Tensor:
        """(rows, inputs) -> (rows, last size).

        Args:
            h: the input.
            layers: each layer's modules.
            adds: whether each adds to its input.
            activation: a name in `STEPS`.
        """
        weights: list[Tensor | None] = []
        for linear, norm in layers:
            weights += [linear.weight, linear.bias]
            weights += [None, None] if norm is None else [norm.weight, norm.bias]
            if norm is not None and norm.num_batches_tracked is not None:
                norm.num_batches_tracked.add_(1)
        out: Tensor = Stack.apply(h, layers, adds, STEPS[activation], *weights)  # type: ignore[no-untyped-call]
        return out

    @staticmethod
    def forward(
        ctx: Any,
        h: Tensor,
        layers: Sequence[Layer],
        adds: Sequence[bool],
        step: Step,
        *weights: Tensor | None,
    ) -> Tensor:
        """Values; what the gradient needs is kept."""
        kept: list[Tensor | None] = []
        for number, ((_, norm), add) in enumerate(zip(layers, adds, strict=True)):
            weight, bias, scale, shift = weights[4 * number : 4 * number + 4]
            assert weight is not None and bias is not None
            before = torch.addmm(bias, h, weight.t())
            mean = spread = None
            x = before
            if norm is not None:
                running = norm.running_mean, norm.running_var
                x, mean, spread = torch.native_batch_norm(
                    before, scale, shift, *running, True, norm.momentum or 0.1, norm.eps
                )
            out = step.forward(x)
            kept += [h, before if norm is not None else None, x, mean, spread]
            h = h + out if add else out
        ctx.save_for_backward(*kept, *weights)
        ctx.layers, ctx.adds, ctx.step = layers, adds, step
        return h

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, g: Tensor) -> tuple[Tensor | None, ...]:
        """Gradients, from the last layer to the first."""
        count = len(ctx.layers)
        kept, weights = ctx.saved_tensors[: 5 * count], ctx.saved_tensors[5 * count :]
        gradients: list[Tensor | None] = []
        for number in reversed(range(count)):
            h, before, x, mean, spread = kept[5 * number : 5 * number + 5]
            weight, bias, scale, _ = weights[4 * number : 4 * number + 4]
            down, norm = ctx.step.backward(g, x), ctx.layers[number][1]
            of_scale = of_shift = None
            if norm is not None:
                down, of_scale, of_shift = ATEN.native_batch_norm_backward.default(
                    down, before, scale, None, None, mean, spread, True, norm.eps, [True, True, True]
                )
            # A normalisation takes every shift away: the gradient of a bias before it is exactly 0.
            of_bias = down.sum(0) if norm is None else torch.zeros_like(bias)
            gradients[:0] = [down.t() @ h, of_bias, of_scale, of_shift]
            if number or ctx.needs_input_grad[0]:
                g = torch.addmm(g, down, weight) if ctx.adds[number] else down @ weight
        return (g if ctx.needs_input_grad[0] else None, None, None, None, *gradients)
