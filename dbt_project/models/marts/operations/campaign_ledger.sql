with runs as (

    select
        *,
        coalesce(sweep_id, run_id) as campaign_id
    from {{ ref('int_runs_derived') }}
    -- What others measured cost us nothing.
    where not {{ is_contributed('data_source') }}

)

select
    campaign_id,
    data_source,
    bool_or(sweep_id is not null) as is_sweep,
    min(started_at) as started_at,
    max(finished_at) as finished_at,
    string_agg(distinct runtime || ' ' || runtime_version, ', ' order by runtime || ' ' || runtime_version)
        as runtimes,
    cast(count(distinct model_id) as integer) as models,
    cast(count(distinct configuration_id) as integer) as configurations,
    cast(count(*) as integer) as runs,
    cast(count(*) filter (status = 'completed') as integer) as completed_runs,
    cast(count(*) filter (status = 'failed') as integer) as failed_runs,
    cast(count(*) filter (status = 'infeasible') as integer) as infeasible_runs,
    cast(count(*) filter (is_accepted) as integer) as accepted_runs,
    cast(count(*) filter (counts_for_energy) as integer) as energy_runs,
    {{ sum_if_known('phase_seconds') }} / 3600 as machine_hours,
    {{ sum_if_known('phase_seconds * num_gpus') }} / 3600 as gpu_hours,
    {{ sum_if_known('phase_joules') }} / 3.6e6 as energy_kwh,
    sum(phase_joules) / 3.6e6 as known_energy_kwh,
    cast(count(*) filter (phase_joules is null) as integer) as runs_without_energy
from runs
group by campaign_id, data_source
order by started_at, campaign_id
