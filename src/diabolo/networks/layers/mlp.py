"""Fully connected layers."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial

import torch
from torch import Tensor, nn

from diabolo.errors import OptionError
from diabolo.networks.layers.fused_mlp import FUSED_ACTIVATIONS, FusedLayer, FusedMLP, FusedNorm

# In place where the gradient needs no more than the output. The slope 0.1 of leaky_relu is usual in notes on
# autoencoders; torch's default is 0.01.
ACTIVATIONS: dict[str, Callable[[], nn.Module]] = {
    "silu": nn.SiLU,
    "relu": partial(nn.ReLU, inplace=True),
    "gelu": nn.GELU,
    "elu": nn.ELU,
    "tanh": nn.Tanh,
    "leaky_relu": partial(nn.LeakyReLU, 0.1, inplace=True),
}


class MLP(nn.Module):
    """Linear, optional batch normalisation, activation: once for each size.

    With `residual`, a layer as wide as the one before it adds to its input instead of replacing it; deep
    networks then train as easily as shallow ones.

    Args:
        inputs: width of the input.
        sizes: width of each layer.
        activation: a name in `ACTIVATIONS`.
        batch_norm: normalise each layer's output over the batch.
        residual: add the output of layers that keep the width to their input.

    Raises:
        OptionError: the activation is not known.
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
        self.blocks = nn.ModuleList()
        self.residual = []
        for size in sizes:
            parts: list[nn.Module] = [nn.Linear(inputs, size)]
            if batch_norm:
                parts.append(nn.BatchNorm1d(size))
            parts.append(ACTIVATIONS[activation]())
            self.blocks.append(nn.Sequential(*parts))
            self.residual.append(residual and inputs == size)
            inputs = size
        self.width, self.activation = inputs, activation
        self.fused: list[FusedLayer] | None = None

    def fuse(self, on: bool) -> None:
        """Switch the hand-written gradient on or off, for the time of a training loop.

        Until it is switched off, the tensors of weights and of their gradients must stay the same.
        """
        self.fused = None
        if not on or self.activation not in FUSED_ACTIVATIONS:
            return
        self.fused = []
        for block, residual in zip(self.blocks, self.residual, strict=True):
            (weight, weight_grad), (bias, bias_grad), *rest = [_with_gradient(p) for p in block.parameters()]
            norm = None
            if rest:
                (scale, scale_grad), (shift, shift_grad) = rest
                module = next(m for m in block.modules() if isinstance(m, nn.BatchNorm1d))
                assert module.running_mean is not None and module.running_var is not None
                moments = module.running_mean, module.running_var
                settings = module.momentum or 0.1, module.eps
                norm = FusedNorm(scale, shift, scale_grad, shift_grad, *moments, *settings)
            self.fused.append(FusedLayer(weight, bias, weight_grad, bias_grad, norm, residual))

    def forward(self, h: Tensor) -> Tensor:
        """Return the output of the last layer, (rows, inputs) -> (rows, last size)."""
        if self.fused and self.training and torch.is_grad_enabled():
            anchor = next(self.parameters())
            out: Tensor = FusedMLP.apply(h, anchor, self.fused, FUSED_ACTIVATIONS[self.activation])  # type: ignore[no-untyped-call]
            return out
        for block, residual in zip(self.blocks, self.residual, strict=True):
            h = h + block(h) if residual else block(h)
        return h

    @property
    def first(self) -> nn.Linear:
        """The linear part of the first layer."""
        layer = next(self.blocks[0].children())
        assert isinstance(layer, nn.Linear)
        return layer

    def after_first(self, sums: Tensor, h: Tensor) -> Tensor:
        """Return `forward(h)`, given the output of its first linear part.

        Args:
            sums: (rows, first size) `first(h)`, which a caller can keep up to date as inputs change.
            h: (rows, inputs).
        """
        out = sums.clone()  # some activations work in place
        for part in list(self.blocks[0].children())[1:]:
            out = part(out)
        h = h + out if self.residual[0] else out
        for block, residual in zip(list(self.blocks)[1:], self.residual[1:], strict=True):
            h = h + block(h) if residual else block(h)
        return h


def _with_gradient(parameter: nn.Parameter) -> tuple[Tensor, Tensor]:
    """Return the tensor of a weight and that of its gradient."""
    assert parameter.grad is not None, "gradients must be allocated before they can be added to"
    return parameter.data, parameter.grad
