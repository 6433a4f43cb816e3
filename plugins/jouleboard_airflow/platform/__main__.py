import sys

from jouleboard_airflow.platform.commands import main

sys.exit(main())
