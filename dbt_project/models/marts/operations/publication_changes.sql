with new as (

    select * from {{ ref('leaderboard') }}

),

old as (

    select * from {{ ref('stg_jouleboard__previous_leaderboards') }}

),

-- The leaderboard of now, once per earlier publication. Of the first publication every row is new: that is no
-- change.
previous as (

    select distinct publication_number from old

),

now as (

    select
        previous.publication_number,
        new.*
    from new
    cross join previous

),

paired as (

    select
        coalesce(now.publication_number, old.publication_number) as previous_publication_number,
        coalesce(now.leaderboard_id, old.leaderboard_id) as leaderboard_id,
        coalesce(now.data_source, old.data_source) as data_source,
        coalesce(now.configuration_id, old.configuration_id) as configuration_id,
        coalesce(now.nickname, old.nickname) as nickname,
        coalesce(now.model_id, old.model_id) as model_id,
        coalesce(now.model_revision, old.model_revision) as model_revision,
        coalesce(now.task, old.task) as task,
        coalesce(now.gpu_model, old.gpu_model) as gpu_model,
        coalesce(now.num_gpus, old.num_gpus) as num_gpus,
        coalesce(now.batch_size, old.batch_size) as batch_size,
        coalesce(now.runtime, old.runtime) as runtime,
        coalesce(now.runtime_version, old.runtime_version) as runtime_version,
        coalesce(now.weights, old.weights) as weights,
        coalesce(now.output_unit, old.output_unit) as output_unit,
        old.repeats as old_repeats,
        now.repeats,
        old.energy_per_output_joules as old_energy_per_output_joules,
        now.energy_per_output_joules,
        coalesce(old.median_itl_ms / 1e3, old.batch_latency_seconds) as old_latency_seconds,
        coalesce(now.median_itl_ms / 1e3, now.batch_latency_seconds) as latency_seconds,
        old.energy_rank as old_energy_rank,
        now.energy_rank,
        case
            when old.leaderboard_id is null then 'came'
            when now.leaderboard_id is null then 'went'
            when
                {{ moved('now.energy_per_output_joules', 'old.energy_per_output_joules') }}
                or {{ moved('now.median_itl_ms', 'old.median_itl_ms') }}
                or {{ moved('now.batch_latency_seconds', 'old.batch_latency_seconds') }}
                or {{ moved('now.throughput_per_second', 'old.throughput_per_second') }}
                then 'moved'
        end as change
    from now
    full outer join old
        on now.publication_number = old.publication_number and now.leaderboard_id = old.leaderboard_id

)

select
    leaderboard_id,
    data_source,
    previous_publication_number,
    change,
    configuration_id,
    nickname,
    model_id,
    model_revision,
    task,
    gpu_model,
    num_gpus,
    batch_size,
    runtime,
    runtime_version,
    weights,
    output_unit,
    old_repeats,
    repeats,
    old_energy_per_output_joules,
    energy_per_output_joules,
    energy_per_output_joules / nullif(old_energy_per_output_joules, 0) - 1 as energy_change,
    old_latency_seconds,
    latency_seconds,
    latency_seconds / nullif(old_latency_seconds, 0) - 1 as latency_change,
    old_energy_rank,
    energy_rank
from paired
where change is not null
order by
    previous_publication_number desc,
    change asc,
    data_source asc,
    nickname asc,
    task asc,
    leaderboard_id asc
