with candidate_marts as (
    select table_name
    from information_schema.tables
    where
        table_catalog = 'candidate'
        and table_schema = 'marts'
)

select
    table_name as row_name,
    table_name not in (select candidate_marts.table_name from candidate_marts) as no_mart_lost
from duckdb_tables()
where
    database_name = 'last'
    and schema_name = 'marts'
