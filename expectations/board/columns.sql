select column_name
from duckdb_columns()
where
    schema_name = 'marts'
    and table_name = '{{ table }}'
