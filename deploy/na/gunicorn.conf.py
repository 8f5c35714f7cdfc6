"""gunicorn's configuration of the web processes."""

from typing import Any

bind = "0.0.0.0:8686"
workers = 2
threads = 16
preload_app = True
max_requests = 100_000
max_requests_jitter = 10_000
graceful_timeout = 20  # less than stop_grace_period in compose.yaml


def post_worker_init(worker: Any) -> None:
    """Start in each worker, after the fork."""
    import app

    app.receiver.start()
    app.client.start_timer()


def worker_exit(server: Any, worker: Any) -> None:
    """Stop in each worker, after its last request. The shared token stays for the others."""
    import app

    app.receiver.stop(timeout=10)
    app.client.close()
