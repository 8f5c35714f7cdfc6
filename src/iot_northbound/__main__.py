"""``python -m iot_northbound`` is the command ``iot-northbound``."""

import sys

from iot_northbound.cli import main

sys.exit(main())
