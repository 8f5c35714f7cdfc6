"""The programs of docs/receiver/postgres.md."""

# --8<-- [start:many-machines-postgresql]
from iot_northbound.push import PushMessageReceiver

URL = "postgresql://na:password@db.example/na"
receiver = PushMessageReceiver(URL, threads=0)  # web processes only answer
# --8<-- [end:many-machines-postgresql]
