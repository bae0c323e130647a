"""Train the networks of a model, one after the other."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from diabolo.networks.member import Member
from diabolo.networks.network import Network
from diabolo.training.preparation import MAX_ROWS_FOR_SCALES, PreparedData
from diabolo.training.settings import Training
from diabolo.training.trainer import CheckpointStore, Log, train
from diabolo.utils.progress import Progress
from diabolo.utils.torch_state import forked_rng, torch_threads

# Choices:
INTERRUPTED_DIVISOR = 20  # after Ctrl-C, the steps of networks that are not yet trained are divided by this
MIN_BUDGET = 0.05  # seconds for a network, whatever those before it took


def are_solved(members: Mapping[str, Member], training: Mapping[str, Any]) -> bool:
    """Return whether no network is trained: each is computed in closed form.

    Args:
        members: name -> what the network is like.
        training: settings that the user requested; they override those of the members.
    """
    return all(Training().change(m.training).change(training).epochs == 0 for m in members.values())


@dataclass
class TrainedNetworks:
    """Networks, and the records of their training.

    Attributes:
        networks: name -> network.
        history: lines of all members, in their order.
        notes: what the user should know.
        interrupted: whether Ctrl-C ended a run.
    """

    networks: dict[str, Network]
    history: list[dict[str, Any]]
    notes: list[str]
    interrupted: bool = False


def train_networks(
    data: PreparedData,
    members: Mapping[str, Member],
    training: Mapping[str, Any],
    *,
    device: str,
    thread_count: int | None,
    progress: Progress | None = None,
    store: CheckpointStore | None = None,
    log: Log | None = None,
) -> TrainedNetworks:
    """Train one network after the other.

    Args:
        data: what to train on.
        members: name -> what the network is like.
        training: settings that the user requested; they override those of the members.
        device: "cpu", "cuda" or "mps".
        thread_count: of torch; None for its own choice.
        progress: called with the progress.
        store: where runs are saved to and resumed from; None for neither.
        log: called with each line of history.
    """
    began, budget = time.perf_counter(), training.get("budget")
    trained = TrainedNetworks({}, [], [])
    batch = data.batch.to(device)
    held_out = data.held_out.to(device) if data.held_out is not None else None
    with torch_threads(thread_count), forked_rng(data.seed):
        for number, (name, member) in enumerate(members.items()):
            settings = Training().change(member.training).change(training)
            if budget is not None:
                left = max(budget - (time.perf_counter() - began), MIN_BUDGET)
                settings = replace(settings, budget=left / (len(members) - number))
            if trained.interrupted:
                steps = settings.steps(len(batch)) // INTERRUPTED_DIVISOR + 1
                settings = replace(settings, max_steps=steps)
            schema = data.schema
            network = Network(schema.fields, schema.scored_fields, member, schema.can_be_missing)
            network.initialise(data.batch)
            network.to(device)
            result = train(
                network,
                network.base.interpolated(batch),
                None if held_out is None else network.base.interpolated(held_out),
                settings,
                name=name,
                progress=None if trained.interrupted else progress,
                checkpoint=store,
                log=log,
            )
            network.fit_scales(batch[:MAX_ROWS_FOR_SCALES])
            trained.interrupted = trained.interrupted or result.interrupted
            trained.networks[name] = network
            trained.history += result.history
            trained.notes += result.notes
    return trained
