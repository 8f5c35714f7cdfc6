"""Redis and PostgreSQL servers for the tests, on free ports and with files in temporary folders. They can be killed."""

from tests.servers.postgres import PostgresServer, run_postgres
from tests.servers.proxy import Proxy
from tests.servers.redis import RedisServer, run_redis

__all__ = [
    "PostgresServer",
    "Proxy",
    "RedisServer",
    "run_postgres",
    "run_redis",
]
