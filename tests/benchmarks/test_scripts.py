"""The anomaly benchmarks run from their command line on small made folders, with a stand-in for our model."""

from __future__ import annotations

import gzip
import io
import json
import shutil
import subprocess
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from benchmarks import anomaly_series, anomaly_tables, common, detection, splits
from benchmarks.metrics import auroc_lead_error

FIELDS = ["claim", "protocol", "seeds", "machine", "rows", "mean", "peers"]


def distance_from_mean(x_train: np.ndarray, x_test: np.ndarray, seed: int) -> np.ndarray:
    """A stand-in for our model that fits both tables and series."""
    distance = np.abs(x_test - x_train.mean(0)) / x_train.std(0)
    return distance.reshape(len(x_test), -1).max(1)


def failing(x_train: np.ndarray, x_test: np.ndarray, seed: int) -> np.ndarray:
    raise RuntimeError("made to fail")


def save_table(path: Path, seed: int) -> None:
    random = np.random.default_rng(seed)
    rows = np.concatenate([random.normal(size=(100, 3)), random.normal(5, 1, size=(10, 3))])
    content = io.BytesIO()
    np.savez(content, X=rows, y=np.repeat([0, 1], [100, 10]))
    data = content.getvalue()
    path.write_bytes(gzip.compress(data) if path.suffix == ".gz" else data)


@pytest.fixture
def tables(tmp_path: Path) -> Path:
    folder = tmp_path / "tables"
    folder.mkdir()
    save_table(folder / "second.npz", 1)
    save_table(folder / "first.set.npz.gz", 2)
    (folder / "notes.txt").write_text("not a set", encoding="utf-8")
    return folder


@pytest.fixture
def series(tmp_path: Path) -> Path:
    folder = tmp_path / "series"
    folder.mkdir()
    problem = anomaly_series.made_problem()
    np.savez(folder / "made_tr_600.npz", x=problem.test, y=problem.labels.astype(np.uint8))
    return folder


def run(script: ModuleType, data: Path, *more: str) -> tuple[int, dict]:
    out = data.parent / "results" / "out.json"
    code = script.main(["--data", str(data), "--json", str(out), *more])
    assert [path.name for path in out.parent.iterdir()] == ["out.json"]
    return code, json.loads(out.read_text(encoding="utf-8"))


def test_tables(tables: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setitem(anomaly_tables.DETECTORS, common.OURS, distance_from_mean)
    scores = tables.parent / "scores"
    more = ["--seeds", "2", "--peers", "knn1,knn5", "--scores", str(scores)]
    code, result = run(anomaly_tables, tables, *more)
    assert code == 0
    assert list(result) == FIELDS
    assert result["seeds"] == [0, 1]
    assert len(result["rows"]) == 2 * 2 * 3
    assert list(result["peers"]) == ["knn1", "knn5"]
    for figures in (result["mean"], *result["peers"].values()):
        assert figures["sets"] == 2 and figures["failures"] == 0 and figures["cpu_seconds"] >= 0
        assert 90 < figures["aupr"] <= figures["auroc"] <= 100
        assert figures["auroc_unique"] == figures["auroc"]
    printed = capsys.readouterr().out
    assert "knn5" in printed and "better rival" in printed
    mine, *rivals = result["rows"][:3]
    assert mine["lead"] == mine["auroc"] - max(rival["auroc"] for rival in rivals) and mine["lead_error"] >= 0
    assert mine["lead_over"] in ("knn1", "knn5")
    assert result["mean"]["lead"] == pytest.approx(
        np.mean([row["lead"] for row in result["rows"] if "lead" in row])
    )
    assert result["mean"]["sets_far_behind"] == 0 and "lead" not in result["peers"]["knn1"]
    with np.load(scores / "first.set.1.npz") as kept:
        assert kept["scores"].shape == kept["labels"].shape == (60,)
        assert kept["labels"].sum() == 10
    assert (scores / "knn5" / "second.0.npz").is_file()


def test_means_are_over_sets_of_the_mean_over_seeds(tables: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(anomaly_tables.DETECTORS, common.OURS, distance_from_mean)
    _, result = run(anomaly_tables, tables, "--peers", "", "--seeds", "2")
    rows = result["rows"]
    assert result["mean"]["aupr"] == pytest.approx(np.mean([row["aupr"] for row in rows]))
    assert result["mean"]["cpu_seconds"] == pytest.approx(sum(row["cpu_seconds"] for row in rows) / 2)


def test_a_failure_is_shown_and_the_rest_goes_on(
    tables: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(anomaly_tables.DETECTORS, common.OURS, distance_from_mean)
    monkeypatch.setitem(anomaly_tables.DETECTORS, "knn3", failing)
    code, result = run(anomaly_tables, tables, "--seeds", "1", "--peers", "knn3")
    assert code == 1
    assert result["mean"]["failures"] == 0
    assert result["peers"]["knn3"] == {"sets": 0, "failures": 2}
    assert "FAILED knn3 on second, seed 0: RuntimeError: made to fail" in capsys.readouterr().out


def test_a_broken_file_does_not_stop_the_others(tables: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(anomaly_tables.DETECTORS, common.OURS, distance_from_mean)
    (tables / "broken.npz").write_bytes(b"not an archive")
    code, result = run(anomaly_tables, tables, "--seeds", "1", "--peers", "")
    assert code == 1
    assert (result["mean"]["sets"], result["mean"]["failures"]) == (2, 1)


def test_sets_restricts(tables: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(anomaly_tables.DETECTORS, common.OURS, distance_from_mean)
    _, result = run(anomaly_tables, tables, "--seeds", "1", "--peers", "", "--sets", "first.set")
    assert {row["set"] for row in result["rows"]} == {"first.set"}
    with pytest.raises(SystemExit, match="no set named other"):
        run(anomaly_tables, tables, "--sets", "other")


def test_mistakes_on_the_command_line_are_said(tables: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        anomaly_tables.main(["--data", str(tables), "--json", "out.json", "--peers", "knn7"])
    assert "unknown peers knn7; known are knn1" in capsys.readouterr().err


def test_the_split_is_clean(tables: Path) -> None:
    problem = splits.load_clean(tables / "second.npz", seed=0)
    assert problem.train.shape == (50, 3)
    assert problem.test.shape == (60, 3)
    assert problem.labels.tolist() == [0] * 50 + [1] * 10
    assert not anomaly_tables.repeats(problem.train, problem.test).any()


def test_repeats_finds_equal_rows() -> None:
    train, test = np.array([[0.0, 1.0], [2.0, 3.0]]), np.array([[-0.0, 1.0], [2.0, 1.0]])
    assert anomaly_tables.repeats(train, test).tolist() == [True, False]


def test_the_contaminated_split_scores_what_it_fits(tables: Path) -> None:
    problem = splits.load_contaminated(tables / "second.npz", seed=0)
    assert problem.test is problem.train and problem.train.shape == (110, 3)
    assert problem.labels.sum() == 10


def test_the_dte_split_draws_small_tables_up_to_a_thousand_rows(tables: Path) -> None:
    problem = splits.load_dte(tables / "second.npz", seed=0)
    assert len(problem.train) + len(problem.test) == 1000
    # Their draw: the old generator, seeded, over all rows.
    np.random.seed(0)
    drawn = np.random.choice(np.arange(110), 1000, replace=True)
    values = common.read_npz(tables / "second.npz")["X"]
    assert (problem.train == values[drawn[drawn < 100]][: len(problem.train)]).all()
    assert problem.labels.sum() == (drawn >= 100).sum()


def test_the_dte_split_takes_other_tables_in_their_order(tmp_path: Path) -> None:
    values, odd = np.arange(1200.0)[:, None], np.arange(1200) % 4 == 0
    np.savez(tmp_path / "set.npz", X=values, y=odd.astype(int))
    problem = splits.load_dte(tmp_path / "set.npz", seed=3)
    assert problem.train.ravel().tolist() == np.flatnonzero(~odd)[:450].tolist()
    assert problem.labels.tolist() == [0] * 450 + [1] * 300


def save_arff(path: Path) -> None:
    random = np.random.default_rng(0)
    lines = [f"{label},{label},{random.choice(['u', 'v'])},0" for label in random.choice(["a", "b"], 120)]
    lines += ["a,b,u,1", "b,a,v,1", "c,?,u,1"]
    levels = {"x": "{a,b,c}", "y": "{a,b}", "z": "{u,v}", "class": "{1,0} % 1 for odd"}
    head = ["@relation made", *(f"@attribute {name} {found}" for name, found in levels.items()), "@data"]
    path.write_bytes(gzip.compress("\n".join([*head, *lines, ""]).encode()))


def test_tables_of_labels(
    tables: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(anomaly_tables.DETECTORS, common.OURS, lambda a, b, seed: np.arange(float(len(b))))
    save_arff(tables / "labels.arff.gz")
    code, result = run(anomaly_tables, tables, "--seeds", "1", "--peers", "knn1,frequency,hamming5")
    assert code == 0
    ran = {(row["detector"], row["set"]) for row in result["rows"]}
    assert {name for name, set_name in ran if set_name == "labels"} == {common.OURS, "frequency", "hamming5"}
    assert result["peers"]["knn1"]["sets"] == 2 and result["mean"]["sets"] == 3
    assert result["peers"]["hamming5"]["auroc"] > 90


def test_labels_are_categories_and_holes_are_holes(tables: Path) -> None:
    save_arff(tables / "labels.arff.gz")
    frame, labels = splits.read(tables / "labels.arff.gz")
    assert [str(kind) for kind in frame.dtypes] == ["category"] * 3
    assert frame.isna().sum().tolist() == [0, 1, 0] and labels.tolist() == [0] * 120 + [1] * 3
    problem = splits.load_clean(tables / "labels.arff.gz", seed=0)
    assert anomaly_tables.repeats(problem.train, problem.test).tolist() == [True] * 60 + [False] * 3


@pytest.mark.parametrize("protocol", list(splits.PROTOCOLS))
def test_every_protocol_runs(tables: Path, monkeypatch: pytest.MonkeyPatch, protocol: str) -> None:
    monkeypatch.setitem(anomaly_tables.DETECTORS, common.OURS, distance_from_mean)
    code, result = run(anomaly_tables, tables, "--seeds", "1", "--peers", "knn5", "--protocol", protocol)
    assert code == 0 and result["protocol"].startswith(f"{protocol}: ")
    assert result["mean"]["auroc"] > 90
    # Drawn up to a thousand, these tables have every normal row in the part that is fitted, too.
    assert (result["mean"]["auroc_unique"] is None) == (protocol != "clean")


def test_no_row_is_its_own_neighbour() -> None:
    train = anomaly_tables.made_problem().train
    alone = anomaly_tables.DETECTORS["knn1"](train, train, 0)
    assert alone.min() > 0 and anomaly_tables.DETECTORS["knn1"](train, train.copy(), 0).max() == 0


NUMBERS = [n for n in anomaly_tables.DETECTORS if anomaly_tables.suits(n, Path("x.npz")) and n != common.OURS]


@pytest.mark.parametrize("name", NUMBERS)
def test_every_peer_for_numbers_finds_the_odd_rows(name: str) -> None:
    if name.startswith("pyod"):
        pytest.importorskip("pyod")
    problem = anomaly_tables.made_problem()
    scores = anomaly_tables.DETECTORS[name](problem.train, problem.test, 0)
    auroc = anomaly_tables.measure(problem, scores)["auroc"]
    assert auroc is not None and auroc > 90


def test_series(series: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(anomaly_series.DETECTORS, common.OURS, distance_from_mean)
    # The matrix profile is left out: to compile it takes a minute.
    peers = ["knn3_centred", "sliding_pca", "isolation_forest", "pyod_knn"]
    slow = {"matrix_profile", "pyod_lof", "pyod_ecod"}
    assert {*peers, *slow} == set(anomaly_series.BENCHMARK.default_peers)
    code, result = run(anomaly_series, series, "--peers", ",".join(peers))
    assert code == 0
    assert list(result) == FIELDS
    assert result["seeds"] == [0]
    assert list(result["peers"]) == peers
    assert result["rows"][0]["train"] == 600
    for figures in result["peers"].values():
        assert figures["vus_pr"] > 0.8 and figures["vus_roc"] > 0.8
    pace, points = result["mean"]["cpu_seconds_per_10k_points"], len(anomaly_series.made_problem().test)
    assert pace == pytest.approx(result["mean"]["cpu_seconds"] / points * 10_000)


def family(folder: Path) -> None:
    """Three series whose names say where they come from, and published figures for two of them."""
    for name in ("1_Some_id_1", "2_Some_id_2", "3_Other_id_1"):
        shutil.copy(folder / "made_tr_600.npz", folder / f"{name}_tr_600.npz")
    (folder / "made_tr_600.npz").unlink()
    lines = ["file,Theirs", "1_Some_id_1_tr_600.csv,.5", "3_Other_id_1_tr_600.csv,.25", "9_Else_tr_5.csv,.1"]
    (folder / "published.csv").write_text("\n".join(lines), encoding="utf-8")


def test_series_by_family_and_beside_what_is_published(
    series: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(anomaly_series.DETECTORS, common.OURS, anomaly_series.DETECTORS["sliding_pca"])
    for name in ("diabolo_denoising", "diabolo_linear"):
        monkeypatch.setitem(anomaly_series.DETECTORS, name, anomaly_series.DETECTORS["sliding_pca"])
    family(series)
    code, result = run(anomaly_series, series, "--peers", "diabolo_denoising,diabolo_linear")
    assert code == 0 and list(result["peers"])[2] == "Theirs (published)"
    theirs, network = result["peers"]["Theirs (published)"], result["peers"]["diabolo_denoising"]
    assert theirs["vus_pr"] == 0.375 and theirs["sets"] == 2 and "cpu_seconds" not in theirs
    reached = result["mean"]["vus_pr"]
    assert theirs["ours_minus"] == pytest.approx(reached - 0.375)
    assert theirs["ours_minus_low"] == pytest.approx(reached - 0.5)
    assert theirs["ours_minus_high"] == pytest.approx(reached - 0.25)
    assert network["minus_start"] == network["minus_start_high"] == 0
    assert "minus_start" not in result["peers"]["diabolo_linear"]
    printed = capsys.readouterr().out
    table = printed[printed.index("vus_pr by family") :].splitlines()[3:5]
    assert [line.split()[:2] for line in table] == [["Some", "2"], ["Other", "1"]]


def test_a_series_without_a_prefix_in_its_name_fails(series: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(anomaly_series.DETECTORS, common.OURS, distance_from_mean)
    (series / "made_tr_600.npz").rename(series / "made.npz")
    code, result = run(anomaly_series, series, "--peers", "")
    assert code == 1
    assert "no tr_N in the name made.npz" in result["rows"][0]["error"]


def test_spread_is_the_mean_over_covering_windows() -> None:
    assert anomaly_series.spread(np.array([1.0, 2.0, 6.0]), 5).tolist() == [1.0, 1.5, 3.0, 4.0, 6.0]


def test_a_lead_is_judged_by_its_error_and_great_losses_stand_out(capsys: pytest.CaptureFixture[str]) -> None:
    def row(name: str, lead: float, error: float, seed: int = 0) -> dict:
        about = {"detector": common.OURS, "set": name, "seed": seed, "test": 9, "cpu_seconds": 0.1}
        return {**about, "auroc": 80.0 + lead, "lead": lead, "lead_error": error, "lead_over": f"peer{seed}"}

    rows = [row("far", -8, 1), row("near", -1.9, 1), row("close", 0.4, 0.1), row("lost", -2, 0.5)]
    rows += [row("far", -4, 1, 1), {"detector": "peer0", "set": "alone", "seed": 0, "error": "made to fail"}]
    found = detection.comparisons(rows)
    assert list(found) == ["far", "near", "close", "lost"]
    assert found["far"] == ("peer0/peer1", 80.0, -6.0, 1.0, "behind")
    assert [place.verdict for place in found.values()] == ["behind", "within noise", "ahead", "behind"]
    figures = detection.summary(rows, common.OURS)
    assert (figures["sets_not_behind"], figures["sets_far_behind"], figures["lead"]) == (2, 1, -2.375)
    detection.print_standings(rows)
    lines = capsys.readouterr().out.splitlines()
    assert [line.partition(" ")[0] for line in lines if "by more than 5" in line] == ["far"]


def test_a_rival_that_fails_is_no_rival(tables: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(anomaly_tables.DETECTORS, common.OURS, distance_from_mean)
    monkeypatch.setitem(anomaly_tables.DETECTORS, "knn1", failing)
    _, result = run(anomaly_tables, tables, "--seeds", "1", "--peers", "knn1,pyod_lof")
    assert not any("lead" in row for row in result["rows"]) and "lead" not in result["mean"]


def test_the_error_of_a_lead_is_that_of_a_paired_bootstrap() -> None:
    random = np.random.default_rng(0)
    labels = np.repeat([0, 1], [300, 60])
    first = np.round(labels + random.normal(size=360), 1)
    near, far = first + 0.2 * random.normal(size=360), random.normal(size=360)
    for second in (near, far):
        leads = []
        for _ in range(400):
            drawn = random.integers(0, 360, 360)
            one, other = (roc_auc_score(labels[drawn], scores[drawn]) for scores in (first, second))
            leads.append(100 * (one - other))
        assert auroc_lead_error(labels, first, second, 0) == pytest.approx(np.std(leads), rel=0.2)
    assert auroc_lead_error(labels, first, 2 * first, 0) == 0
    assert auroc_lead_error(np.repeat([0, 1], [30, 1]), first[:31], far[:31], 0) > 0


def test_the_result_is_written_whole_or_not_at_all(tmp_path: Path) -> None:
    path = tmp_path / "out.json"
    path.write_text("old", encoding="utf-8")
    with pytest.raises(ValueError, match="not JSON compliant"):
        common.write_result(
            path, claim="", protocol="", seeds=1, rows=[], mean={"auroc": float("nan")}, peers={}
        )
    assert [file.read_text(encoding="utf-8") for file in tmp_path.iterdir()] == ["old"]


def test_a_folder_without_its_files_is_no_failure(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for script, kind in ((anomaly_tables, ".npz or .arff"), (anomaly_series, ".npz")):
        with pytest.raises(SystemExit) as end:
            script.main(["--data", str(tmp_path), "--json", str(tmp_path / "out.json"), "--sets", "a"])
        assert end.value.code == common.NO_DATA
        assert f"no {kind} file in" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


PYTHON = """\
#!/bin/sh
case $2 in *.skips) exit 3 ;; *.fails) exit 1 ;; *.breaks) exit 2 ;; esac
"""


@pytest.mark.skipif(shutil.which("make") is None, reason="make is not installed")
@pytest.mark.parametrize(
    ("scripts", "code", "skipped", "failed"),
    [
        ("fine skips fails skips fine", 2, "skips skips", "fails"),
        ("breaks fine", 2, None, "breaks"),
        ("skips fine", 0, "skips", None),
        ("fine", 0, None, None),
    ],
)
def test_make_goes_on(
    tmp_path: Path, scripts: str, code: int, skipped: str | None, failed: str | None
) -> None:
    python = tmp_path / "python"
    python.write_text(PYTHON, encoding="utf-8")
    python.chmod(0o755)
    command = ["make", "--silent", "--old-file=setup", "bench", f"BIN={tmp_path}", f"DATA={tmp_path}"]
    command += [f"RESULTS={tmp_path / 'results'}", f"BENCHMARKS={scripts}"]
    root = Path(__file__).resolve().parents[2]
    ran = subprocess.run(command, cwd=root, capture_output=True, text=True, check=False, timeout=60)
    assert ran.returncode == code, ran.stderr
    assert [line[3:] for line in ran.stdout.splitlines() if line.startswith("== ")] == scripts.split()
    assert (f"(said above): {skipped}" in ran.stdout) == (skipped is not None)
    assert (f"failed: {failed}" in ran.stdout) == (failed is not None)
