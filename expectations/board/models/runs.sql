-- The runs behind each row that rests on bundles.
select
    row_evidence.leaderboard_id,
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
    run_log.signed_by
from marts.row_evidence
inner join marts.run_log
    on list_contains(string_split(row_evidence.run_ids, ', '), run_log.run_id)
where row_evidence.data_source = run_log.data_source and run_log.tier <> 'published'
order by run_log.started_at, run_log.run_id
