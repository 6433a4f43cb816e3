-- What was measured of each version of each runtime by this project, and what that cost.
select
    leaderboard.runtime,
    leaderboard.runtime_version,
    cast(count(*) as integer) as row_count,
    cast(count(distinct leaderboard.model_id) as integer) as models,
    cast(sum(row_evidence.runs) as integer) as runs,
    min(row_evidence.first_started_at) as first_started_at,
    max(row_evidence.last_finished_at) as last_finished_at,
    case when bool_and(row_evidence.gpu_seconds is not null) then sum(row_evidence.gpu_seconds) / 3600 end
        as gpu_hours,
    case when bool_and(row_evidence.energy_kwh is not null) then sum(row_evidence.energy_kwh) end
        as energy_kwh,
    sum(row_evidence.energy_kwh) as known_energy_kwh
from marts.leaderboard
inner join marts.row_evidence using (leaderboard_id)
where leaderboard.data_source = 'jouleboard'
group by leaderboard.runtime, leaderboard.runtime_version
order by leaderboard.runtime, min(row_evidence.first_started_at), leaderboard.runtime_version
