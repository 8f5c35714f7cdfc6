"""`python -m tests.bulk.killed PROFILE JOURNAL JOB ROWS AFTER`: a job that kills itself after some outcomes."""

import os
import signal
import sys
from typing import Any

from iot_northbound import HttpConfig, NorthApiClient
from iot_northbound.bulk import BulkProgress
from iot_northbound.profiles import load_profile


def main(profile: str, journal: str, job: str, rows: list[Any], after: int) -> None:
    def progress(now: BulkProgress) -> None:
        if now.done + now.failed >= after:
            os.kill(os.getpid(), signal.SIGKILL)

    info, tls, *_ = load_profile(profile)
    with NorthApiClient(info, tls, HttpConfig(max_attempts=1)) as client:
        getattr(client.bulk, job)(rows, journal=journal, progress=progress, threads=4)


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], sys.argv[3], eval(sys.argv[4]), int(sys.argv[5]))
