"""Recipes: named kinds of autoencoders, with their members and settings."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import replace
from typing import Any

from diabolo.data.fields import Curve, Pixels
from diabolo.errors import OptionError
from diabolo.networks.bottlenecks import Bottleneck, Quantized, Vanilla, Variational
from diabolo.networks.corruptions import Clean, Mask, Noise
from diabolo.networks.member import Member
from diabolo.networks.objectives import LOSSES, Likelihood, Objective, Rebuild
from diabolo.utils.checks import check_int

Members = dict[str, Member]

# The first member scores rows, the last one cells: see "How it detects" in the documentation.
MASKED_TRAINING = {
    "lr": 8e-3,
    "weight_decay": 0.3,
    "reference": 9_000,
    "batch_size": 512,
    "batch_share": 1 / 15,
    "epochs": 40,
    "average": True,
}
LATENT_TRAINING = {"lr": 4e-3, "batch_size": 512, "batch_share": 1 / 15, "epochs": 40, "average": True}
# Windows overlap: an epoch shows every point a hundred times.
WINDOW_TRAINING = {"lr": 1e-2, "epochs": 2, "min_steps": 200, "weight_decay": 0.0, "patience": 0}
# The linear prediction of hidden points is exact for normal windows, and needs no training: a network trained
# without it has twice its error (machine temperature: .78 against .41 standard deviations).
NO_TRAINING = {"epochs": 0}
# Images and windows have many cells that depend on each other: held-out digits cost 22 nats, 30 as above.
MASKED_GRID_TRAINING = {"lr": 4e-3, "average": True}
# Many small steps: of 4,500 images of clothing in 20 passes, each held-out one cost 369 nats instead of 503.
IMAGE_TRAINING = {"lr": 3e-3, "average": True, "batch_size": 64, "epochs": 20, "max_steps": 6_000}


def _default(kinds: Collection[str]) -> Members:
    if Curve.kind in kinds:  # whitened distances score the rows of a series; see "How it detects"
        return {"masked": _masked(kinds)}
    return {"noisy": _noisy(kinds), "masked": _masked(kinds)}


def _noisy(kinds: Collection[str]) -> Member:
    # Tables without residual connections: with them the network copies more, and detects fewer anomalous rows
    # (86.7 against 87.4 AUROC over 22 sets). Windows are whitened: "How it detects" has the figures.
    if Curve.kind in kinds:
        return Member(
            corruption=Noise(0.25), layers=(128,), whiten=True, activation="gelu", training=WINDOW_TRAINING
        )
    if Pixels.kind in kinds:
        # Half the rows of a default step, which would take twice as long with convolutions: a choice.
        training = {"batch_size": 128, "epochs": 14}
        return Member(corruption=Noise(0.3), convolution=True, training=training)
    return Member(corruption=Noise(0.3), residual=False)


def _masked(kinds: Collection[str]) -> Member:
    if Curve.kind in kinds:
        return Member(corruption=Mask(), full_distribution=True, training=MASKED_GRID_TRAINING | NO_TRAINING)
    # Strong weight decay: a network that memorises the wrong cells of its own rows does not find them.
    images = Pixels.kind in kinds
    training = MASKED_GRID_TRAINING | {"batch_size": 128} if images else MASKED_TRAINING
    return Member(
        corruption=Mask(),
        full_distribution=True,
        layers=(192,),
        residual=True,
        window_filter=False,
        convolution=images,
        training=training,
    )


def _classic(kinds: Collection[str]) -> Members:
    """Return a variational autoencoder as notes and courses teach it, with their sizes and settings."""
    training = {
        "lr": 1e-3,
        "weight_decay": 1e-5,
        "eps": 1e-4,
        "schedule": "cosine_restarts",
        "batch_size": 128,
        "epochs": 60,
        "min_steps": 1,
        "max_steps": 0,
        "patience": 0,
    }
    member = Member(
        corruption=Clean(),
        bottleneck=Variational(16, beta=0.05, stdev=0.1),
        objective=Rebuild("huber"),
        layers=(64, 128, 256, 128, 64),
        activation="leaky_relu",
        batch_norm=True,
        training=training,
    )
    return {"classic": member}


def _with_bottleneck(bottleneck: Bottleneck, kinds: Collection[str]) -> Member:
    if Pixels.kind in kinds:
        # Wide layers and averaged weights: without them, each of the images of clothing above cost 369 nats
        # for 312 (dense layers).
        return Member(
            corruption=Clean(),
            bottleneck=bottleneck,
            layers=(512, 256),
            convolution=True,
            training=IMAGE_TRAINING,
        )
    return Member(corruption=Clean(), bottleneck=bottleneck)


def _generative(bottleneck: Bottleneck, kinds: Collection[str]) -> Member:
    """Return a member whose latent codes are made for sampling."""
    if Curve.kind in kinds or Pixels.kind in kinds:
        return _with_bottleneck(bottleneck, kinds)
    # A classifier tells rows sampled from normal distributions from real ones: C2ST on Adult .98, so .63.
    return Member(
        corruption=Clean(),
        bottleneck=bottleneck,
        full_distribution=True,
        layers=(192, 192),
        residual=True,
        training=LATENT_TRAINING,
    )


RECIPES: dict[str, Callable[[Collection[str]], Members]] = {
    "default": _default,
    "vanilla": lambda kinds: {"vanilla": _with_bottleneck(Vanilla(16), kinds)},
    "variational": lambda kinds: {"variational": _generative(Variational(16), kinds)},
    "beta": lambda kinds: {"beta": _generative(Variational(16, beta=4.0), kinds)},
    "quantized": lambda kinds: {"quantized": _generative(Quantized(), kinds)},
    "denoising": lambda kinds: {"noisy": _noisy(kinds)},
    "masked": lambda kinds: {"masked": _masked(kinds)},
    "classic": _classic,
}


def make_members(recipe: str, options: Mapping[str, Any], kinds: Collection[str] = ()) -> Members:
    """Return the members of a recipe, changed by the options of the user.

    Args:
        recipe: a name in `RECIPES`.
        options: latent, beta, stdev, objective, noise, layers, embedding, activation, batch_norm (None where
            not given), and others, which are ignored.
        kinds: of the fields of the rows: windows and images need other settings than tables.

    Raises:
        OptionError: the recipe is not known, or an option does not apply to it.
    """
    if recipe not in RECIPES:
        raise OptionError(f"recipe={recipe!r} is not known", hint=f"one of {', '.join(RECIPES)}")
    members = RECIPES[recipe](kinds)
    given = {k: v for k, v in options.items() if v is not None}
    members = {
        name: _change_bottleneck(_change_plain(member, given), given) for name, member in members.items()
    }
    if "noise" in given:
        noisy = {
            n: replace(m, corruption=Noise(given["noise"]))
            for n, m in members.items()
            if not m.corruption.masks
        }
        if not noisy:
            raise OptionError(
                "noise: a masked autoencoder hides cells instead", hint='Autoencoder("denoising")'
            )
        members |= noisy
    return members


def _change_plain(member: Member, given: Mapping[str, Any]) -> Member:
    """Return a member with the options that are no matter of its bottleneck or corruption."""
    changes = {k: given[k] for k in ("activation", "batch_norm") if k in given}
    if not isinstance(changes.get("batch_norm", False), bool):
        raise OptionError(f"batch_norm={changes['batch_norm']!r}: expected true or false")
    # Sizes of single columns belong to the schema.
    if "embedding" in given and not isinstance(given["embedding"], Mapping):
        changes["embedding"] = check_int("embedding", given["embedding"])
    if "objective" in given:
        changes["objective"] = _objective(given["objective"])
    if "layers" in given:
        changes["layers"] = _layers(given["layers"])
    return replace(member, **changes)


def _objective(value: Any) -> Objective:
    """Return the objective of a name, or the given one."""
    if isinstance(value, Objective):
        return value
    if value == "likelihood":
        return Likelihood()
    if value in LOSSES:
        return Rebuild(value)
    raise OptionError(
        f"objective={value!r} is not known", hint=f"one of likelihood, {', '.join(LOSSES)}; or an Objective"
    )


def _layers(value: Any) -> tuple[int, ...]:
    """Return widths, given as numbers or as text with commas."""
    try:
        sizes = tuple(int(s) for s in (value.split(",") if isinstance(value, str) else value))
    except (TypeError, ValueError) as error:
        raise OptionError(
            f"layers={value!r}: expected widths", hint='layers=(128, 64) or "128,64"'
        ) from error
    if not sizes or min(sizes) < 1:
        raise OptionError(f"layers={value!r}: expected one width or more, each at least 1")
    return sizes


def _change_bottleneck(member: Member, given: Mapping[str, Any]) -> Member:
    """Return a member with the given size and weights of the bottleneck; one without gets a plain one."""
    current, changes = member.bottleneck, {k: given[k] for k in ("latent", "beta", "stdev") if k in given}
    if not changes:
        return member
    if isinstance(current, Variational) or (isinstance(current, Quantized) and changes.keys() == {"latent"}):
        return replace(member, bottleneck=type(current)(**{**current.options(), **changes}))
    for name in ("beta", "stdev"):
        if name in changes:
            raise OptionError(
                f"{name}: only a variational autoencoder samples its code and has a weighted divergence",
                hint='Autoencoder("variational")',
            )
    return replace(member, bottleneck=Vanilla(changes["latent"]))
