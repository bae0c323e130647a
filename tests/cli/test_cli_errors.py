"""How commands end that cannot do what was asked: the status, one message, and no half of a file."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest

from diabolo.cli import commands
from diabolo.errors import MissingExtraError
from tests.commands import QUICK, Run, left_in


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (None, "there is no such file"),
        (b"", "is empty"),
        (b"a,b\n", "no rows"),
        (b"a,b\n1,2\n1,2,3\n", "cannot be read"),
        (b"number,double\n1,2\n3,4\n", "not in the data"),
    ],
)
def test_bad_input(run: Run, model: Path, tmp_path: Path, content: bytes | None, says: str) -> None:
    path = tmp_path / "bad.csv"
    if content is not None:
        path.write_bytes(content)
    for command in ("score", "explain", "repair", "embed", "report"):
        extra = ["-o", tmp_path / "r.html"] if command == "report" else []
        said = run(command, path, "-m", model, *extra)
        assert said.status == 2 and says in said.err and said.out == ""
    assert left_in(tmp_path) in ([], ["bad.csv"])


@pytest.mark.parametrize(
    "options",
    [
        ["--epochs", "0"],
        ["--epochs", "many"],
        ["--latent", "-1"],
        ["--recipe", "nice"],
        ["--time", "tiem"],
        ["--by", "city"],
        ["--window", "wide"],
        ["--layers", "12,x"],
        ["--device", "abacus"],
        ["--budget", "soon"],
        ["--alarm-rate", "2"],
        ["--optimizer", "magic"],
        ["--config", "none.toml"],
    ],
)
def test_bad_options(run: Run, data: Path, tmp_path: Path, options: list[str]) -> None:
    said = run("fit", data, "-o", tmp_path / "m.diabolo", *QUICK, *options)
    assert said.status == 2 and said.err and left_in(tmp_path) == []


@pytest.mark.parametrize("content", [None, b"", b"a,b\n1,2\n", b"\x08" + bytes(7) + b"{}      "])
def test_bad_models(run: Run, data: Path, tmp_path: Path, content: bytes | None) -> None:
    path = tmp_path / "bad.diabolo"
    if content is not None:
        path.write_bytes(content)
    for arguments in (["score", data, "-m", path], ["info", path], ["repair", data, "-m", path]):
        said = run(*arguments)
        assert said.status == 3 and "bad.diabolo" in said.err and said.out == ""


@pytest.mark.parametrize("cut", [0.3, 0.999])
def test_a_model_that_was_cut_off(run: Run, data: Path, model: Path, tmp_path: Path, cut: float) -> None:
    raw = model.read_bytes()
    (tmp_path / "cut.diabolo").write_bytes(raw[: int(cut * len(raw))])
    assert run("score", data, "-m", tmp_path / "cut.diabolo").status == 3


def test_outputs_that_cannot_be_are_refused_before_the_work(
    run: Run, data: Path, model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def work(*_: object) -> None:
        raise AssertionError("the work has begun")

    monkeypatch.setattr(commands, "read_data", work)
    (tmp_path / "folder.csv").mkdir()
    for command in ("score", "explain", "repair", "embed"):
        for place, says in (
            ("a.xlsx", "'.xlsx' cannot be written"),
            ("a", "cannot be written"),
            ("none/a.csv", "does not exist"),
            ("folder.csv", "is a folder"),
        ):
            said = run(command, data, "-m", model, "-o", tmp_path / place)
            assert said.status == 2 and says in said.err
    for command in (["fit", data], ["report", data, "-m", model], ["demo"]):
        for place, says in (("none/m", "does not exist"), ("folder.csv", "is a folder")):
            said = run(*command, "-o", tmp_path / place)
            assert said.status == 2 and says in said.err
    assert left_in(tmp_path) == ["folder.csv"]


WRITING = {
    "fit": ["m.diabolo", *QUICK],
    "score": ["a.csv"],
    "repair": ["a.parquet"],
    "report": ["r.html"],
}


@pytest.mark.parametrize("command", WRITING)
@pytest.mark.parametrize("fails", ["fsync", "replace"])
def test_a_full_disk_leaves_what_was_there(
    run: Run,
    data: Path,
    model: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    command: str,
    fails: str,
) -> None:
    def full(*_: object, **__: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    place, *more = WRITING[command]
    (tmp_path / place).write_text("as it was")
    monkeypatch.setattr(os, fails, full)
    given = [] if command == "fit" else ["-m", model]
    said = run(command, data, *given, "-o", tmp_path / place, *more)
    assert said.status == 2 and "No space left" in said.err
    assert left_in(tmp_path) == [place] and (tmp_path / place).read_text() == "as it was"


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root may write everywhere")
def test_a_folder_that_may_not_be_written(run: Run, data: Path, model: Path, tmp_path: Path) -> None:
    tmp_path.chmod(0o500)
    try:
        said = run("score", data, "-m", model, "-o", tmp_path / "a.csv")
        assert said.status == 2 and "cannot be written" in said.err and left_in(tmp_path) == []
    finally:
        tmp_path.chmod(0o700)


@pytest.mark.parametrize(
    ("error", "status", "says"),
    [
        (KeyboardInterrupt(), 130, "interrupted"),
        (MemoryError(), 2, "does not fit into memory"),
        (
            MissingExtraError("this needs 'x'", hint='pip install "diabolo[report]"'),
            2,
            'pip install "diabolo',
        ),
        (ZeroDivisionError("oh"), 70, "ZeroDivisionError: oh\nHint: DIABOLO_DEBUG=1"),
    ],
)
def test_what_may_come_up(
    run: Run,
    data: Path,
    model: Path,
    monkeypatch: pytest.MonkeyPatch,
    error: BaseException,
    status: int,
    says: str,
) -> None:
    def fails(*_: object) -> None:
        raise error

    monkeypatch.delenv("DIABOLO_DEBUG", raising=False)
    monkeypatch.setattr(commands, "read_data", fails)
    said = run("score", data, "-m", model)
    assert said.status == status and says in said.err and said.out == ""


def test_bugs_can_be_seen(run: Run, data: Path, model: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(*_: object) -> None:
        raise ZeroDivisionError("oh")

    monkeypatch.setenv("DIABOLO_DEBUG", "1")
    monkeypatch.setattr(commands, "read_data", fails)
    with pytest.raises(ZeroDivisionError):
        run("score", data, "-m", model)


def test_a_table_and_a_model_in_each_others_place(run: Run, data: Path, model: Path, tmp_path: Path) -> None:
    right = f"Hint: diabolo score {data} -m {model}"
    said = run("score", model, "-m", data)
    assert said.status == 3 and "no diabolo model, it looks like a table" in said.err and right in said.err
    for arguments in ((data, model), (model, data)):
        said = run("score", *arguments)
        assert said.status == 2 and "--model" in said.err and right in said.err
    said = run("score", data, "-m", data)
    assert said.status == 3 and f"diabolo fit {data} -o t.diabolo" in said.err
    for arguments in (["score", model, "-m", model], ["fit", model, "-o", tmp_path / "m.diabolo"]):
        said = run(*arguments)
        assert said.status == 2 and "is a diabolo model, not a table" in said.err
    # A file that is no table is not swapped.
    (tmp_path / "cut.diabolo").write_bytes(model.read_bytes()[:900])
    said = run("score", data, "-m", tmp_path / "cut.diabolo")
    assert said.status == 3 and "is damaged" in said.err and "diabolo score" not in said.err
    said = run("score", data)
    assert said.status == 2 and "Hint" not in said.err
