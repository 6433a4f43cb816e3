-- The newest runs behind each row that rests on bundles, and how many there are. shown: of each row.
with

behind as (
    select
        leaderboard_id,
        data_source,
        unnest(string_split(run_ids, ', ')) as run_id
    from marts.row_evidence
)

select
    behind.leaderboard_id,
    run_log.run_id,
    run_log.task,
    run_log.started_at,
    run_log.host,
    run_log.gpu_uuids,
    run_log.sweep_id,
    run_log.steady_seconds,
    run_log.energy_per_output_joules,
    run_log.mean_power_watts,
    run_log.instrument_difference,
    run_log.counts_for_energy,
    run_log.refusal_reasons,
    run_log.signed_by,
    cast(count(*) over (partition by behind.leaderboard_id) as integer) as runs
from behind
inner join marts.run_log
    on behind.run_id = run_log.run_id and behind.data_source = run_log.data_source
where run_log.tier <> 'published'
qualify
    row_number() over (
        partition by behind.leaderboard_id
        order by run_log.started_at desc, run_log.run_id desc
    ) <= {{ shown }}
order by run_log.started_at, run_log.run_id
