-- What was measured of each release of each runtime by this project, and what that cost.
with measured as (
    select
        *,
        {{ release_of('runtime_version') }} as runtime_release
    from marts.leaderboard
    where data_source = 'jouleboard'
)

select
    measured.runtime,
    measured.runtime_release as runtime_version,
    cast(count(*) as integer) as row_count,
    cast(count(distinct measured.model_id) as integer) as models,
    cast(sum(row_evidence.runs) as integer) as runs,
    min(row_evidence.first_started_at) as first_started_at,
    max(row_evidence.last_finished_at) as last_finished_at,
    case when bool_and(row_evidence.gpu_seconds is not null) then sum(row_evidence.gpu_seconds) / 3600 end
        as gpu_hours,
    case when bool_and(row_evidence.energy_kwh is not null) then sum(row_evidence.energy_kwh) end
        as energy_kwh,
    sum(row_evidence.energy_kwh) as known_energy_kwh
from measured
inner join marts.row_evidence using (leaderboard_id)
group by measured.runtime, measured.runtime_release
order by measured.runtime, min(row_evidence.first_started_at), measured.runtime_release
