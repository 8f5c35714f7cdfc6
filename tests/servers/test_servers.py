"""The servers of the tests: what is killed is gone, and what answers is the server that was started last."""

import contextlib
import socket
import subprocess
from pathlib import Path

import psycopg
import pytest

from tests.servers import PostgresServer, Proxy, RedisServer, run_redis
from tests.servers.redis import PASSWORD


def test_a_killed_redis_is_gone_and_starts_again_on_its_port(tmp_path: Path) -> None:
    with run_redis(tmp_path) as server:
        assert server.command("SET", "a", "1") == "+OK\r\n"
        before = server.pid
        server.kill()
        with pytest.raises(OSError, match="refused"):
            server.command("PING")
        server.start()
        assert server.pid != before
        assert server.command("GET", "a") == "$-1\r\n"


def test_a_killed_postgres_keeps_its_data_and_starts_again_on_its_port(postgres_server: PostgresServer) -> None:
    postgres_server.execute("CREATE TABLE kept AS SELECT 1 AS one")
    before = postgres_server.pid
    postgres_server.kill()
    with pytest.raises(psycopg.OperationalError):
        postgres_server.execute("SELECT 1")
    postgres_server.start()
    assert postgres_server.pid != before
    assert postgres_server.execute("SELECT one FROM kept") == [(1,)]


def test_a_paused_server_stands_still_at_once(redis_server: RedisServer, postgres_server: PostgresServer) -> None:
    states = ["ps", "-o", "stat=", "-p"]
    with psycopg.connect(postgres_server.url) as db:
        own = db.info.backend_pid
        for server, processes in (
            (redis_server, [redis_server.pid]),
            (postgres_server, [postgres_server.pid, own]),
        ):
            server.pause()
            try:
                found = subprocess.run([*states, ",".join(map(str, processes))], capture_output=True, check=True)
                assert all(each.startswith(b"T") for each in found.stdout.split()), found.stdout
            finally:
                server.resume()
        assert db.execute("SELECT 1").fetchone() == (1,)


def test_the_servers_ask_for_a_password(redis_server: RedisServer, postgres_server: PostgresServer) -> None:
    with socket.create_connection(("127.0.0.1", redis_server.port), 5) as connection:
        connection.sendall(b"PING\r\n")
        assert connection.recv(100).startswith(b"-NOAUTH")
    with pytest.raises(psycopg.OperationalError, match="password"):
        psycopg.connect(postgres_server.url_of("na", "another"))


def test_a_proxy_hands_on_swallows_answers_and_cuts(redis_server: RedisServer) -> None:
    with Proxy(redis_server.port) as proxy:
        with socket.create_connection(("127.0.0.1", proxy.port), 5) as connection:
            connection.sendall(f"AUTH {PASSWORD}\r\n".encode())
            assert connection.recv(100) == b"+OK\r\n"
            proxy.deaf = True
            connection.sendall(b"SET proxied 1\r\n")
            connection.settimeout(0.05)
            with pytest.raises(TimeoutError):
                connection.recv(100)
            connection.settimeout(5)
            proxy.cut()
            with contextlib.suppress(ConnectionResetError):  # an orderly end is an end too
                assert connection.recv(100) == b""
        assert redis_server.command("GET", "proxied") == "$1\r\n1\r\n"
