select
    column_name,
    data_type,
    comment
from duckdb_columns()
where
    schema_name = 'marts'
    and table_name = 'leaderboard'
order by column_index
