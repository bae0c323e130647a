"""Fits that are cut off and go on end as if they had not been."""

from __future__ import annotations

import random
import time
from pathlib import Path
from typing import Any

import pytest

import diabolo
from diabolo import Autoencoder
from diabolo.errors import OptionError
from tests.faults.processes import kill, posix, start, wait_for
from tests.faults.workers import data, fit, state_of
from tests.fits import fitted

RECIPES = ("variational", "default", "denoising")


def outcome(path: Path) -> tuple[Any, Any]:
    """What a fit left behind, without the seconds it took."""
    model = diabolo.load(path)
    return state_of(model), [{k: v for k, v in h.items() if k != "seconds"} for h in model.engine_.history]


@posix
@pytest.mark.parametrize("kills", [2, pytest.param(50, marks=pytest.mark.faults)])
def test_killed_while_fitting(tmp_path: Path, kills: int) -> None:
    draw, done, fits, kept_some = random.Random(0), 0, 0, 0
    whole, seconds = {}, {}
    for recipe in RECIPES if kills > 2 else RECIPES[:1]:
        out, started = tmp_path / f"{recipe}.diabolo", tmp_path / f"{recipe} started"
        process = start(fit, str(out), recipe, None, str(started))
        wait_for(started)
        began = time.monotonic()
        process.join(120)
        whole[recipe], seconds[recipe] = outcome(out), time.monotonic() - began
    while done < kills:
        recipe = list(whole)[fits % len(whole)]
        out, kept = tmp_path / f"{fits}.diabolo", tmp_path / f"{fits}.kept"
        attempt = 0
        while not out.exists():
            attempt += 1
            started = tmp_path / f"started {fits}.{attempt}"
            process = start(fit, str(out), recipe, str(kept), str(started))
            wait_for(started)
            if done >= kills:
                process.join(120)
                assert process.exitcode == 0
                break
            # Half of the moments are after a saving, to be sure of them; half are any.
            while done % 2 == 0 and process.is_alive() and not list(tmp_path.glob(f"{kept.name}.*")):
                time.sleep(0.002)
            process.join(draw.uniform(0.0, 0.8 if done % 2 else 0.4) * seconds[recipe])
            done += kill(process)
            kept_some += bool(list(tmp_path.glob(f"{kept.name}.*")))
        assert outcome(out) == whole[recipe]
        assert not list(tmp_path.glob(f"{kept.name}.*")), "a checkpoint was left behind"
        fits += 1
    assert kept_some >= kills / 4
    print(f"{done} kills in {fits} fits, {kept_some} of them after a checkpoint")


class Stop(Exception):
    pass


def stopped(share: float, checkpoint: Path, recipe: str = "vanilla", **options: Any) -> None:
    """A fit that ends with an error when it is so far."""

    def stop(what: str, done: float, left: float | None) -> None:
        if done >= share:
            raise Stop

    settings = {"epochs": 20, "batch_size": 64, "layers": (16,), **options}
    with pytest.raises(Stop):
        Autoencoder(recipe, checkpoint=checkpoint, checkpoint_every=0, **settings).fit(data(), progress=stop)


def whole(checkpoint: Path | None, recipe: str = "vanilla", **options: Any) -> Autoencoder:
    settings = {"epochs": 20, "batch_size": 64, "layers": (16,), **options}
    return fitted(data(), recipe, checkpoint=checkpoint, **settings)


@pytest.mark.parametrize(
    ("recipe", "options"),
    [
        ("variational", {}),
        ("vanilla", {"optimizer": "sgd", "schedule": "cosine_restarts"}),
        ("masked", {"batch_norm": True}),
    ],
)
def test_a_fit_that_goes_on_ends_bit_equal(tmp_path: Path, recipe: str, options: dict[str, Any]) -> None:
    stopped(0.4, tmp_path / "kept", recipe, **options)
    assert [p.name for p in tmp_path.iterdir()] == [f"kept.{recipe}"]
    assert state_of(whole(tmp_path / "kept", recipe, **options)) == state_of(whole(None, recipe, **options))
    assert list(tmp_path.iterdir()) == []


def test_it_really_goes_on(tmp_path: Path) -> None:
    stopped(0.5, tmp_path / "kept")
    said: list[float] = []
    options: dict[str, Any] = {"epochs": 20, "batch_size": 64, "layers": (16,)}
    Autoencoder("vanilla", checkpoint=tmp_path / "kept", **options).fit(
        data(), progress=lambda what, done, left: said.append(done)
    )
    assert min(said) >= 0.5


def test_a_checkpoint_of_other_options_is_refused(tmp_path: Path) -> None:
    stopped(0.4, tmp_path / "kept")
    with pytest.raises(OptionError, match="other data or other options") as caught:
        whole(tmp_path / "kept", lr=0.01)
    assert caught.value.hint and "kept.vanilla" in caught.value.hint


@pytest.fixture(scope="module")
def kept(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    folder = tmp_path_factory.mktemp("kept")
    stopped(0.4, folder / "kept")
    return (folder / "kept.vanilla").read_bytes()


@pytest.mark.parametrize("share", [0.0, 0.01, 0.2, 0.5, 0.9, 0.999])
@pytest.mark.parametrize("way", ["flipped", "cut"])
def test_a_damaged_checkpoint_is_refused(kept: bytes, tmp_path: Path, share: float, way: str) -> None:
    raw, place = bytearray(kept), int(share * len(kept))
    raw[place] ^= 0x10
    (tmp_path / "kept.vanilla").write_bytes(raw if way == "flipped" else raw[:place])
    with pytest.raises(OptionError, match="cannot be read") as caught:
        whole(tmp_path / "kept")
    assert caught.value.hint and "kept.vanilla" in caught.value.hint
