"""Writers that are killed, hindered, or many: what stands at the path is always one whole model."""

from __future__ import annotations

import errno
import os
import random
import shutil
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import diabolo
from diabolo.errors import DataError
from diabolo.utils.files import STALE_SECONDS
from tests import made
from tests.faults.processes import kill, posix, start, wait_for
from tests.faults.workers import load_for, save_for, save_forever, state_of
from tests.fits import fitted

OLD = "an older file is left as it was"


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """Two models that differ, of different sizes."""
    folder = tmp_path_factory.mktemp("pair")
    first = fitted(made.mixed(150), "vanilla", layers=(8,), latent=3, epochs=1, seed=1)
    second = fitted(made.mixed(400), layers=(48, 48), epochs=1, seed=2)
    return first.save(folder / "1.diabolo"), second.save(folder / "2.diabolo")


@posix
@pytest.mark.parametrize("kills", [4, pytest.param(100, marks=pytest.mark.faults)])
def test_killed_while_saving(pair: tuple[Path, Path], tmp_path: Path, kills: int) -> None:
    draw, path, parts = random.Random(0), tmp_path / "m.diabolo", 0
    shutil.copy(pair[0], path)
    whole = [state_of(diabolo.load(p)) for p in pair]
    seen = set()
    for number in range(kills):
        started = tmp_path / f"started {number}"
        process = start(save_forever, str(pair[(number + 1) % 2]), str(path), str(started))
        wait_for(started)
        time.sleep(draw.uniform(0, 0.05))
        assert kill(process)
        seen.add(whole.index(state_of(diabolo.load(path))))
        parts = len(list(tmp_path.glob(".m.diabolo.*.part")))
    assert seen == {0, 1}
    print(f"{kills} kills, {parts} of them in the middle of a file")
    if kills > 50:
        assert parts > 0, "no kill hit a file that was being written"
    for left in tmp_path.glob(".m.diabolo.*.part"):
        os.utime(left, (time.time() - STALE_SECONDS - 60,) * 2)
    diabolo.load(path).save(path)
    assert not list(tmp_path.glob(".m.diabolo.*.part"))


def test_only_old_leftovers_of_the_same_file_are_swept(pair: tuple[Path, Path], tmp_path: Path) -> None:
    old, young = ".m.diabolo.0123456789abcdef.part", ".m.diabolo.fedcba9876543210.part"
    others = [
        ".n.diabolo.0123456789abcdef.part",
        "m.diabolo.part",
        ".m.diabolo.notes.part",
        ".m.diabolo.backup",
    ]
    for name in (old, young, *others):
        (tmp_path / name).write_bytes(b"x")
        if name != young:
            os.utime(tmp_path / name, (time.time() - STALE_SECONDS - 60,) * 2)
    diabolo.load(pair[0]).save(tmp_path / "m.diabolo")
    assert sorted(os.listdir(tmp_path)) == sorted([young, *others, "m.diabolo"])


@posix
@pytest.mark.parametrize("seconds", [2, pytest.param(60, marks=pytest.mark.faults)])
def test_readers_and_writers_at_once(pair: tuple[Path, Path], tmp_path: Path, seconds: float) -> None:
    path, readers, writers = tmp_path / "m.diabolo", range(8 if seconds > 10 else 3), range(2)
    shutil.copy(pair[0], path)
    work = [start(load_for, str(path), seconds, str(tmp_path / f"read {i}")) for i in readers]
    work += [
        start(save_for, str(pair[i]), str(path), seconds, str(tmp_path / f"written {i}")) for i in writers
    ]
    for process in work:
        process.join(seconds + 60)
        assert process.exitcode == 0
    reads = [line.split("\t") for i in readers for line in (tmp_path / f"read {i}").read_text().splitlines()]
    writes = [(tmp_path / f"written {i}").read_text().split("\t") for i in writers]
    assert {said for _, said in reads} == {"seed 1", "seed 2"}
    assert all(wrong == "" and int(count) > 0 for count, wrong in writes)
    print(f"{sum(int(n) for n, _ in reads)} loads and {sum(int(n) for n, _ in writes)} saves in {seconds} s")


@posix
def test_a_write_that_ends_half_way(pair: tuple[Path, Path], tmp_path: Path) -> None:
    """A real one: the process may not write files of more than 20 kB."""
    import resource

    path = Path(shutil.copy(pair[0], tmp_path / "m.diabolo"))
    model, before = diabolo.load(pair[1]), path.read_bytes()
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, hard))
    try:
        with pytest.raises(DataError, match=f"cannot be written: File too large; {OLD}"):
            model.save(path)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert path.read_bytes() == before and os.listdir(tmp_path) == ["m.diabolo"]


@pytest.mark.parametrize("number", [errno.EACCES, errno.EROFS, errno.ENOSPC, errno.EDQUOT])
def test_a_folder_that_takes_no_file(
    pair: tuple[Path, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    path = Path(shutil.copy(pair[0], tmp_path / "m.diabolo"))
    model, before = diabolo.load(pair[1]), path.read_bytes()

    def refuse(*_: Any) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr("diabolo.utils.files.open", refuse, raising=False)
    with pytest.raises(DataError, match=f"m.diabolo cannot be written: {os.strerror(number)}; {OLD}"):
        model.save(path)
    assert path.read_bytes() == before and os.listdir(tmp_path) == ["m.diabolo"]


def test_a_file_in_the_place_of_a_folder(pair: tuple[Path, Path], tmp_path: Path) -> None:
    (tmp_path / "folder").write_bytes(b"mine")
    with pytest.raises(DataError, match="cannot be written: Not a directory"):
        diabolo.load(pair[0]).save(tmp_path / "folder" / "m.diabolo")
    (tmp_path / "m.diabolo").mkdir()
    with pytest.raises(DataError, match="cannot be written: Is a directory"):
        diabolo.load(pair[0]).save(tmp_path / "m.diabolo")
    assert (
        sorted(os.listdir(tmp_path)) == ["folder", "m.diabolo"]
        and (tmp_path / "folder").read_bytes() == b"mine"
    )


@pytest.fixture
def tiny(tmp_path: Path) -> Iterator[Path]:
    """A disk of 128 kB."""
    place = tmp_path / "disk"
    place.mkdir()
    if shutil.which("mount") is None:
        pytest.skip("there is no mount here")
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=128k", "tmpfs", str(place)],
        capture_output=True,
        text=True,
        check=False,
    )
    if mounted.returncode:
        pytest.skip(f"a disk cannot be mounted here: {mounted.stderr.strip()}")
    yield place
    subprocess.run(["umount", str(place)], check=True)


@pytest.mark.faults
def test_a_full_disk_and_a_read_only_one(pair: tuple[Path, Path], tiny: Path) -> None:
    path, model = tiny / "m.diabolo", diabolo.load(pair[0])
    model.save(path)
    before = path.read_bytes()
    assert pair[1].stat().st_size > 128 << 10 > 2 * len(before)
    with pytest.raises(DataError, match=f"cannot be written: No space left on device; {OLD}"):
        diabolo.load(pair[1]).save(path)
    assert path.read_bytes() == before and os.listdir(tiny) == ["m.diabolo"]
    model.save(path)
    subprocess.run(["mount", "-o", "remount,ro", str(tiny)], check=True)
    with pytest.raises(DataError, match=f"cannot be written: Read-only file system; {OLD}"):
        model.save(path)
    assert path.read_bytes() == before and diabolo.load(path).seed == 1
