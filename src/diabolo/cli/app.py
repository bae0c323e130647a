"""The command line."""

from __future__ import annotations

import os
import sys
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from diabolo.cli.arguments import (
    Data,
    Filling,
    Json,
    ModelPath,
    NewModel,
    Options,
    Output,
    Page,
    Quiet,
    Wanted,
    with_model,
)
from diabolo.cli.inputs import command_line, fitted, load_model, read_data, say
from diabolo.cli.output import check_format, check_place, give, stream, with_keys
from diabolo.errors import DiaboloError, ModelFileError, OptionError, need
from diabolo.estimator.config import find_data
from diabolo.report.formatting import count_of
from diabolo.version import __version__

if TYPE_CHECKING:
    import cyclopts
    from cyclopts import Parameter

else:
    cyclopts = need("cyclopts", "cli")
    Parameter = cyclopts.Parameter

BAD_INPUT, BAD_MODEL, BUG = 2, 3, 70

app = cyclopts.App(
    name="diabolo",
    version=__version__,
    help="Learns what a table or a series looks like; says which rows and cells are odd and what was "
    "expected there; fills holes; embeds, matches, generates. DATA is a csv, tsv, parquet, arrow or ndjson "
    "file (text also as .gz or .zst), or - for csv on standard input.",
    help_format="plaintext",
    # main says it.
    suppress_keyboard_interrupt=False,
)


@app.command
def fit(
    data: Data | None = None,
    *,
    output: NewModel = None,
    options: Options | None = None,
    quiet: Quiet = False,
) -> None:
    """Learn what DATA looks like, and write a model. DATA may stand in the file of options."""
    given = options or Options()
    found = given.resolve()
    if data is None:
        if found.data is None:
            raise OptionError("there is no DATA to learn from", hint="diabolo fit data.csv -o data.diabolo")
        data = str(find_data(found.data))
    if output is None:
        if given.config is None:
            raise OptionError("there is no place for the model", hint=f"diabolo fit {data} -o model.diabolo")
        output = Path(f"{given.config.stem}.diabolo")
    check_place(output)
    model = fitted(data, found.options, quiet)
    model.save(output)
    facts = model.engine_.facts
    run = f"; run {facts['run']}" if "run" in facts else ""
    say(f"{output}: learnt from {facts['rows']:,} rows in {facts['seconds']:.1f} s{run}", quiet)


@app.command
def score(
    data: Data,
    *,
    model: ModelPath,
    output: Output = None,
    alarm_rate: Annotated[float | None, Parameter(help="Share of normal rows that may be alarms.")] = None,
    fail_on: Annotated[
        float | None, Parameter(help="Exit with 1 if a row has this severity (0-100).")
    ] = None,
    json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Say how odd each row of DATA is: bits, severity, alarm."""
    from diabolo import tasks

    check_format(output)
    loaded, user_table = load_model(model), read_data(data)
    answer = tasks.score(loaded, user_table, alarm_rate=alarm_rate)
    table = with_keys(answer.to_arrow(), user_table.table, (loaded.time, loaded.by))
    said = f"about {answer.alarm_rate:.2g} of normal rows are alarms too"
    if loaded.engine_.source.kind == "series":
        said = f"{count_of(len(answer.episodes), 'episode')}; {said}"
    say(f"{int(answer.alarm.sum()):,} of {count_of(len(answer.bits), 'row')} are alarms ({said})", quiet)
    give(table, output, json, "the oddest rows", table.sort_by([("bits", "descending")]).slice(0, 10))
    if fail_on is not None and bool((answer.severity >= fail_on).any()):
        raise SystemExit(1)


@app.command
def explain(
    data: Data,
    *,
    model: ModelPath,
    rows: Annotated[
        tuple[int, ...] | None, Parameter(consume_multiple=True, negative=(), help="Rows, from 0.")
    ] = None,
    top: Annotated[int, Parameter(help="Explain so many of the oddest rows, if no rows are given.")] = 20,
    output: Output = None,
    json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Say which cells of the oddest rows are odd, and what was expected there."""
    from diabolo import tasks

    check_format(output)
    if top < 1:
        raise OptionError(f"top={top}: expected at least one row", hint="--top 20")
    loaded, user_table = load_model(model), read_data(data)
    if rows is None:
        scores = tasks.score(loaded, user_table)
        peaks = sorted(scores.episodes, key=lambda e: -e.bits)[:top]
        rows = tuple(e.peak for e in peaks) or tuple((-scores.bits).argsort()[:top].tolist())
    answer = tasks.explain(loaded, user_table, rows=rows)
    table = answer.to_arrow()
    give(table, output, json, "cell by cell", table.sort_by([("row", "ascending"), ("share", "descending")]))


@app.command
def repair(
    data: Data,
    *,
    model: ModelPath,
    filling: Filling | None = None,
    output: Output = None,
    json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Fill the holes of DATA, and replace suspicious cells if asked."""
    from diabolo import tasks

    check_format(output)
    answer = tasks.repair(load_model(model), read_data(data), **asdict(filling or Filling()))
    table = answer.to_arrow()
    why = answer.changed["why"].to_pylist()
    say(f"{why.count('hole'):,} holes filled, {why.count('suspicious'):,} suspicious cells replaced", quiet)
    give(table, output, json, "the first rows", table.slice(0, 10))


@app.command
def drift(
    data: Data, *, model: ModelPath, output: Output = None, json: Json = False, quiet: Quiet = False
) -> None:
    """Say whether DATA has moved away from what the model was fitted on, column by column."""
    from diabolo import tasks

    check_format(output)
    answer = tasks.drift(load_model(model), read_data(data))
    say(answer.verdict, quiet)
    give(answer.to_arrow(), output, json, "then and now")


@app.command
def embed(data: Data, *, model: ModelPath, output: Output = None, json: Json = False) -> None:
    """Give the latent coordinates of each row of DATA."""
    from diabolo import tasks

    check_format(output)
    table = tasks.embed(load_model(model), read_data(data)).to_arrow()
    give(table, output, json, "the first rows", table.slice(0, 10))


@app.command
def denoise(data: Data, *, model: ModelPath, output: Output = None, json: Json = False) -> None:
    """Take the noise out of DATA."""
    from diabolo import tasks

    check_format(output)
    table = tasks.denoise(load_model(model), read_data(data)).to_arrow()
    give(table, output, json, "the first rows", table.slice(0, 10))


@app.command
def match(
    data: Data,
    gallery: Data,
    *,
    model: ModelPath,
    k: Annotated[int, Parameter(name=["--k", "-k"], help="Rows of GALLERY for each row.")] = 1,
    output: Output = None,
    json: Json = False,
) -> None:
    """Find the rows of GALLERY that each row of DATA is most like."""
    from diabolo import tasks

    check_format(output)
    table = tasks.match(load_model(model), read_data(data), gallery=read_data(gallery), k=k).to_arrow()
    give(table, output, json, "the nearest rows", table.slice(0, 10))


@app.command
def generate(
    n: int | None = None,
    *,
    model: ModelPath,
    wishes: Wanted | None = None,
    output: Output = None,
    json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Draw N new rows; with --like, one for each of its rows if N is not given."""
    from diabolo.cli.generate import draw_tables

    check_format(output)
    wishes = wishes or Wanted()
    like = None if wishes.like is None else read_data(wishes.like)
    tables = draw_tables(load_model(model), n, wishes, like, quiet=quiet)
    stream(tables, output, json)


@app.command
def watch(
    data: Data = "-",
    *,
    model: ModelPath,
    output: Annotated[
        str, Parameter(name=["--output", "-o"], help="Where to add answers, as ndjson: a file or a topic.")
    ] = "-",
    state: Annotated[
        Path | None, Parameter(help="A file to go on from after a stop or a crash, and to keep.")
    ] = None,
    alarm_rate: Annotated[float | None, Parameter(help="Share of normal points that may be alarms.")] = None,
    alarms: Annotated[bool, Parameter(negative=(), help="Write alarms only.")] = False,
    refresh: Annotated[int, Parameter(help="Learn from the last N points whenever N have come.")] = 0,
    quiet: Quiet = False,
) -> None:
    """Answer the points of a series as they arrive, each on a line.

    DATA is a csv or ndjson file, - for standard input, or a topic of a broker: mqtt://HOST/TOPIC,
    nats://HOST/SUBJECT or kafka://HOST/TOPIC.
    """
    from diabolo.streaming.stream import Stream
    from diabolo.streaming.watch import watch as follow

    stream = Stream(load_model(model), alarm_rate, refresh)
    bad = follow(
        stream,
        data,
        output=output,
        state=state,
        alarms=alarms,
        refresh=refresh,
        say=lambda text: say(f"diabolo: {text}", False),
    )
    say(f"{count_of(stream.seen, 'point')} taken in", quiet)
    if bad:
        raise SystemExit(BAD_INPUT)


@app.command
def report(
    data: Data,
    *,
    model: ModelPath,
    output: Page = Path("report.html"),
    synthetic: Annotated[
        str | None, Parameter(help="New rows, to be held against DATA, the rows of the fit.")
    ] = None,
    unseen: Annotated[
        str | None, Parameter(help="Real rows that are not in DATA, to judge the new ones by.")
    ] = None,
    quiet: Quiet = False,
) -> None:
    """Write a page about DATA that opens in any browser; with --synthetic, about new rows beside it."""
    check_place(output)
    parts = {name: read_data(part) for name, part in (("synthetic", synthetic), ("unseen", unseen)) if part}
    load_model(model).report(read_data(data), output, command=command_line(), **parts)
    say(f"{output} ({output.stat().st_size / 1e6:.1f} MB)", quiet)


@app.command
def info(path: str, *, options: Options | None = None) -> None:
    """Show what a model has learnt, or what DATA would be read as."""
    from diabolo.estimator.autoencoder import Autoencoder

    if path.endswith(".diabolo"):
        from diabolo.cli.info import card

        print("\n".join(card(load_model(Path(path)))))
        return
    print(Autoencoder(**(options or Options()).resolve().options).inspect(read_data(path)))


@app.command
def runs(
    where: Annotated[
        str, Parameter(name="DIR", help="A folder of runs, tensorboard:FOLDER or mlflow:ADDRESS; or a RUN.")
    ] = "runs",
    names: Annotated[
        tuple[str, ...], Parameter(name="NAMES", help="Only these: RUN, RUN/VERSION or PROJECT/RUN/VERSION.")
    ] = (),
    /,
    *,
    project: Annotated[str | None, Parameter(help="Only this project.")] = None,
    output: Output = None,
    json: Json = False,
) -> None:
    """List runs that were written down, their losses, and the parameters that differ between them."""
    from diabolo.cli.runs import choose, find, show_runs, to_table

    check_format(output)
    chosen = choose(*find(where, names), project)
    if output is None and not json and sys.stdout.isatty():
        show_runs(chosen)
    else:
        give(to_table(chosen), output, json)


@app.command
def demo(
    *,
    output: Page = Path("report.html"),
    quiet: Quiet = False,
) -> None:
    """Learn a bundled series, find its odd stretches, explain them, and write report.html."""
    from diabolo.cli.demo import episode_lines
    from diabolo.datasets import machine_temperature

    check_place(output)
    table = machine_temperature()
    say(
        f"a machine's temperature every five minutes, {table.num_rows:,} times (Numenta Anomaly Benchmark)",
        quiet,
    )
    model = fitted(table, {"time": "timestamp"}, quiet)
    found = episode_lines(model, table, "timestamp", "value")
    say(f"learnt in {model.engine_.facts['seconds']:.1f} s; {len(found)} odd stretches:", quiet)
    print("".join(f"{line}\n" for line in found), end="")
    model.report(table, output, command="diabolo demo")
    say(f"{output} has the pictures: open it in a browser", quiet)


def main() -> None:
    """Run the command line; errors become one message and an exit status."""
    try:
        app(sys.argv[1:], exit_on_error=False)
    except cyclopts.CycloptsError as error:  # cyclopts has said it
        if isinstance(error, cyclopts.MissingArgumentError) and (right := with_model(sys.argv[1:])):
            print(f"Hint: {right}", file=sys.stderr)
        raise SystemExit(BAD_INPUT) from None
    except ModelFileError as error:
        _fail(error, BAD_MODEL)
    except (DiaboloError, ImportError) as error:
        _fail(error, BAD_INPUT)
    except KeyboardInterrupt:
        _fail("interrupted", 130)
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    except MemoryError:
        _fail("the data does not fit into memory", BAD_INPUT)
    except Exception as error:
        if os.environ.get("DIABOLO_DEBUG"):
            raise
        said = f"{type(error).__name__}: {error}"
        _fail(f"something that should not happen: {said}\nHint: DIABOLO_DEBUG=1 shows where", BUG)


def _fail(error: object, status: int) -> None:
    print(f"diabolo: {error}", file=sys.stderr)
    raise SystemExit(status)
