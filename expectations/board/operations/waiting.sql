-- What waiting costs, of setups whose idle power or start was measured with energy.
select *
from marts.waiting_costs
where data_source = 'jouleboard' and (idle_loaded_watts is not null or start_joules is not null)
order by
    nickname asc,
    gpu_model asc,
    num_gpus asc,
    runtime asc,
    runtime_version asc,
    weights asc,
    waiting_id asc
