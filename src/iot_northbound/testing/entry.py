"""What pytest finds by itself: it loads the plugin, unless that is loaded already under its own name.

Were the plugin itself the entry point, ``-p iot_northbound.testing.plugin`` or a line ``pytest_plugins`` would register
it twice, which pytest refuses.
"""

from __future__ import annotations

pytest_plugins = ["iot_northbound.testing.plugin"]
