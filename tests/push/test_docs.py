from pathlib import Path

from iot_northbound.push import Access, Duplicates, HandlerRetry, InboxLimits, PushMessageReceiver
from iot_northbound.push.handlers import METHODS
from iot_northbound.push.receiver import ANSWER_WITHIN

DOCS = Path(__file__).parents[2] / "docs" / "receiver"


def text(page):
    return (DOCS / page).read_text(encoding="utf-8")


def test_every_handler_is_in_the_table():
    table = [line for line in text("index.md").splitlines() if line.startswith("| `handle_")]
    assert sorted(line.split("`")[1] for line in table) == sorted(METHODS.values())


def test_the_defaults_told_are_the_defaults():
    assert InboxLimits() == InboxLimits(messages=200_000, size=1 << 30, age=None)
    assert "200,000 messages, 1 GiB of bodies" in text("guarantees.md")
    assert Duplicates().window == 3_600
    assert "Within an hour" in text("guarantees.md")
    assert (HandlerRetry().attempts, HandlerRetry().first, HandlerRetry().longest) == (6, 1.0, 60.0)
    assert "six calls in all" in text("guarantees.md")
    assert PushMessageReceiver().gate.body_limit == 1 << 20
    assert ANSWER_WITHIN == 12
    assert "after\n12 s" in text("index.md")
    assert Access() == Access(client_names=(), path_secret=None, networks=())


def test_python_in_the_pages_is_python():
    for page in DOCS.glob("*.md"):
        for block in page.read_text(encoding="utf-8").split("```python\n")[1:]:
            code = block.split("```")[0]
            if "--8<--" not in code:
                compile(code, str(page), "exec")
            else:
                assert (DOCS.parents[1] / code.split('"')[1]).is_file()
