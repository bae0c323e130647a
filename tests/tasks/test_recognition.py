"""Images of people: match, verify, identify, group."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from diabolo import Autoencoder, load
from diabolo.data.columns.image import to_images
from diabolo.errors import DataError, OptionError, UnsupportedError
from diabolo.tasks.group import group
from diabolo.tasks.identify import identify
from diabolo.tasks.match import match
from diabolo.tasks.verify import verify
from tests.images.recognition.people import images_of


def table_of(people: int, each: int, seed: int, missing: tuple[int, ...] = ()) -> pa.Table:
    """Images of made-up people as a table with their labels; some of the images are missing."""
    images, labels = images_of(people, each, seed)
    stored = to_images(np.stack([(i * 255).astype(np.uint8) for i in images]), "image")
    rows = pa.array([None if i in missing else i for i in range(len(images))], pa.int64())
    return pa.table({"image": stored.take(rows), "label": labels})


@pytest.fixture(scope="module")
def model() -> Autoencoder:
    """Fitted to ten people with four images each."""
    return Autoencoder("vanilla", latent=4, epochs=1, labels="label").fit(table_of(10, 4, 0))


@pytest.fixture(scope="module")
def others() -> pa.Table:
    """Six people who were not in the fit, with four images each."""
    return table_of(6, 4, seed=4)


def of_person(table: pa.Table, *numbers: int) -> pa.Table:
    """Return one image of each person by its number, 0 to 3."""
    return table.take(pa.array([4 * p + n for p in range(6) for n in numbers]))


def test_the_nearest_image_is_of_the_same_person(model: Autoencoder, others: pa.Table) -> None:
    asked, gallery = of_person(others, 0), of_person(others, 1, 2)
    found = match(model, asked, gallery=gallery, k=12)
    names = np.array(gallery["label"].to_pylist())
    assert [names[rows[:2]].tolist() for rows in found.nearest] == [
        [n] * 2 for n in asked["label"].to_pylist()
    ]
    assert np.allclose(found.distance**2, 1 - found.similarity, atol=1e-9)
    assert (np.diff(found.distance, axis=1) >= 0).all() and found.similarity.max() <= 1


def test_pairs_are_verified(model: Autoencoder, others: pa.Table) -> None:
    one, two = of_person(others, 0), of_person(others, 1)
    answer = verify(model, one, two)
    assert answer.same.all() and (answer.similarity > answer.threshold).all()
    turned = verify(model, one, two.take(pa.array([1, 2, 3, 4, 5, 0])))
    assert not turned.same.any()
    frame = answer.to_frame()
    assert (
        frame.column_names == ["similarity", "threshold", "same"] and frame["same"].to_pylist() == [True] * 6
    )
    assert answer.calibration_pairs == 40 * 39 // 2 - 10 * 6 and answer.calibration_people == 10
    assert answer.true_accept_rate is not None and answer.true_accept_rate > 0.8


def test_all_are_compared_with_one(model: Autoencoder, others: pa.Table) -> None:
    answer = verify(model, others, others.slice(0, 1))
    assert answer.same.tolist() == [True] * 4 + [False] * 20
    with pytest.raises(DataError, match=r"24 rows to verify, and 3 to compare them with"):
        verify(model, others, others.slice(0, 3))


def test_the_rate_moves_the_threshold(model: Autoencoder, others: pa.Table) -> None:
    strict, loose = (verify(model, others, others, false_accept_rate=r).threshold for r in (0.001, 0.2))
    assert strict > loose
    for task in (
        lambda: verify(model, others, others, false_accept_rate=0),
        lambda: identify(model, others, gallery=others, false_accept_rate=1.5),
        lambda: group(model, others, false_accept_rate=True),
    ):
        with pytest.raises(OptionError, match="false_accept_rate"):
            task()


def test_known_people_are_named(model: Autoencoder, others: pa.Table) -> None:
    known = others.slice(0, 16)  # four of the six people
    gallery = known.take(pa.array([i for i in range(16) if i % 4 < 2]))
    asked = others.take(pa.array([i for i in range(24) if i % 4 >= 2]))
    answer = identify(model, asked, gallery=gallery, false_accept_rate=0.05)
    assert answer.people == [f"person {i}" for i in range(4)]
    assert answer.label == [*asked["label"].to_pylist()[:8], *[None] * 4]
    frame = answer.to_frame()
    assert frame["label"].null_count == 4 and frame["similarity"].null_count == 0
    # The threshold is that of one false name among four chances.
    assert answer.threshold == pytest.approx(model.engine_.recognizer.threshold(0.05 / 4))


def test_labels_of_a_gallery_are_given_in_three_ways(model: Autoencoder, others: pa.Table) -> None:
    asked, gallery = of_person(others, 0), of_person(others, 1, 2)
    names = gallery["label"].to_pylist()
    renamed = gallery.rename_columns(["image", "who"])
    by_default = identify(model, asked, gallery=gallery)
    assert by_default.label == asked["label"].to_pylist()
    for other in (
        identify(model, asked, gallery=renamed, labels="who"),
        identify(model, asked, gallery=renamed, labels=names),
        identify(model, asked, gallery=renamed, labels=np.array(names)),
    ):
        assert other.label == by_default.label
    partly = identify(model, asked, gallery=renamed, labels=[*names[:4], None, float("nan"), *names[6:]])
    assert partly.people == [n for n in by_default.people if n != "person 2"]
    for labels, said in (
        ("name", "no column 'name'"),
        (None, "no column 'label', only image, who"),
        (names[:3], "3 for the 12 rows"),
        (7, "expected a column or a list"),
    ):
        with pytest.raises(OptionError, match=said):
            identify(model, asked, gallery=renamed, labels=labels)
    with pytest.raises(DataError, match="no image has a label"):
        identify(model, asked, gallery=renamed, labels=[None] * 12)


def test_unknown_people_are_grouped(model: Autoencoder, others: pa.Table) -> None:
    order = np.random.default_rng(0).permutation(24)
    mixed = others.take(pa.array(order))
    answer = group(model, mixed)
    names = np.array(mixed["label"].to_pylist())
    assert len({(n, g) for n, g in zip(names, answer.group, strict=True)}) <= 8
    assert all(len(set(names[answer.group == g])) == 1 for g in np.unique(answer.group))
    assert answer.to_frame()["group"].to_pylist() == answer.group.tolist()


def test_missing_images_have_missing_answers(model: Autoencoder, others: pa.Table) -> None:
    broken = table_of(6, 4, seed=4, missing=(1, 6))
    verified = verify(model, broken, others).to_frame()
    for name in ("similarity", "same"):
        assert [v is None for v in verified[name].to_pylist()] == [i in (1, 6) for i in range(24)]
    identified = identify(model, broken, gallery=others).to_frame()
    assert identified["label"].to_pylist()[1] is None and identified["similarity"].to_pylist()[1] is None
    grouped = group(model, broken).to_frame()["group"].to_pylist()
    assert grouped[1] is None and grouped[0] == 0
    matched = match(model, broken, gallery=others, k=2).to_frame()
    assert matched["gallery"].to_pylist()[2:4] == [None, None] and matched["gallery"].null_count == 4
    back = match(model, others, gallery=broken, k=22)
    assert not np.isin(back.nearest, (1, 6)).any()
    with pytest.raises(OptionError, match="the gallery has 22 rows"):
        match(model, others, gallery=broken, k=23)
    nothing = table_of(6, 1, seed=4, missing=tuple(range(6)))
    for task in (match, identify):
        with pytest.raises(DataError, match=r"gallery: none of its 6 rows has an image"):
            task(model, others, gallery=nothing)
    assert set(group(model, nothing).group.tolist()) == {-1}


def test_an_answer_does_not_depend_on_the_other_images(model: Autoencoder, others: pa.Table) -> None:
    whole = verify(model, others, others.slice(0, 1)).similarity
    alone = [verify(model, others.slice(i, 1), others.slice(0, 1)).similarity[0] for i in range(5)]
    assert whole[:5].tolist() == alone


def test_a_loaded_model_answers_alike(model: Autoencoder, others: pa.Table, tmp_path: Path) -> None:
    model.save(tmp_path / "people.diabolo")
    again = load(tmp_path / "people.diabolo")
    one, other = (verify(m, others, others.slice(0, 1)) for m in (model, again))
    assert np.array_equal(one.similarity, other.similarity) and one.threshold == other.threshold
    assert group(model, others).group.tolist() == group(again, others).group.tolist()


@pytest.mark.parametrize("task", [verify, identify, group], ids=lambda task: task.__name__)
def test_tables_have_no_threshold(task: Any, models: dict[str, Autoencoder], fresh: pa.Table) -> None:
    more: dict[Any, tuple[list[Any], dict[str, Any]]] = {
        verify: ([fresh], {}),
        identify: ([], {"gallery": fresh}),
    }
    arguments, options = more.get(task, ([], {}))
    with pytest.raises(UnsupportedError, match=rf"(?s){task.__name__} needs.*images with labels.*labels="):
        task(models["vanilla"], fresh, *arguments, **options)
