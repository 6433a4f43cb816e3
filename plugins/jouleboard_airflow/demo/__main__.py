import sys

from jouleboard_airflow.demo.main_job import main

sys.exit(main())
