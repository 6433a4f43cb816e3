-- The keys are taken from the leaderboard, which has all of them; the run log may have fewer.
with leaderboard_rows as (
    select
        configuration_id,
        comparability_id,
        output_unit,
        {{ keys | join(', ') }}
    from leaderboard
    where data_source = 'jouleboard'
),

counted_runs as (
    select
        configuration_id,
        comparability_id,
        {{ run_revision }},
        max(finished_at) as last_measured_at,
        list({
            'gpus': gpu_uuids,
            'throughput': throughput_per_second,
            'energy': case when counts_for_energy then energy_per_output_joules end
        }) as runs
    from run_log
    where
        data_source = 'jouleboard'
        and counts_for_speed
    group by all
)

select
    leaderboard_rows.*,
    counted_runs.last_measured_at,
    counted_runs.runs
from leaderboard_rows
inner join counted_runs
    on
        leaderboard_rows.configuration_id = counted_runs.configuration_id
        and leaderboard_rows.comparability_id = counted_runs.comparability_id
        and leaderboard_rows.model_revision is not distinct from counted_runs.model_revision
order by
    counted_runs.last_measured_at,
    leaderboard_rows.configuration_id
