select
    last_tables.table_name as label,
    candidate_tables.table_name is null as no_mart_lost
from duckdb_tables() as last_tables
left join duckdb_tables() as candidate_tables
    on
        candidate_tables.database_name = 'candidate'
        and candidate_tables.schema_name = 'marts'
        and last_tables.table_name = candidate_tables.table_name
where
    last_tables.database_name = 'last'
    and last_tables.schema_name = 'marts'
