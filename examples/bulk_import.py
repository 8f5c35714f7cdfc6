"""Imports devices from a CSV file, and writes what became of each row.

    python examples/bulk_import.py devices.csv [--profile PROFILE] [--check] [--keep-existing]

The columns are those of a registration: nodeId, timeout, productId, name and others, see docs/bulk.md. If it is stopped
or killed, start it again with the same file: it goes on where it was. The results, with the codes of the devices, are
in devices.csv.results.csv, which only you can read.
"""

import argparse
import sys
from pathlib import Path

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TextColumn,
    TimeRemainingColumn,
)

from iot_northbound import NorthApiClient, NorthApiException
from iot_northbound.bulk import BulkInterrupted, BulkProgress, BulkStoppedError
from iot_northbound.bulk.files import private_file, read_rows, write_results

DEFAULT_PROFILE = Path("~/.iot-northbound/emulator/profile.toml").expanduser()


def main() -> int:
    options = argparse.ArgumentParser(description="Import devices from a CSV file.")
    options.add_argument("file", type=Path)
    options.add_argument("--profile", type=Path, default=DEFAULT_PROFILE)
    options.add_argument(
        "--check", action="store_true", help="check the rows, and register nothing"
    )
    options.add_argument(
        "--keep-existing",
        action="store_true",
        help="take devices that exist for imported ones",
    )
    chosen = options.parse_args()
    console = Console()
    columns = (
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[rate]:.0f} rows/s"),
        TimeRemainingColumn(),
    )
    with (
        NorthApiClient.from_profile(chosen.profile) as client,
        Progress(*columns, console=console) as bar,
    ):
        total = sum(1 for _ in read_rows(chosen.file, "register"))
        task = bar.add_task("import", total=total, rate=0.0)

        def show(now: BulkProgress) -> None:
            bar.update(task, completed=now.done + now.failed, rate=now.rate)

        ended = None
        try:
            report = client.bulk.register(
                read_rows(chosen.file, "register"),
                journal=f"{chosen.file}.journal",
                dry_run=chosen.check,
                keep_existing=chosen.keep_existing,
                progress=show,
            )
        except (BulkStoppedError, BulkInterrupted) as stopped:
            report, ended = stopped.report, stopped
    for result in report.failed:
        console.print(
            f"row {result.row} ({result.key}): {result.error}",
            style="red",
            markup=False,
        )
    with private_file(f"{chosen.file}.results.csv") as results:
        write_results(results, report)
    console.print(
        f"{len(report.done)} of {total} rows done, {report.resumed} of them before; {len(report.failed)} failed"
    )
    if ended is not None:
        console.print(f"stopped: {ended}", markup=False)
    return 1 if report.failed or ended is not None else 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except NorthApiException as error:
        sys.exit(str(error))
