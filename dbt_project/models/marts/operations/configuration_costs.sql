with runs as (

    select * from {{ ref('int_runs_derived') }}
    where status = 'completed' and has_phases and not {{ is_contributed('data_source') }}

)

select
    configuration_id,
    data_source,
    any_value(model_id) as model_id,
    any_value(task) as task,
    any_value(gpu_model) as gpu_model,
    any_value(num_gpus) as num_gpus,
    any_value(batch_size) as batch_size,
    cast(count(*) as integer) as runs,
    cast(count(phase_joules) as integer) as energy_runs,
    max(finished_at) as last_measured_at,
    avg(phase_seconds) / 3600 as machine_hours_per_run,
    avg(phase_seconds * num_gpus) / 3600 as gpu_hours_per_run,
    avg(phase_joules) / 3.6e6 as energy_kwh_per_run
from runs
group by configuration_id, data_source
order by model_id, task, gpu_model, num_gpus, batch_size, configuration_id
