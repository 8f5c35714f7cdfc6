"""Imports go one way; circles exist for typing only."""

from __future__ import annotations

from fnmatch import fnmatch
from graphlib import TopologicalSorter

import grimp
import pytest


def test_no_module_imports_itself_in_a_circle_at_run_time() -> None:
    graph = grimp.build_graph("iot_northbound", exclude_type_checking_imports=True, cache_dir=None)
    order = TopologicalSorter({name: graph.find_modules_directly_imported_by(name) for name in graph.modules})
    order.prepare()  # raises CycleError with the circle


@pytest.mark.parametrize(
    ("library", "modules"),
    [
        ("redis", "iot_northbound.shared.redis_*"),
        ("psycopg", "iot_northbound.*.postgres*"),
        ("confluent_kafka", "iot_northbound.push.sinks.kafka"),
    ],
)
def test_only_an_engines_own_modules_know_its_library(library: str, modules: str) -> None:
    graph = grimp.build_graph("iot_northbound", include_external_packages=True, cache_dir=None)
    importers = graph.find_modules_that_directly_import(library) if library in graph.modules else set()
    assert [each for each in sorted(importers) if not fnmatch(each, modules)] == []
