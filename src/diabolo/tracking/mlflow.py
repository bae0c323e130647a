"""Runs on an MLflow tracking server."""

from __future__ import annotations

import json
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, redirect_stdout, suppress
from datetime import UTC, datetime
from io import StringIO
from typing import Any

from diabolo.errors import DiaboloError, OptionError, need
from diabolo.tracking.base import CURVE_NAMES, RunName, RunRecord, Tracker, curve_points, to_json_values
from diabolo.version import __version__

# Our status -> MLflow's.
MLFLOW_STATUSES = {"running": "RUNNING", "finished": "FINISHED", "failed": "FAILED", "interrupted": "KILLED"}
MAX_TEXT_CHARS = 5_000  # of a tag or a parameter; every server accepts so many
SUMMARY_PREFIX = "summary."


class MLflow(Tracker):
    """Records a project as an experiment, a run with parameters and curves, name and version as tags.

    The version is counted when a run begins. Two runs that begin at the same moment can get the same version;
    they stay two runs.

    Args:
        where: the server's address, http://HOST:PORT.
    """

    scheme = "mlflow"

    def begin(self, name: RunName, parameters: Mapping[str, Any]) -> int:
        """Create the run, in an experiment that has the name of the project.

        Args:
            name: project, run and version.
            parameters: the arguments of the fit that were given.
        """
        self.entities = need("mlflow.entities", "mlflow")
        with self._client() as client:
            found = client.get_experiment_by_name(name.project)
            experiment = found.experiment_id if found else client.create_experiment(name.project)
            versions = [
                int(run.data.tags["version"])
                for run in _pages(client.search_runs, [experiment], "tags.diabolo != ''")
                if run.data.tags.get("run") == name.run
            ]
            free = 1 + max(versions, default=0)
            if name.version in versions:
                raise name.version_exists(free)
            version = name.version or free
            tags = {"diabolo": __version__, "project": name.project, "run": name.run, "version": str(version)}
            made = client.create_run(experiment, run_name=f"{name.run}/{version}", tags=tags)
            self.id = made.info.run_id
            given = [self.entities.Param(k, _to_text(v)) for k, v in to_json_values(parameters).items()]
            client.log_batch(self.id, params=given)
        self.client = client
        return version

    def log(self, line: Mapping[str, Any]) -> None:
        now = int(time.time() * 1000)
        points = [self.entities.Metric(k, v, now, line["step"]) for k, v in curve_points(line).items()]
        self.client.log_batch(self.id, metrics=points)

    def end(self, status: str, summary: Mapping[str, Any]) -> None:
        """Write the summary as tags, and set the status of the run.

        Args:
            status: one of `STATUSES`.
            summary: facts at the end of the fit.
        """
        tags = [
            self.entities.RunTag(SUMMARY_PREFIX + k, _to_text(v)) for k, v in to_json_values(summary).items()
        ]
        self.client.log_batch(self.id, tags=tags)
        with redirect_stdout(
            StringIO()
        ):  # it prints an address to standard output, which belongs to the answer of a command
            self.client.set_terminated(self.id, MLFLOW_STATUSES[status])

    def runs(self) -> list[RunRecord]:
        with self._client() as client:
            experiments = [e.experiment_id for e in _pages(client.search_experiments)]
            found = _pages(client.search_runs, experiments, "tags.diabolo != ''") if experiments else ()
            return [_to_record(client, run) for run in found]

    @contextmanager
    def _client(self) -> Iterator[Any]:
        """Yield a client, and raise an OptionError for whatever goes wrong inside the block."""
        mlflow = need("mlflow", "mlflow")
        try:
            if self.where.startswith("http"):
                # MLflow itself retries for minutes before it reports that no server answers.
                _check_reachable(self.where)
            yield mlflow.MlflowClient(tracking_uri=self.where)
        except DiaboloError:
            raise
        except Exception as error:
            reason = (str(error) or type(error).__name__).splitlines()[0]
            raise OptionError(
                f"mlflow:{self.where} cannot be used: {reason}",
                hint="mlflow server, then mlflow:http://127.0.0.1:5000",
            ) from error


def _check_reachable(address: str) -> None:
    with suppress(urllib.error.HTTPError):  # this too is an answer
        urllib.request.urlopen(address, timeout=10).close()


def _pages(search: Any, *arguments: Any) -> Iterator[Any]:
    token = None
    while True:
        page = search(*arguments, page_token=token)
        yield from page
        token = page.token
        if not token:
            return


def _to_record(client: Any, run: Any) -> RunRecord:
    info, tags = run.info, run.data.tags
    return RunRecord(
        project=tags["project"],
        run=tags["run"],
        version=int(tags["version"]),
        status={word: ours for ours, word in MLFLOW_STATUSES.items()}.get(info.status, "running"),
        began=datetime.fromtimestamp(info.start_time / 1000, UTC),
        seconds=(info.end_time - info.start_time) / 1000 if info.end_time else None,
        parameters={k: _parse_text(v) for k, v in run.data.params.items()},
        summary={
            k.removeprefix(SUMMARY_PREFIX): _parse_text(v)
            for k, v in tags.items()
            if k.startswith(SUMMARY_PREFIX)
        },
        history=_read_history(client, run),
    )


def _read_history(client: Any, run: Any) -> list[dict[str, Any]]:
    """Rebuild history lines from curves: the points of a member at the same step form a line."""
    lines: dict[tuple[str, int], dict[str, Any]] = {}
    begun: dict[str, int] = {}
    for key in run.data.metrics:
        member, _, name = key.rpartition("/")
        if name not in CURVE_NAMES:
            continue
        for point in client.get_metric_history(run.info.run_id, key):
            line = lines.setdefault((member, point.step), {"member": member, "step": point.step})
            line[name] = point.value
            begun[member] = min(point.timestamp, begun.get(member, point.timestamp))
    return [lines[place] for place in sorted(lines, key=lambda place: (begun[place[0]], *place))]


def _to_text(value: Any) -> str:
    return (value if isinstance(value, str) else json.dumps(value))[:MAX_TEXT_CHARS]


def _parse_text(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return text
