from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from iot_northbound.emulator.kernel.store import FEW, Store


def filled(count: int) -> Store:
    store = Store()
    table = store.table("things", ("made", "seq"))
    for n in range(count):
        table.put(f"k{n}", {"made": float(n // 2), "seq": n, "colour": "red" if n % 3 else "blue", "size": n % 5})
    return store


@pytest.mark.parametrize("count", [FEW, 400])
def test_a_selection_pages_in_order_both_ways(count: int) -> None:
    table = filled(count).tables["things"]
    red = [row["seq"] for row in table.rows.values() if row["colour"] == "red"]
    found = table.where(colour="red")
    assert len(found) == len(red)
    assert [row["seq"] for row in found.slice(3, 5)] == red[3:8]
    assert [row["seq"] for row in found.slice(3, 5, descending=True)] == red[::-1][3:8]
    assert found.slice(len(red), 5) == []


@pytest.mark.parametrize("count", [FEW, 400])
def test_a_window_includes_both_ends(count: int) -> None:
    found = filled(count).tables["things"].where().between(2.0, 4.0)
    assert [row["seq"] for row in found] == [4, 5, 6, 7, 8, 9]


def test_a_window_over_a_single_order_field_works() -> None:
    table = Store().table("queue")
    for n in range(4):
        table.put(str(n), {"seq": n})
    assert [row["seq"] for row in table.where().between(1, 2)] == [1, 2]


def test_walking_over_rows_allows_deleting_them() -> None:
    table = filled(300).tables["things"]
    for row in table.where(colour="red"):
        table.delete(f"k{row['seq']}")
    assert len(table.where(colour="red")) == 0
    assert len(table) == 100


def test_rollback_restores_rows_and_indexes() -> None:
    store = filled(200)
    table = store.tables["things"]
    before, reds = store.dump(), len(table.where(colour="red"))
    store.begin()
    table.change("k1", colour="green")
    table.delete("k2")
    table.put("new", {"made": 1.5, "seq": 999, "colour": "red"})
    store.rollback()
    assert store.dump() == before
    assert len(table.where(colour="red")) == reds
    assert len(table.where(colour="green")) == 0


def test_changes_name_each_changed_row_once() -> None:
    store = filled(3)
    store.take_changes()
    store.tables["things"].change("k0", size=1)
    store.tables["things"].change("k0", size=2)
    store.tables["things"].delete("k1")
    changes = store.take_changes()
    assert [(table, key, row and row["size"]) for table, key, row in changes] == [
        ("things", "k0", 2),
        ("things", "k1", None),
    ]
    assert store.take_changes() == []


def test_rows_loaded_before_their_table_is_declared_get_its_order() -> None:
    store = Store()
    store.load([("late", "a", {"due": 2.0, "seq": 1}), ("late", "b", {"due": 1.0, "seq": 2})])
    store.tables["late"].where()
    assert store.table("late", ("due", "seq")).where().keys() == ["b", "a"]
    assert store.take_changes() == []


def test_restoring_a_snapshot_reports_the_differences_as_changes() -> None:
    store = filled(3)
    snapshot = json.loads(json.dumps(store.dump()))
    store.tables["things"].delete("k0")
    store.tables["things"].put("k9", {"made": 0.0, "seq": 9})
    store.take_changes()
    store.restore(snapshot)
    assert {(key, row is None) for _, key, row in store.take_changes()} == {("k0", False), ("k9", True)}
    assert store.dump() == snapshot


KEYS = st.sampled_from("abcdef")
STEPS = st.lists(st.tuples(KEYS, st.one_of(st.none(), st.tuples(st.integers(0, 3), st.integers(0, 2)))), max_size=150)


@given(STEPS)
def test_indexes_agree_with_a_plain_dictionary(steps: list[tuple[str, tuple[int, int] | None]]) -> None:
    table = Store().table("things", ("made",))
    plain: dict[str, dict[str, Any]] = {}
    table.where(colour=0)
    for key, value in steps:
        if value is None:
            table.delete(key)
            plain.pop(key, None)
        else:
            plain[key] = table.put(key, {"made": value[0], "colour": value[1]})
        for colour in range(3):
            expected = sorted((row["made"], key) for key, row in plain.items() if row["colour"] == colour)
            assert table.where(colour=colour).keys() == [key for _, key in expected]


def test_the_newest_rows_come_first_also_after_a_restart_or_a_snapshot() -> None:
    store = Store()
    table = store.table("things")
    for seq in range(12):
        table.put(f"key-{seq}", {"seq": seq})
    table.change("key-3", more=1)
    newest = list(range(11, -1, -1))
    assert [row["seq"] for row in table.newest()] == newest
    dump = store.dump()
    loaded = Store()
    loaded.load(sorted(("things", key, row) for key, row in dump["things"].items()))
    assert [row["seq"] for row in loaded.table("things").newest()] == newest
    table.delete("key-5")
    store.restore(dump)
    assert [row["seq"] for row in table.newest()] == newest
