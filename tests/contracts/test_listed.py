"""Every kind is listed in its folder's tuple, and every folder's abstract class names its duties."""

from __future__ import annotations

import importlib
import inspect
import pkgutil
from types import ModuleType
from typing import Any

import pytest
from torch.distributions import Distribution

from diabolo import generation, tasks, tracking
from diabolo.data import columns, fields, sources
from diabolo.networks import bottlenecks, corruptions, likelihoods, objectives, stems
from diabolo.streaming import feeds
from diabolo.tasks import Answer

FOLDERS = [
    (bottlenecks, bottlenecks.Bottleneck, bottlenecks.BOTTLENECKS),
    (columns, columns.Column, columns.COLUMNS),
    (corruptions, corruptions.Corruption, corruptions.CORRUPTIONS),
    (feeds, feeds.Feed, feeds.FEEDS),
    (fields, fields.Field, fields.FIELDS),
    (generation, generation.Sampler, generation.SAMPLERS),
    (likelihoods, Distribution, likelihoods.LIKELIHOODS),
    (objectives, objectives.Objective, objectives.OBJECTIVES),
    (sources, sources.Source, sources.SOURCES),
    (stems, stems.Stem, stems.STEMS),
    (tracking, tracking.Tracker, tracking.TRACKERS),
]


def written_in(folder: ModuleType) -> list[Any]:
    """Every public class and function that a module of this folder defines."""
    found = []
    for module in pkgutil.iter_modules(folder.__path__, f"{folder.__name__}."):
        home = importlib.import_module(module.name)
        found += [thing for thing in vars(home).values() if getattr(thing, "__module__", "") == module.name]
    return found


@pytest.mark.parametrize(("folder", "base", "listed"), FOLDERS, ids=lambda x: getattr(x, "__name__", ""))
def test_every_concrete_kind_is_listed_once(folder: ModuleType, base: type, listed: tuple[type, ...]) -> None:
    classes = [c for c in written_in(folder) if inspect.isclass(c) and issubclass(c, base)]
    concrete = {c for c in classes if not inspect.isabstract(c)}
    assert concrete == set(listed)
    assert len(listed) == len(concrete)


@pytest.mark.parametrize(("folder", "base", "listed"), FOLDERS, ids=lambda x: getattr(x, "__name__", ""))
def test_concrete_kinds_are_final(folder: ModuleType, base: type, listed: tuple[type, ...]) -> None:
    for kind in listed:
        assert not [other for other in listed if other is not kind and issubclass(other, kind)]


def test_kinds_have_names_of_their_own() -> None:
    for listed in (columns.COLUMNS, fields.FIELDS, sources.SOURCES):
        assert len({kind.kind for kind in listed}) == len(listed)


def test_every_kind_of_field_has_a_stem_of_each_sort() -> None:
    for reconstructs in (False, True):
        read = [k for stem in stems.STEMS if stem.reconstructs == reconstructs for k in stem.kinds]
        assert set(read) == {field.kind for field in fields.FIELDS}


def test_every_task_is_listed() -> None:
    answers = {
        c.__name__
        for c in written_in(tasks)
        if inspect.isclass(c) and issubclass(c, Answer) and c is not Answer
    }
    # `generate` is asked for a number of rows; every other task about rows that there are.
    questions = (["model", "data"], ["model", "n"])
    functions = {
        f
        for f in written_in(tasks)
        if inspect.isfunction(f) and list(inspect.signature(f).parameters)[:2] in questions
    }
    assert functions == set(tasks.TASKS)
    assert {f.__annotations__["return"] for f in tasks.TASKS} == answers


@pytest.mark.parametrize("task", tasks.TASKS, ids=lambda f: f.__name__)
def test_options_of_tasks_are_keyword_only(task: Any) -> None:
    options = list(inspect.signature(task).parameters.values())[2:]
    optional = [option for option in options if option.default is not option.empty]
    assert all(option.kind is inspect.Parameter.KEYWORD_ONLY for option in optional)
    assert task.__doc__
