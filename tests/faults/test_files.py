"""Hostile and damaged files: refused with a clear error, in little time and memory; no code is run."""

from __future__ import annotations

import sys
import time
from pathlib import Path

import pytest

import diabolo
from diabolo import Autoencoder
from diabolo.errors import ModelFileError
from tests import made
from tests.faults.forge import HOSTILE, LARGE, SERIES, Parts, sparse
from tests.faults.processes import posix, run
from tests.faults.workers import judge, mutations, state_of
from tests.fits import fitted

SECONDS, MEGABYTES = 1.0, 200


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> tuple[Autoencoder, bytes]:
    model = fitted(made.mixed(200), layers=(16, 12), embedding=4, epochs=2)
    return model, model.save(tmp_path_factory.mktemp("small") / "m.diabolo").read_bytes()


@pytest.fixture(scope="module")
def series(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    model = fitted(made.wave(300), time="time", window=12, layers=(8,), epochs=1)
    return model.save(tmp_path_factory.mktemp("series") / "m.diabolo").read_bytes()


def test_the_second_description_of_the_format_is_true(
    small: tuple[Autoencoder, bytes], tmp_path: Path
) -> None:
    """Forged files would prove nothing if they were refused for how they are forged."""
    path = tmp_path / "m.diabolo"
    path.write_bytes(Parts.of(small[1]).raw())
    assert state_of(diabolo.load(path)) == state_of(small[0])


def test_there_are_forty_hostile_files() -> None:
    assert len(HOSTILE) + len(SERIES) >= 40


@pytest.mark.parametrize("name", sorted(set(HOSTILE) - LARGE))
def test_a_hostile_file_is_refused(small: tuple[Autoencoder, bytes], tmp_path: Path, name: str) -> None:
    path = tmp_path / "m.diabolo"
    path.write_bytes(HOSTILE[name](Parts.of(small[1])))
    with pytest.raises(ModelFileError, match=r"m\.diabolo") as caught:
        diabolo.load(path)
    assert len(str(caught.value)) < 1000 and "stolen" not in str(caught.value)


@pytest.mark.parametrize("name", SERIES)
def test_a_hostile_series_is_refused(series: bytes, tmp_path: Path, name: str) -> None:
    path = tmp_path / "m.diabolo"
    path.write_bytes(SERIES[name](Parts.of(series)))
    with pytest.raises(ModelFileError, match=r"m\.diabolo (is damaged|is inconsistent)"):
        diabolo.load(path)


@posix
@pytest.mark.parametrize("every", [6, pytest.param(1, marks=pytest.mark.faults)])
def test_hostile_files_cost_little_and_run_nothing(
    small: tuple[Autoencoder, bytes], series: bytes, tmp_path: Path, every: int
) -> None:
    (tmp_path / "good").write_bytes(small[1])
    (tmp_path / "0 good.diabolo").write_bytes(small[1])
    for good, forged in ((small[1], HOSTILE), (series, SERIES)):
        for name in list(forged)[::every]:
            (tmp_path / f"{name}.diabolo").write_bytes(forged[name](Parts.of(good)))
    sparse(tmp_path / "a file of almost 2 GiB.diabolo", (2 << 30) - 4096)
    sparse(tmp_path / "a file of 3 GiB.diabolo", 3 << 30)
    assert run(judge, str(tmp_path)) == 0
    lines = [line.split("\t") for line in (tmp_path / "verdict.tsv").read_text().splitlines()]
    assert len(lines) == len(list(tmp_path.glob("*.diabolo"))) > 9
    # The hook sees what it should: the good file goes through it like the others, and is loaded.
    assert [name for name, *_, said in lines if said == "loaded"] == ["0 good"]
    for name, seconds, _, code, said in lines:
        assert said == "loaded" or said.startswith("refused"), (name, said)
        assert float(seconds) < SECONDS and code == "", (name, seconds, code)
    # The highest use of memory only grows: all of them together stay within what each may take.
    assert sum(float(more) for _, _, more, _, _ in lines) < MEGABYTES
    if every == 1:
        slowest = max(lines, key=lambda line: float(line[1]))
        print(f"{len(lines)} files, slowest {slowest[1]} s ({slowest[0]})")


@pytest.mark.parametrize("count", [300, pytest.param(20_000, marks=pytest.mark.faults)])
def test_damage_is_noticed(small: tuple[Autoencoder, bytes], tmp_path: Path, count: int) -> None:
    path, good, slowest, harmless = tmp_path / "m.diabolo", state_of(small[0]), 0.0, 0
    before = peak()
    for number, (where, raw) in enumerate(mutations(small[1], count, seed=1)):
        path.write_bytes(raw)
        began = time.process_time()
        try:
            found = diabolo.load(path)
        except ModelFileError:
            found = None
        slowest = max(slowest, time.process_time() - began)
        if found is not None:
            # A space in the header may become another kind of space: what is loaded is what was saved.
            assert where != "payload" and state_of(found) == good, number
            harmless += 1
    assert harmless < count / 50
    assert slowest < SECONDS
    assert peak() - before < MEGABYTES
    print(f"{count} mutations, slowest {slowest:.3f} s, {harmless} harmless, {peak() - before:.0f} MB")


def peak() -> float:
    """The most memory that this process has had, in MB."""
    if sys.platform == "win32":
        return 0.0
    import resource

    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (1024 if sys.platform == "linux" else 1 << 20)


def test_a_file_that_is_overwritten_does_not_change_a_loaded_model(
    small: tuple[Autoencoder, bytes], tmp_path: Path
) -> None:
    path = tmp_path / "m.diabolo"
    path.write_bytes(small[1])
    model = diabolo.load(path)
    before = state_of(model)
    with path.open("r+b") as file:  # in place, as cp does
        file.seek(len(small[1]) // 2)
        file.write(bytes(len(small[1]) // 2))
    assert state_of(model) == before
    path.write_bytes(b"")
    assert state_of(model) == before


def test_versions_of_libraries_are_in_the_card(small: tuple[Autoencoder, bytes]) -> None:
    said = Parts.of(small[1]).card["libraries"]
    assert {"python", "torch", "numpy", "safetensors", "pyarrow"} <= set(said)
    assert all(version[0].isdigit() for version in said.values())


def test_what_is_not_finite_is_not_saved(small: tuple[Autoencoder, bytes], tmp_path: Path) -> None:
    (tmp_path / "m.diabolo").write_bytes(small[1])
    model = diabolo.load(tmp_path / "m.diabolo")
    next(model.engine_.row_network.parameters()).data[0] = float("nan")
    with pytest.raises(diabolo.errors.DataError, match="not finite"):
        model.save(tmp_path / "m.diabolo")
    assert (tmp_path / "m.diabolo").read_bytes() == small[1]
