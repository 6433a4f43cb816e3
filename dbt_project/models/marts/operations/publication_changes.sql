with new as (

    select * from {{ ref('leaderboard') }}

),

old as (

    select * from {{ ref('stg_jouleboard__previous_leaderboard') }}

),

previous as (

    select max(publication_number) as publication_number from old

),

paired as (

    select
        coalesce(new.leaderboard_id, old.leaderboard_id) as leaderboard_id,
        coalesce(new.data_source, old.data_source) as data_source,
        coalesce(new.configuration_id, old.configuration_id) as configuration_id,
        coalesce(new.nickname, old.nickname) as nickname,
        coalesce(new.model_id, old.model_id) as model_id,
        coalesce(new.model_revision, old.model_revision) as model_revision,
        coalesce(new.task, old.task) as task,
        coalesce(new.gpu_model, old.gpu_model) as gpu_model,
        coalesce(new.num_gpus, old.num_gpus) as num_gpus,
        coalesce(new.batch_size, old.batch_size) as batch_size,
        coalesce(new.runtime, old.runtime) as runtime,
        coalesce(new.runtime_version, old.runtime_version) as runtime_version,
        coalesce(new.weights, old.weights) as weights,
        coalesce(new.output_unit, old.output_unit) as output_unit,
        old.repeats as old_repeats,
        new.repeats,
        old.energy_per_output_joules as old_energy_per_output_joules,
        new.energy_per_output_joules,
        coalesce(old.median_itl_ms / 1e3, old.batch_latency_seconds) as old_latency_seconds,
        coalesce(new.median_itl_ms / 1e3, new.batch_latency_seconds) as latency_seconds,
        old.energy_rank as old_energy_rank,
        new.energy_rank,
        case
            when old.leaderboard_id is null then 'came'
            when new.leaderboard_id is null then 'went'
            when
                {{ moved('new.energy_per_output_joules', 'old.energy_per_output_joules') }}
                or {{ moved('new.median_itl_ms', 'old.median_itl_ms') }}
                or {{ moved('new.batch_latency_seconds', 'old.batch_latency_seconds') }}
                or {{ moved('new.throughput_per_second', 'old.throughput_per_second') }}
                then 'moved'
        end as change
    from new
    full outer join old on new.leaderboard_id = old.leaderboard_id

)

select
    paired.leaderboard_id,
    paired.data_source,
    previous.publication_number as previous_publication_number,
    paired.change,
    paired.configuration_id,
    paired.nickname,
    paired.model_id,
    paired.model_revision,
    paired.task,
    paired.gpu_model,
    paired.num_gpus,
    paired.batch_size,
    paired.runtime,
    paired.runtime_version,
    paired.weights,
    paired.output_unit,
    paired.old_repeats,
    paired.repeats,
    paired.old_energy_per_output_joules,
    paired.energy_per_output_joules,
    paired.energy_per_output_joules / nullif(paired.old_energy_per_output_joules, 0) - 1 as energy_change,
    paired.old_latency_seconds,
    paired.latency_seconds,
    paired.latency_seconds / nullif(paired.old_latency_seconds, 0) - 1 as latency_change,
    paired.old_energy_rank,
    paired.energy_rank
from paired
cross join previous
-- Of the first publication every row is new: that is not a change.
where paired.change is not null and previous.publication_number is not null
order by paired.change, paired.data_source, paired.nickname, paired.task, paired.leaderboard_id
