"""Start, stop or show the platform: `python -m jouleboard_airflow.platform up|down|status`."""

import sys

from jouleboard_airflow.platform.commands import main

sys.exit(main())
