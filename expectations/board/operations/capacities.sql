-- What each setup carries under each latency objective, that of its task first.
with defaults as (
    select distinct
        server_setup_id,
        burstiness,
        objective
    from marts.energy_under_load
    where request_rate > 0
)

select
    capacity.*,
    defaults.objective is not null as is_default
from marts.serving_capacity as capacity
left join defaults
    on
        capacity.server_setup_id = defaults.server_setup_id
        and capacity.burstiness = defaults.burstiness
        and capacity.objective = defaults.objective
where capacity.data_source = 'jouleboard'
order by capacity.server_setup_id asc, capacity.burstiness desc, is_default desc, capacity.objective asc
