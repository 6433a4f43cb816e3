with history as (

    select * from {{ ref('release_history') }}

),

evidence as (

    select
        leaderboard_id,
        first_started_at,
        last_finished_at
    from {{ ref('row_evidence') }}

),

releases as (

    select
        history.data_source,
        history.runtime,
        history.runtime_release as runtime_version,
        count(*) as configurations_measured,
        count(distinct history.model_id) as models_measured,
        count(history.energy_change) as configurations_compared,
        count(*) filter (history.energy_verdict = 'better') as energy_lower,
        count(*) filter (history.energy_verdict = 'worse') as energy_higher,
        count(*) filter (history.energy_verdict = 'no clear change') as energy_unchanged,
        count(*) filter (history.energy_verdict = 'too few repeats') as too_few_repeats,
        count(*) filter (history.confirmation = 'confirmed') as changes_confirmed,
        count(*) filter (history.confirmation = 'not confirmed') as changes_not_confirmed,
        count(*) filter (history.confirmation = 'contested') as changes_contested,
        median(history.energy_change) as median_energy_change,
        min(history.energy_change) as lowest_energy_change,
        max(history.energy_change) as highest_energy_change,
        median(history.energy_change) filter (history.confirmation = 'confirmed')
            as median_confirmed_energy_change,
        min(evidence.first_started_at) as first_started_at,
        max(evidence.last_finished_at) as last_finished_at
    from history
    left join evidence using (leaderboard_id)
    group by history.data_source, history.runtime, history.runtime_release

)

select
    {{ hash_of(['data_source', 'runtime', 'runtime_version']) }} as release_id,
    data_source,
    runtime,
    runtime_version,
    cast(
        row_number() over (
            partition by data_source, runtime order by {{ version_order('runtime_version') }}
        ) as integer
    ) as release_position,
    cast(configurations_measured as integer) as configurations_measured,
    cast(models_measured as integer) as models_measured,
    cast(configurations_compared as integer) as configurations_compared,
    cast(energy_lower as integer) as energy_lower,
    cast(energy_higher as integer) as energy_higher,
    cast(energy_unchanged as integer) as energy_unchanged,
    cast(too_few_repeats as integer) as too_few_repeats,
    cast(changes_confirmed as integer) as changes_confirmed,
    cast(changes_not_confirmed as integer) as changes_not_confirmed,
    cast(changes_contested as integer) as changes_contested,
    median_energy_change,
    lowest_energy_change,
    highest_energy_change,
    median_confirmed_energy_change,
    first_started_at,
    last_finished_at
from releases
order by data_source, runtime, release_position
