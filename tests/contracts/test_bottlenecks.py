"""The contract of every bottleneck."""

from __future__ import annotations

import copy
from typing import Any

import pytest
import torch
from sklearn.base import clone

from diabolo import Autoencoder, Clean, Member
from diabolo.errors import OptionError, UnsupportedError
from diabolo.networks.bottlenecks import BOTTLENECKS, Bottleneck, Identity, Quantized, Vanilla, Variational
from diabolo.utils.torch_state import forked_rng

WIDTH = 10
OPTIONS: dict[type[Bottleneck], dict[str, Any]] = {
    Identity: {},
    Quantized: {"latent": 3, "levels": 4},
    Vanilla: {"latent": 3},
    Variational: {"latent": 3, "beta": 0.5, "stdev": 2.0},
}


@pytest.fixture(params=BOTTLENECKS, ids=lambda kind: kind.__name__)
def kind(request: pytest.FixtureRequest) -> type[Bottleneck]:
    assert request.param in OPTIONS, f"add the options of a {request.param.__name__} to OPTIONS"
    return request.param


@pytest.fixture
def built(kind: type[Bottleneck]) -> Bottleneck:
    with forked_rng(0):
        bottleneck = kind(**OPTIONS[kind])
        bottleneck.latent_width = bottleneck.build(WIDTH)
    return bottleneck


@pytest.fixture
def h() -> torch.Tensor:
    with forked_rng(1):
        return torch.randn(7, WIDTH)


@pytest.mark.parametrize("training", [True, False])
def test_shapes(built: Bottleneck, h: torch.Tensor, training: bool) -> None:
    latent, kl = built.train(training)(h)
    assert latent.shape == (7, built.latent_width)
    assert kl.shape == (7,)
    assert bool((kl >= 0).all())


def test_evaluation_is_deterministic(built: Bottleneck, h: torch.Tensor) -> None:
    built.eval()
    assert all(torch.equal(a, b) for a, b in zip(built(h), built(h), strict=True))


def test_rows_do_not_mix(built: Bottleneck, h: torch.Tensor) -> None:
    built.eval()
    latent, kl = built(h)
    one, divergence = built(h[3:4])
    assert torch.allclose(one[0], latent[3], atol=1e-6) and torch.allclose(divergence[0], kl[3], atol=1e-6)


def test_samples_the_prior_or_names_what_can(built: Bottleneck) -> None:
    if isinstance(built, Variational):
        with forked_rng(0):
            drawn = built.sample(4_000)
        assert drawn.shape == (4_000, 3)
        assert torch.allclose(drawn.mean(0), torch.zeros(3), atol=0.06)
        assert torch.allclose(drawn.std(0), torch.ones(3), atol=0.06)
    else:
        with pytest.raises(UnsupportedError) as caught:
            built.sample(2)
        assert caught.value.hint is not None and (
            "variational" in caught.value.hint or "mixture" in caught.value.hint
        )


def test_unbuilt_instances_can_be_copied(kind: type[Bottleneck], h: torch.Tensor) -> None:
    original = kind(**OPTIONS[kind])
    twin = copy.deepcopy(original)
    assert twin.options() == original.options() == OPTIONS[kind]
    twin.build(WIDTH)
    assert not list(original.parameters())


def test_built_instances_can_be_copied(built: Bottleneck, h: torch.Tensor) -> None:
    twin = copy.deepcopy(built).eval()
    assert torch.equal(twin(h)[0], built.eval()(h)[0])
    for parameter in twin.parameters():
        parameter.data += 1
    if list(twin.parameters()):
        assert not torch.equal(twin(h)[0], built(h)[0])


def test_options_make_an_equal_instance(kind: type[Bottleneck]) -> None:
    one = kind(**OPTIONS[kind])
    again = kind(**one.options())
    assert again.options() == one.options()
    assert repr(one).startswith(kind.__name__)


def test_sizes_are_checked() -> None:
    for size in (0, -1, 2.5, True, "8"):
        with pytest.raises(OptionError):
            Vanilla(size)  # type: ignore[arg-type]
        with pytest.raises(OptionError):
            Variational(size)  # type: ignore[arg-type]
    for beta in (-1, float("nan"), "1"):
        with pytest.raises(OptionError):
            Variational(2, beta=beta)  # type: ignore[arg-type]


@pytest.mark.parametrize("levels", [2, 5, 8])
def test_quantized_codes_are_levels_and_pass_gradients(h: torch.Tensor, levels: int) -> None:
    bottleneck = Quantized(3, levels=levels)
    with forked_rng(0):
        bottleneck.build(WIDTH)
    inputs = (20 * h).requires_grad_()
    codes, _ = bottleneck(inputs)
    reached = (codes + 1) * (levels - 1) / 2
    assert torch.allclose(reached, reached.round(), atol=1e-5)
    assert torch.equal(bottleneck.to_levels(codes), reached.round().long())
    assert bool((codes.abs() <= 1).all()) and len(codes.unique()) > 1
    codes.sum().backward()
    assert inputs.grad is not None and bool((inputs.grad != 0).any())
    for wrong in (1, 2.5):
        with pytest.raises(OptionError):
            Quantized(3, levels=wrong)  # type: ignore[arg-type]


def test_divergence_is_that_of_two_normal_distributions(h: torch.Tensor) -> None:
    bottleneck = Variational(3)
    with forked_rng(0):
        bottleneck.build(WIDTH)
    z_mean, deviation = bottleneck.mean(h), (0.5 * bottleneck.log_var(h)).exp()
    posterior = torch.distributions.Normal(z_mean, deviation)
    prior = torch.distributions.Normal(torch.zeros_like(z_mean), torch.ones_like(z_mean))
    expected = torch.distributions.kl_divergence(posterior, prior).sum(1)
    assert torch.allclose(bottleneck.eval()(h)[1], expected, atol=1e-5)


@pytest.mark.parametrize("stdev", [0.0, 1.0, 2.0])
def test_training_samples_around_the_mean(h: torch.Tensor, stdev: float) -> None:
    bottleneck = Variational(3, stdev=stdev)
    with forked_rng(0):
        bottleneck.build(WIDTH)
    bottleneck.train()
    with forked_rng(3):
        drawn = torch.stack([bottleneck(h)[0] for _ in range(2_000)])
    deviation = (0.5 * bottleneck.log_var(h)).exp() * stdev
    assert torch.allclose(drawn.mean(0), bottleneck.mean(h), atol=0.3)
    assert torch.allclose(drawn.std(0), deviation, rtol=0.1, atol=1e-5)


def test_estimators_with_bottlenecks_can_be_cloned() -> None:
    estimator = Autoencoder(
        members={"mine": Member(corruption=Clean(), bottleneck=Variational(5, beta=0.25))}
    )
    twin = clone(estimator)
    assert repr(twin.members["mine"].bottleneck) == "Variational(latent=5, beta=0.25, stdev=1.0)"
    assert twin.get_params(deep=False).keys() == estimator.get_params(deep=False).keys()
