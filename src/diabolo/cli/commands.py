"""The commands of the command line; those about images, `info` and `runs` have files of their own.

The help of a command is its docstring. What one command alone takes is described there; what several commands
share (the data, the model, the output) is described once, in `diabolo.cli.arguments`.
"""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from diabolo.cli.arguments import (
    Changes,
    Data,
    Follow,
    GenerationOptions,
    Json,
    ModelPath,
    NewModel,
    Options,
    Output,
    Page,
    Quiet,
    RepairOptions,
)
from diabolo.cli.inputs import command_line, fit_model, load_model, print_message, read_data
from diabolo.cli.output import (
    add_key_columns,
    add_paths,
    check_format,
    check_writable,
    path_columns,
    write_answer,
    write_answer_in_batches,
)
from diabolo.errors import OptionError, need
from diabolo.estimator.config import find_data_file
from diabolo.report.formatting import count_of

if TYPE_CHECKING:
    from cyclopts import Parameter
else:
    Parameter = need("cyclopts", "cli").Parameter

EXIT_FAIL_ON = 1  # `score --fail-on` found such a row
EXIT_BAD_INPUT = 2


def fit(
    data: Data | None = None,
    *,
    output: NewModel = None,
    options: Options | None = None,
    quiet: Quiet = False,
) -> None:
    """Fit a model to DATA and write it to a file. A file of options (--config) may name DATA instead.

    Args:
        data: The rows to fit the model to: a file, or - for csv on standard input.
    """
    given = options or Options()
    config = given.resolve()
    if data is None:
        if config.data is None:
            raise OptionError(
                "no DATA was given to fit a model to", hint="diabolo fit data.csv -o data.diabolo"
            )
        data = str(find_data_file(config.data))
    if output is None:
        if given.config is None:
            raise OptionError(
                "no file was given to write the model to", hint=f"diabolo fit {data} -o model.diabolo"
            )
        output = Path(f"{given.config.stem}.diabolo")
    check_writable(output)
    model = fit_model(data, config.options, quiet)
    model.save(output)
    facts = model.engine_.facts
    run = f"; run {facts['run']}" if "run" in facts else ""
    print_message(f"{output}: fitted to {facts['rows']:,} rows in {facts['seconds']:.1f} s{run}", quiet)


def score(
    data: Data,
    *,
    model: ModelPath,
    output: Output = None,
    alarm_rate: float | None = None,
    follow: Follow = None,
    false_discovery_rate: float | None = None,
    fail_on: float | None = None,
    json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Score how anomalous each row of DATA is: bits, severity and alarm.

    Args:
        data: The rows to score: a file, or - for csv on standard input.
        alarm_rate: The share of normal rows that may be alarms, for example 0.01; by default the model's.
        follow: Let the alarm level of a series follow the share of alarms, or hold it where the fit puts it.
            By default the model's choice.
        false_discovery_rate: The share of the alarms that may be false, in place of the alarm rate.
        fail_on: Exit with status 1 if a row has at least this severity (0 to 100).
    """
    from diabolo import tasks

    check_format(output)
    loaded, user_table = load_model(model), read_data(data)
    answer = tasks.score(
        loaded, user_table, alarm_rate=alarm_rate, follow=follow, false_discovery_rate=false_discovery_rate
    )
    table = add_key_columns(
        answer.to_arrow(), user_table.table, (loaded.time, loaded.by, *path_columns(user_table))
    )
    details = f"about {answer.alarm_rate:.2g} of normal rows are alarms too"
    if false_discovery_rate is not None:
        details = f"about {false_discovery_rate:.2g} of them false"
    if loaded.engine_.source.overlaps:
        details = f"{count_of(len(answer.episodes), 'episode')}; {details}"
    rows = count_of(len(answer.bits), "row")
    print_message(f"{int(answer.alarm.sum()):,} of {rows} are alarms ({details})", quiet)
    for note in answer.notes:
        print_message(f"note: {note}", quiet)
    highest = table.sort_by([("bits", "descending")]).slice(0, 10)
    write_answer(table, output, json, "the most anomalous rows", highest)
    if fail_on is not None and bool((answer.severity >= fail_on).any()):
        raise SystemExit(EXIT_FAIL_ON)


def explain(
    data: Data,
    *,
    model: ModelPath,
    rows: Annotated[tuple[int, ...] | None, Parameter(consume_multiple=True, negative=())] = None,
    top: int = 20,
    output: Output = None,
    json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Explain the most anomalous rows: which cells are wrong or anomalous, why, and what was expected there.

    Args:
        data: The rows to explain, or to find the most anomalous rows in.
        rows: The numbers of the rows to explain, counted from 0.
        top: The number of most anomalous rows to explain if --rows is not given; of a series, of episodes.
    """
    from diabolo import tasks
    from diabolo.cli.explain import cells_to_show

    check_format(output)
    if top < 1:
        raise OptionError(f"top={top}: expected at least one row", hint="--top 20")
    loaded, user_table = load_model(model), read_data(data)
    if rows is None:
        scores = tasks.score(loaded, user_table)
        peaks = sorted(scores.episodes, key=lambda e: -e.bits)[:top]
        rows = tuple(e.peak for e in peaks) or tuple((-scores.bits).argsort()[:top].tolist())
    answer = tasks.explain(loaded, user_table, rows=rows)
    table = add_paths(answer.to_arrow(), user_table)
    write_answer(table, output, json, "the cells of each row", cells_to_show(table))


def repair(
    data: Data,
    *,
    model: ModelPath,
    options: RepairOptions | None = None,
    changes: Changes = None,
    output: Output = None,
    json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Fill the missing values of DATA, and correct the cells of a table whose right value is known.

    Args:
        data: The rows to repair: a file, or - for csv on standard input.
    """
    from diabolo import tasks
    from diabolo.cli.repair import change_table, check_changes, repair_message

    check_format(output)
    check_changes(changes, output)
    answer = tasks.repair(load_model(model), read_data(data), **asdict(options or RepairOptions()))
    table = answer.to_arrow()
    print_message(repair_message(answer), quiet)
    if changes is not None:
        write_answer(change_table(answer), changes, False)
    write_answer(table, output, json, "the first rows", table.slice(0, 10))


def drift(
    data: Data, *, model: ModelPath, output: Output = None, json: Json = False, quiet: Quiet = False
) -> None:
    """Compare DATA with the data of the fit, column by column, and say whether it has drifted.

    Args:
        data: The rows to compare with those of the fit: a file, or - for csv on standard input.
    """
    from diabolo import tasks

    check_format(output)
    answer = tasks.drift(load_model(model), read_data(data))
    print_message(answer.verdict, quiet)
    write_answer(answer.to_arrow(), output, json, "the data of the fit and this data")


def violations(
    data: Data, *, model: ModelPath, output: Output = None, json: Json = False, quiet: Quiet = False
) -> None:
    """List the rows of DATA that violate rules between columns: those of --rule, and those that were found.

    Args:
        data: The rows to check: a file, or - for csv on standard input.
    """
    from diabolo import tasks

    check_format(output)
    answer = tasks.violations(load_model(model), read_data(data))
    broken = sum(number > 0 for number in answer.counts.values())
    message = f"{count_of(len(answer.row), 'violation')} of {count_of(broken, 'rule')}"
    print_message(f"{message}; {count_of(len(answer.counts), 'rule')} checked", quiet)
    table = answer.to_arrow()
    write_answer(table, output, json, "the violations", table.slice(0, 10))


def embed(data: Data, *, model: ModelPath, output: Output = None, json: Json = False) -> None:
    """Write the latent coordinates of each row of DATA.

    Args:
        data: The rows to embed: a file, or - for csv on standard input.
    """
    from diabolo import tasks

    check_format(output)
    table = tasks.embed(load_model(model), read_data(data)).to_arrow()
    write_answer(table, output, json, "the first rows", table.slice(0, 10))


def generate(
    n: int | None = None,
    *,
    model: ModelPath,
    options: GenerationOptions | None = None,
    output: Output = None,
    json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Generate N new rows, or with --like and without N one new row for each row of that file.

    Args:
        n: The number of rows; of a series, the number of points.
    """
    from diabolo.cli.generate import generate_tables

    check_format(output)
    options = options or GenerationOptions()
    like = None if options.like is None else read_data(options.like)
    tables = generate_tables(load_model(model), n, options, like, quiet=quiet)
    write_answer_in_batches(tables, output, json)


def watch(
    data: Data = "-",
    *,
    model: ModelPath,
    output: Annotated[str, Parameter(name=["--output", "-o"])] = "-",
    state: Path | None = None,
    alarm_rate: float | None = None,
    follow: Follow = None,
    alarms: Annotated[bool, Parameter(negative=())] = False,
    refresh: int = 0,
    quiet: Quiet = False,
) -> None:
    """Score the points of a series as they arrive, and write one line of JSON for each.

    DATA is a csv or ndjson file, - for standard input, or a topic of a broker: mqtt://HOST/TOPIC,
    nats://HOST/SUBJECT or kafka://HOST/TOPIC.

    Args:
        data: Where points are read from.
        output: Where answers are appended, as ndjson: a file, a topic, or - for standard output.
        state: A file to save the state in; after a stop or a crash the same command resumes from it.
        alarm_rate: The share of normal points that may be alarms. By default the model's.
        follow: Let the alarm level follow the share of alarms, or hold it where the fit puts it. By default
            the model's choice.
        alarms: Write only the points that are alarms.
        refresh: Update the model with the last N points after every N points; 0 for never.
    """
    from diabolo.estimator.autoencoder import load
    from diabolo.streaming.stream import Stream
    from diabolo.streaming.watch import watch as watch_feed

    stream = Stream(load_model(model), alarm_rate, refresh, follow)
    errors = watch_feed(
        stream,
        data,
        load=load,
        output=output,
        state=state,
        alarms=alarms,
        refresh=refresh,
        report=lambda text: print_message(f"diabolo: {text}", False),
    )
    print_message(f"{count_of(stream.seen, 'point')} read", quiet)
    if errors:
        raise SystemExit(EXIT_BAD_INPUT)


def report(
    data: Data,
    *,
    model: ModelPath,
    output: Page = Path("report.html"),
    synthetic: str | None = None,
    unseen: str | None = None,
    quiet: Quiet = False,
) -> None:
    """Write a report on DATA: one HTML page for any browser. With --synthetic, compare new rows with DATA.

    Args:
        data: The rows to report on: a file, or - for csv on standard input.
        synthetic: A file of synthetic rows to compare with DATA, which then must be the rows of the fit.
        unseen: A file of real rows that are not in DATA, as the yardstick for the synthetic rows.
    """
    check_writable(output)
    parts = {name: read_data(part) for name, part in (("synthetic", synthetic), ("unseen", unseen)) if part}
    load_model(model).report(read_data(data), output, command=command_line(), **parts)
    print_message(f"{output} ({output.stat().st_size / 1e6:.1f} MB)", quiet)


def demo(
    *,
    output: Page = Path("report.html"),
    quiet: Quiet = False,
) -> None:
    """Fit a model to a bundled series, list and explain its anomalies, and write a report on them.

    Args:
        output: The HTML file to write.
    """
    from diabolo.cli.demo import episode_lines
    from diabolo.datasets import machine_temperature

    check_writable(output)
    table = machine_temperature()
    print_message(
        f"the temperature of a machine every five minutes, {table.num_rows:,} points "
        "(Numenta Anomaly Benchmark)",
        quiet,
    )
    model = fit_model(table, {"time": "timestamp"}, quiet)
    episodes = episode_lines(model, table, "timestamp", "value")
    seconds = model.engine_.facts["seconds"]
    print_message(f"fitted in {seconds:.1f} s; {count_of(len(episodes), 'anomalous episode')}:", quiet)
    print("".join(f"{line}\n" for line in episodes), end="")
    model.report(table, output, command="diabolo demo")
    print_message(f"{output} shows them: open it in a browser", quiet)
