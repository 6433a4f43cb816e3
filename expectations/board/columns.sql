select column_name
from duckdb_columns()
where
    database_name = current_database()  -- not the candidate that is being copied
    and schema_name = 'marts'
    and table_name = '{{ table }}'
