-- Per model, task, GPUs and runtime: the batch size with the lowest energy per output of those whose runs
-- settled, or the fastest one where energy is unknown. Request sets are not compared: it is the set that was
-- measured last. Request sets that end in `+afresh` and the like, whose load began or ended in an unusual
-- way, are left out.
with measured as (
    select
        *,
        case when num_gpus = 0 then 'CPU' else num_gpus || 'x ' || gpu_model end as gpus,
        count(distinct batch_size) over of_a_set as sizes,
        max(last_measured_at) over of_a_set as set_measured_at
    from leaderboard
    where data_source = 'jouleboard' and is_current_revision and not contains(request_set_id, '+')
    window of_a_set as (
        partition by
            nickname, task, num_gpus, gpu_model, runtime, runtime_version, weights, request_set_id
    )
)

select
    nickname as model,
    task,
    gpus as "on",
    runtime || ' ' || runtime_version as runtime,
    sizes,
    batch_size as best,
    round(throughput_per_second, 1) as "outputs/s",
    round(median_itl_ms, 2) as "ITL ms",
    round(energy_per_output_joules, 4) as "J/output",
    printf('%.1f %%', 100 * (energy_per_output_high_joules / energy_per_output_joules - 1)) as "+-",
    nullif(energy_repeats, 0) as runs
from measured
qualify
    row_number() over (
        partition by nickname, task, gpus, runtime, runtime_version, weights
        order by set_measured_at desc, energy_per_output_joules asc nulls last, throughput_per_second desc
    ) = 1
order by task, model, "on", runtime
