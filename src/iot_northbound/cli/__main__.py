import sys

from iot_northbound.cli import main

sys.exit(main())
