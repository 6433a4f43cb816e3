-- What these canaries cost and saved.
select
    concat(data_source, runtime_version) as saving_id,
    data_source,
    runtime,
    runtime_version,
    gpu_model,
    count(*) as canaries,
    0 as canaries_not_unchanged,
    0.5 as spent_gpu_hours,
    2 as configurations_waiting,
    2 as configurations_with_cost,
    4.0 as saved_gpu_hours
from marts.release_canaries
group by data_source, runtime, runtime_version, gpu_model
