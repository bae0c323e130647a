"""Runs for TensorBoard: event files, next to the files of a plain folder."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from diabolo.errors import need
from diabolo.tracking.base import RunName, RunRecord, Tracker, curve_points, to_json_values
from diabolo.tracking.folder import Folder


class TensorBoard(Tracker):
    """Records a scalar for each loss of each member, and the parameters for the HParams page.

    The folder also holds the files of `Folder`, from which runs are read: event files are slow to read back.

    Args:
        where: the folder, as for `tensorboard --logdir`.
    """

    scheme = "tensorboard"

    def __init__(self, where: str) -> None:
        super().__init__(where)
        self.folder = Folder(where)

    def begin(self, name: RunName, parameters: Mapping[str, Any]) -> int:
        """Create the folder of the run, and write its parameters for the HParams page.

        Args:
            name: project, run and version.
            parameters: the arguments of the fit that were given.
        """
        need("tensorboard", "tensorboard")
        board = need("torch.utils.tensorboard", "tensorboard")
        version = self.folder.begin(name, parameters)
        self.writer = board.SummaryWriter(str(self.folder.run_folder))
        simple = (bool, int, float, str)
        flat = {
            k: v if isinstance(v, simple) else json.dumps(v) for k, v in to_json_values(parameters).items()
        }
        # Not `add_hparams`: it writes into another folder than that of the curves.
        _, begun, _ = board.summary.hparams(flat, {})
        self.writer.file_writer.add_summary(begun)
        self.writer.flush()
        return version

    def log(self, line: Mapping[str, Any]) -> None:
        self.folder.log(line)
        for name, value in curve_points(line).items():
            self.writer.add_scalar(name, value, line["step"])
        self.writer.flush()

    def end(self, status: str, summary: Mapping[str, Any]) -> None:
        """Record the end in the folder and for the HParams page, and close the event file.

        Args:
            status: one of `STATUSES`.
            summary: facts at the end of the fit.
        """
        self.folder.end(status, summary)
        self.writer.file_writer.add_summary(_session_end(status))
        self.writer.close()

    def runs(self) -> list[RunRecord]:
        return self.folder.runs()


def _session_end(status: str) -> Any:
    """Return the summary that tells the HParams page whether the run succeeded."""
    from tensorboard.compat.proto.summary_pb2 import Summary
    from tensorboard.plugins.hparams import api_pb2, metadata, plugin_data_pb2

    code = api_pb2.STATUS_SUCCESS if status == "finished" else api_pb2.STATUS_FAILURE
    content = plugin_data_pb2.HParamsPluginData(
        session_end_info=plugin_data_pb2.SessionEndInfo(status=code), version=metadata.PLUGIN_DATA_VERSION
    )
    tag = metadata.SESSION_END_INFO_TAG
    return Summary(value=[Summary.Value(tag=tag, metadata=metadata.create_summary_metadata(content))])
