"""Fully connected layers."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from diabolo.errors import OptionError
from diabolo.layers.stack import STEPS, Layer, Stack

ACTIVATIONS: dict[str, type[nn.Module]] = {
    "silu": nn.SiLU,
    "relu": nn.ReLU,
    "gelu": nn.GELU,
    "elu": nn.ELU,
    "tanh": nn.Tanh,
    "leaky_relu": nn.LeakyReLU,
}


class MLP(nn.Module):
    """Linear, optional batch normalisation, activation - once for each size.

    A layer as wide as the one before it adds to its input instead of replacing it, if `residual`:
    deep stacks then train as easily as shallow ones.

    Args:
        inputs: width of the input.
        sizes: width of each layer.
        activation: a name in `ACTIVATIONS`.
        batch_norm: normalise each layer's output over the batch.
        residual: add layers that keep the width to their input.
    """

    def __init__(
        self,
        inputs: int,
        sizes: Sequence[int],
        *,
        activation: str = "silu",
        batch_norm: bool = False,
        residual: bool = False,
    ) -> None:
        super().__init__()
        if activation not in ACTIVATIONS:
            raise OptionError(
                f"activation={activation!r} is not known", hint=f"one of {', '.join(sorted(ACTIVATIONS))}"
            )
        self.activation = activation
        self.blocks = nn.ModuleList()
        self.layers: list[Layer] = []
        self.adds = []
        for size in sizes:
            parts: list[nn.Module] = [nn.Linear(inputs, size)]
            if batch_norm:
                parts.append(nn.BatchNorm1d(size))
            # The slope 0.1 is the one that notes on autoencoders use; torch's own default is 0.01.
            parts.append(nn.LeakyReLU(0.1) if activation == "leaky_relu" else ACTIVATIONS[activation]())
            self.blocks.append(nn.Sequential(*parts))
            self.layers.append((parts[0], parts[1] if batch_norm else None))  # type: ignore[arg-type]
            self.adds.append(residual and inputs == size)
            inputs = size
        self.width = inputs

    def forward(self, h: Tensor) -> Tensor:
        """(rows, inputs) -> (rows, last size)."""
        if self.training and torch.is_grad_enabled() and self.activation in STEPS:
            return Stack.through(h, self.layers, self.adds, self.activation)
        for block, adds in zip(self.blocks, self.adds, strict=True):
            h = h + block(h) if adds else block(h)
        return h
