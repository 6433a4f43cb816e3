select
    column_name,
    data_type,
    comment
from duckdb_columns()
where
    database_name = current_database()  -- not the candidate that is being copied
    and schema_name = 'marts'
    and table_name = 'leaderboard'
order by column_index
