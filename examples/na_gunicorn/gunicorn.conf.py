"""gunicorn's configuration for app.py.

It can be reloaded (kill -HUP) with requests under way.
"""

import os
from pathlib import Path
from typing import Any

chdir = str(Path(__file__).parent)
wsgi_app = "app:app"
bind = os.environ.get("NA_BIND", "127.0.0.1:8686")
workers = int(os.environ.get("NA_WORKERS", "4"))
threads = 8
preload_app = True
max_requests = int(os.environ.get("NA_MAX_REQUESTS", "10000"))
max_requests_jitter = max_requests // 10
graceful_timeout = 30


def post_worker_init(worker: Any) -> None:
    """Start in each worker, after the fork."""
    import app

    app.start()


def worker_exit(server: Any, worker: Any) -> None:
    """Stop in each worker, after its last request.

    It may never have started: then this does nothing.
    """
    import app

    app.stop()
