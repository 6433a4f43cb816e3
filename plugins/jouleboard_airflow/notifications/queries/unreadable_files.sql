-- DAG files that cannot be read: their DAGs do not run.
select
    filename,
    stacktrace
from import_error
order by filename
