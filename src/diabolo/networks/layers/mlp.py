"""Fully connected layers."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial

import torch
from torch import Tensor, nn

from diabolo.errors import OptionError
from diabolo.networks.layers.fused_mlp import FUSED_ACTIVATIONS, FusedMLP, Layer, Norm

# Where the gradient needs no more than the output, it takes the place of the input. The slope 0.1 is the one
# that notes on autoencoders use; torch's own default is 0.01.
ACTIVATIONS: dict[str, Callable[[], nn.Module]] = {
    "silu": nn.SiLU,
    "relu": partial(nn.ReLU, inplace=True),
    "gelu": nn.GELU,
    "elu": nn.ELU,
    "tanh": nn.Tanh,
    "leaky_relu": partial(nn.LeakyReLU, 0.1, inplace=True),
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
        self.blocks = nn.ModuleList()
        self.adds = []
        for size in sizes:
            parts: list[nn.Module] = [nn.Linear(inputs, size)]
            if batch_norm:
                parts.append(nn.BatchNorm1d(size))
            parts.append(ACTIVATIONS[activation]())
            self.blocks.append(nn.Sequential(*parts))
            self.adds.append(residual and inputs == size)
            inputs = size
        self.width, self.activation = inputs, activation
        self.gathered: list[Layer] | None = None

    def gather(self, on: bool) -> None:
        """Whether gradients are added straight to where each weight's lies by now: for a training loop.

        The weights and their gradients must stay where they are until it is switched off.
        """
        self.gathered = None
        if not on or self.activation not in FUSED_ACTIVATIONS:
            return
        self.gathered = []
        for block, adds in zip(self.blocks, self.adds, strict=True):
            (weight, of_weight), (bias, of_bias), *rest = [_with_gradient(p) for p in block.parameters()]
            norm = None
            if rest:
                (scale, of_scale), (shift, of_shift) = rest
                module = next(m for m in block.modules() if isinstance(m, nn.BatchNorm1d))
                assert module.running_mean is not None and module.running_var is not None
                seen = module.running_mean, module.running_var
                norm = Norm(scale, shift, of_scale, of_shift, *seen, module.momentum or 0.1, module.eps)
            self.gathered.append(Layer(weight, bias, of_weight, of_bias, norm, adds))

    def forward(self, h: Tensor) -> Tensor:
        """(rows, inputs) -> (rows, last size)."""
        if self.gathered and self.training and torch.is_grad_enabled():
            anchor = next(self.parameters())
            out: Tensor = FusedMLP.apply(h, anchor, self.gathered, FUSED_ACTIVATIONS[self.activation])  # type: ignore[no-untyped-call]
            return out
        for block, adds in zip(self.blocks, self.adds, strict=True):
            h = h + block(h) if adds else block(h)
        return h

    @property
    def first(self) -> nn.Linear:
        """The linear part of the first layer."""
        layer = next(self.blocks[0].children())
        assert isinstance(layer, nn.Linear)
        return layer

    def after_first(self, sums: Tensor, h: Tensor) -> Tensor:
        """The same as `forward(h)` for `sums = first(h)`: for those who keep the sums up to date."""
        out = sums.clone()  # some activations work in place
        for part in list(self.blocks[0].children())[1:]:
            out = part(out)
        h = h + out if self.adds[0] else out
        for block, adds in zip(list(self.blocks)[1:], self.adds[1:], strict=True):
            h = h + block(h) if adds else block(h)
        return h


def _with_gradient(parameter: nn.Parameter) -> tuple[Tensor, Tensor]:
    assert parameter.grad is not None, "a gradient must have its place before it can be added to"
    return parameter.data, parameter.grad
