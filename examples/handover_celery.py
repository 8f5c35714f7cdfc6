"""Hand every message over to Celery, from a handler behind a durable inbox.

The platform gets its 200 as soon as a message is in the inbox, also while the broker is
away. The handler hands the message over. If that fails, it is called again later, for
16 hours; then the message is a dead letter.

Run the receiver and the worker in two terminals:

    python -m examples.handover_celery
    celery --app examples.handover_celery worker
"""

import os

from celery import Celery

from iot_northbound.push import HandlerRetry, PushMessageReceiver, SqliteInbox

celery = Celery(
    "pushes", broker=os.environ.get("CELERY_BROKER", "redis://127.0.0.1:6379/1")
)
celery.conf.update(
    broker_transport_options={
        "confirm_publish": True,  # RabbitMQ: publish() waits for the broker
        "visibility_timeout": 6
        * 3600,  # Redis: longer than the longest task, or it runs twice
        "socket_timeout": 5,
    },
    task_acks_late=True,  # a worker that dies gives its task back
    task_reject_on_worker_lost=True,
    task_ignore_result=True,
)
receiver = PushMessageReceiver(
    SqliteInbox(os.environ.get("PUSH_INBOX", "pushes.sqlite3")),
    retry=HandlerRetry(attempts=1_000),  # at most a minute apart
)


# Celery has no types.
@celery.task(name="pushes.store")  # type: ignore[untyped-decorator]
def store(body: str, kind: str, device: str) -> None:
    """Do the real work.

    It may run twice with the same message, so it sets values and does not add to them.
    """
    print("stored", kind, device, len(body), flush=True)


@receiver.on_body
def hand_over(body: str) -> None:
    event = receiver.event
    if event.is_probe:
        return
    store.apply_async(
        args=(body, event.kind, event.device),
        task_id=f"iot-{event.id}",  # the same at each attempt
        retry=False,  # the receiver repeats the handler, even after a restart
    )


if __name__ == "__main__":
    receiver.serve("127.0.0.1", int(os.environ.get("PUSH_PORT", "8686")))
