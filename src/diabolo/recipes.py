"""Named kinds of autoencoders: a bottleneck and a corruption, with sizes."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from diabolo.bottlenecks import Bottleneck, Vanilla, Variational
from diabolo.checks import whole
from diabolo.corruptions import Clean, Mask, Noise
from diabolo.errors import OptionError
from diabolo.network import Member

Members = dict[str, Member]

# The first member answers for rows, the last one for cells: see "How it detects" in the documentation.
HIDDEN = {"lr": 4e-3, "average": True}
# Windows overlap: a pass over all of them shows every point a hundred times.
WINDOWS = {"epochs": 8}


def _default(series: bool) -> Members:
    return {"noisy": _noisy(series), "masked": _masked(series)}


def _noisy(series: bool) -> Member:
    # Tables without residual connections: with them the network copies more, and odd rows less often stand
    # out (86.7 against 87.4 AUROC over 22 sets). A window's points say the same thing many times: they bear
    # less noise than the columns of a table.
    return Member(
        corruption=Noise(0.1 if series else 0.3), residual=series, training=WINDOWS if series else {}
    )


def _masked(series: bool) -> Member:
    training = HIDDEN | (WINDOWS if series else {})
    return Member(corruption=Mask(), full=True, residual=not series, linear=False, training=training)


def _with(bottleneck: Bottleneck) -> Member:
    return Member(corruption=Clean(), bottleneck=bottleneck)


RECIPES: dict[str, Callable[[bool], Members]] = {
    "default": _default,
    "vanilla": lambda series: {"vanilla": _with(Vanilla(16))},
    "variational": lambda series: {"variational": _with(Variational(16))},
    "beta": lambda series: {"beta": _with(Variational(16, beta=4.0))},
    "denoising": lambda series: {"noisy": _noisy(series)},
    "masked": lambda series: {"masked": _masked(series)},
}


def make_members(recipe: str, options: Mapping[str, Any], *, series: bool) -> Members:
    """The members of a recipe, changed by the user's options.

    Args:
        recipe: a name in `RECIPES`.
        options: latent, beta, noise, layers, embedding, activation, batch_norm (None where not given), and
            others, which are not looked at.
        series: whether rows are windows of a series.

    Raises:
        OptionError: the recipe is not known, or an option does not apply to it.
    """
    if recipe not in RECIPES:
        raise OptionError(f"recipe={recipe!r} is not known", hint=f"one of {', '.join(RECIPES)}")
    members = RECIPES[recipe](series)
    given = {k: v for k, v in options.items() if v is not None}
    members = {name: _bottleneck(_plain(member, given), given) for name, member in members.items()}
    if "noise" in given:
        noisy = {
            n: replace(m, corruption=Noise(given["noise"]))
            for n, m in members.items()
            if not m.corruption.hides
        }
        if not noisy:
            raise OptionError(
                "noise: a masked autoencoder hides cells instead", hint='Autoencoder("denoising")'
            )
        members |= noisy
    return members


def _plain(member: Member, given: Mapping[str, Any]) -> Member:
    changes = {k: given[k] for k in ("embedding", "activation", "batch_norm") if k in given}
    if "embedding" in given:
        whole("embedding", given["embedding"])
    if "layers" in given:
        changes["layers"] = _layers(given["layers"])
    return replace(member, **changes)


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
    now = member.bottleneck
    if "latent" not in given and "beta" not in given:
        return member
    if isinstance(now, Variational):
        made: Bottleneck = Variational(
            given.get("latent", now.latent), given.get("beta", now.beta), now.stdev
        )
    elif "beta" in given:
        raise OptionError(
            "beta: only a variational autoencoder has a divergence to weigh", hint='Autoencoder("beta")'
        )
    else:
        made = Vanilla(given["latent"])
    return replace(member, bottleneck=made)
