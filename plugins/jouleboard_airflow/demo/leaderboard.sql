-- Per model, task, GPUs and runtime: the batch size with the lowest energy per output of those whose runs
-- settled, or the fastest one if energy is unknown. Request sets are not compared: only the set that was
-- measured last is shown. Request sets with a suffix such as `+afresh`, whose load began or ended in an
-- unusual way, are left out.
with measured as (
    select
        *,
        case when num_gpus = 0 then 'CPU' else num_gpus || 'x ' || gpu_model end as gpus,
        max(last_measured_at) over of_a_set as set_measured_at
    from leaderboard
    where data_source = 'jouleboard' and is_current_revision and not contains(request_set_id, '+')
    window of_a_set as (
        partition by
            nickname, task, num_gpus, gpu_model, runtime, runtime_version, weights, request_set_id
    )
)

select
    task,
    nickname as model,
    gpus as "on",
    runtime || ' ' || regexp_replace(runtime_version, '\+.*', '+') as runtime,
    weights,
    batch_size as best,
    throughput_per_second as "outputs/s",
    median_itl_ms as "ITL ms",
    energy_per_output_joules as "J/output",
    printf('%.1f %%', 100 * (energy_per_output_high_joules / energy_per_output_joules - 1)) as "+-",
    nullif(energy_repeats, 0) as runs
from measured
qualify
    row_number() over (
        partition by nickname, task, gpus, runtime, runtime_version, weights
        order by set_measured_at desc, energy_per_output_joules asc nulls last, throughput_per_second desc
    ) = 1
order by task, model, "on", runtime, weights
