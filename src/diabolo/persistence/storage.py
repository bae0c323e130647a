"""Write and read .diabolo files: tensors (safetensors) and a card (JSON, in its metadata), never a pickle."""

from __future__ import annotations

import json
import platform
import re
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.metadata import version as version_of
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from diabolo.cleaning.table import TableErrors
from diabolo.data.columns import Image
from diabolo.data.fields import Batch, Symbol
from diabolo.data.files import FORMATS, file_format
from diabolo.detection import EVIDENCE, CellPredictor, ModelParts, RowScorer
from diabolo.detection.calibration import Calibration
from diabolo.detection.cell_errors import CellErrorModel
from diabolo.detection.memory import Memory
from diabolo.engine import Engine
from diabolo.errors import DataError, ModelFileError
from diabolo.generation.window_mixture import WindowMixture
from diabolo.images.models import ImageModels
from diabolo.networks.network import Network
from diabolo.persistence.upgrade import upgrade_card, upgrade_tensor_name
from diabolo.persistence.validation import Plan, check_values, fill_network, make_plan
from diabolo.utils.files import select_prefix, write_atomic
from diabolo.utils.json import to_json_value
from diabolo.utils.tensor_file import TensorFile, is_tensor_file, open_tensor_file, pack, parse_json
from diabolo.utils.torch_state import forked_rng

FORMAT = 5  # of the files that this version writes
# Format whose names are the present ones; it has no checks of the cells of a table, 4 no models of images.
UNCHANGED_SINCE = 3
MAX_REASON_LENGTH = 300  # characters of an error from a file that a message shows
RECORDED_LIBRARIES = ("narwhals", "numpy", "pyarrow", "safetensors", "scikit-learn", "torch")


@dataclass(frozen=True)
class Stored:
    """The contents of a model file.

    Attributes:
        engine: the fitted model.
        options: the arguments of the estimator.
    """

    engine: Engine
    options: dict[str, Any]


def write(path: str | Path, engine: Engine, options: Mapping[str, Any], version: str) -> Path:
    """Write a model completely or not at all: to a temporary file, flushed to the disk, then renamed.

    Args:
        path: of the file.
        engine: the fitted model.
        options: of the estimator: its arguments, the names of the columns, the library of the table.
        version: of diabolo.

    Returns:
        the path.

    Raises:
        DataError: the folder does not exist or cannot be written to, or the model cannot be stored.
    """
    path = Path(path)
    tensors = _tensors(engine)
    for name, tensor in tensors.items():
        if tensor.is_floating_point() and not bool(torch.isfinite(tensor).all()):
            raise DataError(
                f"{path} is not written: {name} holds numbers that are not finite",
                hint="fit again with a lower learning rate: lr=0.0005",
            )
    card = {
        "format": FORMAT,
        "diabolo": version,
        "libraries": {"python": platform.python_version(), **{n: version_of(n) for n in RECORDED_LIBRARIES}},
        "options": dict(options),
        "source": engine.source.to_json(),
        "schema": engine.schema.to_json(),
        "members": {name: net.member.to_json() for name, net in engine.networks.items()},
        "calibration": engine.rows.calibration.to_json(),
        "evidence": {e.name: e.state() for e in engine.rows.evidence},
        "cell_errors": engine.cell_errors.to_json(),
        "table_errors": None if engine.table_errors is None else engine.table_errors.state(),
        "images": None if engine.images is None else engine.images.state(),
        "history": engine.history,
        "notes": engine.notes,
        "facts": engine.facts,
    }
    try:
        raw = pack(tensors, json.dumps(to_json_value(card), allow_nan=False))
    except ValueError as error:
        raise DataError(
            f"{path} is not written: {error}", hint="leave out columns with very many labels: ignore=[...]"
        ) from error
    write_atomic(path, raw)
    return path


def read(path: str | Path, *, device: str = "cpu", threads: int | None = 1) -> Stored:
    """Read a model.

    The header is checked first, by itself and against the card, so that a forged file takes no memory; then
    the checksum, then the values of the tensors.

    Args:
        path: of the file.
        device: "cpu", "cuda" or "mps".
        threads: of torch; None for its own choice.

    Raises:
        ModelFileError: the file does not exist, is no model, is damaged, or was written by a newer version.
    """
    path = Path(path)
    if not path.is_file():
        raise ModelFileError(f"{path}: there is no such file")
    problem = "is no diabolo model, or is damaged"
    try:
        if file_format(path)[0] in FORMATS and not is_tensor_file(path):
            raise ModelFileError(
                f"{path} is no diabolo model, it looks like a table",
                hint=f'Autoencoder().fit("{path}").save("{path.stem}.diabolo"), or '
                f"diabolo fit {path} -o {path.stem}.diabolo",
            )
        with open_tensor_file(path) as file:
            card = parse_json(file.card)
            _check_format(path, card)
            problem = "is damaged, or is inconsistent"
            card, names = _present_names(card, file)
            plan = make_plan(card, {names[k]: v for k, v in file.specs.items() if k in names})
            problem = "is damaged"
            tensors = {names[k]: v for k, v in file.tensors().items() if k in names}
        problem = "is inconsistent"
        check_values(plan, tensors)
        return Stored(_restored(card, plan, tensors, device, threads), card["options"])
    except ModelFileError:
        raise
    except OSError as error:
        raise ModelFileError(f"{path} cannot be read: {error.strerror}") from error
    except Exception as error:  # a forged file can provoke any kind of exception
        reason = f"{error} is missing" if isinstance(error, KeyError) else str(error)[:MAX_REASON_LENGTH]
        hint = "the file is damaged or was changed; copy it again from its source"
        raise ModelFileError(f"{path} {problem}: {reason}", hint=hint) from error


def _present_names(card: Mapping[str, Any], file: TensorFile) -> tuple[Mapping[str, Any], dict[str, str]]:
    """Return the card in the present format, and stored name -> present name of each tensor."""
    if card["format"] >= UNCHANGED_SINCE:
        return card, {name: name for name in file.specs}
    card = upgrade_card(card, file.specs)
    found = ((name, upgrade_tensor_name(name, card["evidence"])) for name in file.specs)
    names = {old: new for old, new in found if new is not None}
    if len(set(names.values())) != len(names):
        raise ValueError("two tensors have the same name")  # only in a forged file
    return card, names


def _check_format(path: Path, card: Any) -> None:
    """Raise an error if the file has no format number, or that of a newer version."""
    number = card["format"]
    if type(number) is not int or number < 1:
        raise ValueError("it has no valid format number")
    if number > FORMAT:
        # The hint can be pasted into a shell: nothing but a version number goes into it.
        version = str(card.get("diabolo"))
        known = re.fullmatch(r"[0-9]+(\.[0-9a-z]+){0,5}", version)
        raise ModelFileError(
            f"{path} has format {number}, this version reads up to {FORMAT}",
            hint=f'pip install "diabolo>={version}"' if known else "install a newer diabolo",
        )


def _tensors(engine: Engine) -> dict[str, Tensor]:
    """Return the name -> tensor of everything that is stored."""
    arrays: dict[str, Any] = {}
    for name, network in engine.networks.items():
        # Weights that two modules share are stored once, under the first name.
        arrays |= {f"network/{name}/{k}": v.cpu() for k, v in network.state_dict().items()}
    memory = engine.memory
    for kind, values in memory.rows.values.items():
        # 16 bits hold the symbols of any field; with more, half of the file would be zeros.
        arrays[f"memory/values/{kind}"] = values.to(torch.int16) if kind == Symbol.kind else values
    arrays |= {f"memory/visible/{k}": v for k, v in memory.rows.visible.items()}
    arrays |= {f"memory/{name}": array for name, array in memory.arrays().items()}
    for evidence in engine.rows.evidence:
        arrays |= {f"evidence/{evidence.name}/{k}": v for k, v in evidence.arrays().items()}
    if engine.window_mixture is not None:
        arrays |= {f"window_mixture/{k}": v for k, v in engine.window_mixture.arrays.items()}
    if engine.table_errors is not None:
        arrays |= {f"table_errors/{k}": v for k, v in engine.table_errors.arrays().items()}
    if engine.images is not None:
        arrays |= {f"images/{k}": v for k, v in engine.images.arrays().items()}
    arrays["calibration/scores"] = engine.rows.calibration.scores
    if engine.axes is not None:
        arrays["axes/centre"], arrays["axes/directions"] = engine.axes
    return {k: torch.as_tensor(v).clone().contiguous() for k, v in arrays.items()}


def _restored(
    card: Mapping[str, Any], plan: Plan, tensors: dict[str, Tensor], device: str, threads: int | None
) -> Engine:
    """Return the model that a checked file describes."""
    schema, networks, known = plan.schema, {}, 0
    with forked_rng(0):  # random weights are sampled, and then replaced
        for name, member in plan.members.items():
            network = Network(schema.fields, schema.scored_fields, member, schema.can_be_missing)
            fill_network(network, name, tensors)
            networks[name] = network.to(device).eval()
            known += len(network.state_dict())
    if known != len(select_prefix(tensors, "network/")):
        raise ValueError("it holds weights that belong to no network")
    remembered = select_prefix(tensors, "memory/values/")
    remembered |= {k: v.long() for k, v in remembered.items() if k == Symbol.kind}
    memory = Memory.restore(
        Batch(remembered, select_prefix(tensors, "memory/visible/")),
        {k: torch.as_tensor(v) for k, v in schema.compared_fields.items()},
        {name: array for name, array in _arrays(tensors, "memory/").items() if "/" not in name},
    )
    parts = ModelParts(plan.source, schema, networks, memory, device, threads)
    calibration = Calibration.from_json(card["calibration"], tensors["calibration/scores"].numpy())
    evidence = tuple(
        kind.restore(parts, _arrays(tensors, f"evidence/{kind.name}/"), card["evidence"][kind.name])
        for kind in EVIDENCE
        if kind.name in card["evidence"]
    )
    scorer = RowScorer(parts, evidence, calibration)
    calibration.check({e.name for e in scorer.of_rows})
    mixture, axes = _arrays(tensors, "window_mixture/"), None
    if "axes/centre" in tensors:
        axes = (tensors["axes/centre"].numpy(), tensors["axes/directions"].numpy())
    return Engine(
        parts=parts,
        rows=scorer,
        predictor=CellPredictor(parts, CellErrorModel.from_json(card["cell_errors"])),
        axes=axes,
        window_mixture=WindowMixture(mixture) if mixture else None,
        table_errors=_table_errors(card, tensors),
        images=_images(card, tensors, plan),
        history=card["history"],
        notes=card["notes"],
        facts=card["facts"],
    )


def _table_errors(card: Mapping[str, Any], tensors: Mapping[str, Tensor]) -> TableErrors | None:
    """Return the checks of the cells of a table, if the file has any."""
    state = card.get("table_errors")
    return None if state is None else TableErrors.restore(_arrays(tensors, "table_errors/"), state)


def _images(card: Mapping[str, Any], tensors: Mapping[str, Tensor], plan: Plan) -> ImageModels | None:
    """Return the models of the images of a column, if the file has any."""
    state = card.get("images")
    if state is None:
        return None
    models = ImageModels.restore(_arrays(tensors, "images/"), state)
    if models.column not in plan.schema.scored or not isinstance(plan.schema[models.column], Image):
        raise ValueError("its models of images belong to no column of images")
    return models


def _arrays(tensors: Mapping[str, Tensor], prefix: str) -> dict[str, np.ndarray]:
    """Return the arrays whose names begin with a prefix, by the rest of their names."""
    return {name: tensor.numpy() for name, tensor in select_prefix(tensors, prefix).items()}
