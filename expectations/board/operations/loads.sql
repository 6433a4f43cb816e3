-- Every load of a setup at which at least one rate above 0 was measured, and its idle.
with loads as (
    select *
    from marts.energy_under_load
    where data_source = 'jouleboard'
    qualify num_gpus > 0 or not bool_or(num_gpus > 0) over ()
),

curves as (
    select distinct
        server_setup_id,
        burstiness
    from loads
    where request_rate > 0
)

select loads.* replace (curves.burstiness as burstiness)
from loads
inner join curves
    on
        loads.server_setup_id = curves.server_setup_id
        and (loads.request_rate = 0 or loads.burstiness = curves.burstiness)
order by
    loads.nickname asc,
    loads.task asc,
    loads.gpu_model asc,
    loads.num_gpus asc,
    loads.batch_size asc,
    loads.server_setup_id asc,
    curves.burstiness desc,
    loads.request_rate asc
