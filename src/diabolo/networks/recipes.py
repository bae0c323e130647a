"""Named kinds of autoencoders: a bottleneck and a corruption, with sizes."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import replace
from typing import Any

from diabolo.data.fields import Curve, Picture
from diabolo.errors import OptionError
from diabolo.networks.bottlenecks import Bottleneck, Quantized, Vanilla, Variational
from diabolo.networks.corruptions import Clean, Mask, Noise
from diabolo.networks.member import Member
from diabolo.networks.objectives import LOSSES, Likelihood, Objective, Rebuild
from diabolo.utils.checks import check_int

Members = dict[str, Member]

# The first member answers for rows, the last one for cells: see "How it detects" in the documentation.
HIDDEN = {
    "lr": 8e-3,
    "weight_decay": 0.3,
    "reference": 9_000,
    "batch_size": 512,
    "batch_share": 1 / 15,
    "epochs": 40,
    "average": True,
}
CODES = {"lr": 4e-3, "batch_size": 512, "batch_share": 1 / 15, "epochs": 40, "average": True}
# Windows overlap: a pass over all of them shows every point a hundred times.
WINDOWS = {"lr": 1e-2, "epochs": 2, "min_steps": 200, "weight_decay": 0.0, "patience": 0}
# The linear guess of hidden points is exact for normal windows, and costs nothing: trained from nothing, a
# network has twice its error (machine temperature: .78 against .41 deviations).
AS_IT_STARTS = {"epochs": 0}
# Pictures and windows have many cells that say much of each other: held-out digits cost 22 nats, 30 as above.
HIDDEN_GRID = {"lr": 4e-3, "average": True}


def _default(kinds: Collection[str]) -> Members:
    if Curve.kind in kinds:  # rows of a series are told by whitened distances; see "How it detects"
        return {"masked": _masked(kinds)}
    return {"noisy": _noisy(kinds), "masked": _masked(kinds)}


def _noisy(kinds: Collection[str]) -> Member:
    # Tables without residual connections: with them the network copies more, and odd rows less often stand
    # out (86.7 against 87.4 AUROC over 22 sets). Of windows, whitened ones: "How it detects" has the figures.
    if Curve.kind in kinds:
        return Member(corruption=Noise(0.25), layers=(128,), whiten=True, activation="gelu", training=WINDOWS)
    return Member(corruption=Noise(0.3), residual=False)


def _masked(kinds: Collection[str]) -> Member:
    if Curve.kind in kinds:
        return Member(corruption=Mask(), full_distribution=True, training=HIDDEN_GRID | AS_IT_STARTS)
    # Weights that decay fast: a network that remembers the wrong cells of its own rows does not find them.
    training = HIDDEN_GRID if Picture.kind in kinds else HIDDEN
    return Member(
        corruption=Mask(),
        full_distribution=True,
        layers=(192,),
        residual=True,
        window_filter=False,
        training=training,
    )


def _classic(kinds: Collection[str]) -> Members:
    """A variational autoencoder as notes and courses teach it, with the sizes and settings they give it."""
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


def _with(bottleneck: Bottleneck) -> Member:
    return Member(corruption=Clean(), bottleneck=bottleneck)


def _drawn(bottleneck: Bottleneck, kinds: Collection[str]) -> Member:
    """A member whose codes are made to draw from."""
    if Curve.kind in kinds or Picture.kind in kinds:
        return _with(bottleneck)
    # Rows that are drawn from bell curves are told from real ones at once: C2ST on Adult .98, so .63.
    return Member(
        corruption=Clean(),
        bottleneck=bottleneck,
        full_distribution=True,
        layers=(192, 192),
        residual=True,
        training=CODES,
    )


RECIPES: dict[str, Callable[[Collection[str]], Members]] = {
    "default": _default,
    "vanilla": lambda kinds: {"vanilla": _with(Vanilla(16))},
    "variational": lambda kinds: {"variational": _drawn(Variational(16), kinds)},
    "beta": lambda kinds: {"beta": _drawn(Variational(16, beta=4.0), kinds)},
    "quantized": lambda kinds: {"quantized": _drawn(Quantized(), kinds)},
    "denoising": lambda kinds: {"noisy": _noisy(kinds)},
    "masked": lambda kinds: {"masked": _masked(kinds)},
    "classic": _classic,
}


def make_members(recipe: str, options: Mapping[str, Any], kinds: Collection[str] = ()) -> Members:
    """The members of a recipe, changed by the user's options.

    Args:
        recipe: a name in `RECIPES`.
        options: latent, beta, stdev, objective, noise, layers, embedding, activation, batch_norm (None where
            not given), and others, which are not looked at.
        kinds: of the fields that rows hold: windows and pictures want other settings than tables.

    Raises:
        OptionError: the recipe is not known, or an option does not apply to it.
    """
    if recipe not in RECIPES:
        raise OptionError(f"recipe={recipe!r} is not known", hint=f"one of {', '.join(RECIPES)}")
    members = RECIPES[recipe](kinds)
    given = {k: v for k, v in options.items() if v is not None}
    members = {name: _bottleneck(_plain(member, given), given) for name, member in members.items()}
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


def _plain(member: Member, given: Mapping[str, Any]) -> Member:
    changes = {k: given[k] for k in ("activation", "batch_norm") if k in given}
    if not isinstance(changes.get("batch_norm", False), bool):
        raise OptionError(f"batch_norm={changes['batch_norm']!r}: expected true or false")
    # Sizes for single columns are the schema's.
    if "embedding" in given and not isinstance(given["embedding"], Mapping):
        changes["embedding"] = check_int("embedding", given["embedding"])
    if "objective" in given:
        changes["objective"] = _objective(given["objective"])
    if "layers" in given:
        changes["layers"] = _layers(given["layers"])
    return replace(member, **changes)


def _objective(value: Any) -> Objective:
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
    try:
        sizes = tuple(int(s) for s in (value.split(",") if isinstance(value, str) else value))
    except (TypeError, ValueError) as error:
        raise OptionError(
            f"layers={value!r}: expected widths", hint='layers=(128, 64) or "128,64"'
        ) from error
    if not sizes or min(sizes) < 1:
        raise OptionError(f"layers={value!r}: expected one width or more, each at least 1")
    return sizes


def _bottleneck(member: Member, given: Mapping[str, Any]) -> Member:
    now, asked = member.bottleneck, {k: given[k] for k in ("latent", "beta", "stdev") if k in given}
    if not asked:
        return member
    if isinstance(now, Variational) or (isinstance(now, Quantized) and asked.keys() == {"latent"}):
        return replace(member, bottleneck=type(now)(**{**now.options(), **asked}))
    for name in ("beta", "stdev"):
        if name in asked:
            raise OptionError(
                f"{name}: only a variational autoencoder draws its code and has a divergence to weigh",
                hint='Autoencoder("variational")',
            )
    return replace(member, bottleneck=Vanilla(asked["latent"]))
