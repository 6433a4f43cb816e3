"""Run the demo: `python -m jouleboard_airflow.demo`."""

import sys

from jouleboard_airflow.demo.main_job import main

sys.exit(main())
