with configurations as (

    select
        *,
        nullif({{ how_started('runtime_version') }}, '') as how_started
    from {{ ref('int_configurations_averaged') }}
    where runtime_version is not null

),

against_previous as (

    select *
    from {{ ref('int_release_steps') }}
    where is_against_previous

),

against_first as (

    select *
    from {{ ref('int_release_steps') }}
    where is_against_first

)

select
    configurations.leaderboard_id,
    {{ hash_of([
        'configurations.configuration_id',
        'configurations.comparability_any_version_id',
        'configurations.model_revision',
    ], known=['configurations.how_started']) }} as series_id,
    configurations.data_source,
    configurations.configuration_id,
    configurations.architecture,
    configurations.nickname,
    {{ identity_columns('configurations') }},
    {{ release_of('configurations.runtime_version') }} as runtime_release,
    configurations.output_unit,
    cast(coalesce(against_first.versions_back, 0) + 1 as integer) as release_position,
    cast(configurations.energy_repeats as integer) as energy_repeats,
    cast(configurations.energy_gpus as integer) as energy_gpus,
    cast(configurations.energy_servers as integer) as energy_servers,
    configurations.energy_per_output_joules,
    configurations.energy_per_output_low_joules,
    configurations.energy_per_output_high_joules,
    against_previous.old_runtime_version as previous_runtime_version,
    against_previous.on_same_gpus as previous_on_same_gpus,
    against_previous.change as energy_change,
    against_previous.change - against_previous.change_half_width as energy_change_low,
    against_previous.change + against_previous.change_half_width as energy_change_high,
    coalesce(against_previous.verdict, 'first release') as energy_verdict,
    coalesce(against_previous.is_candidate, false) as is_candidate,
    cast(against_previous.rerun_servers as integer) as rerun_servers,
    cast(against_previous.old_rerun_servers as integer) as previous_rerun_servers,
    coalesce(against_previous.rerun_result, 'not rerun') as rerun_result,
    coalesce(against_previous.confirmation, 'not rerun') as confirmation,
    against_previous.contested_by,
    against_previous.contested_at,
    against_previous.contest_note,
    against_first.old_runtime_version as first_runtime_version,
    against_first.on_same_gpus as first_on_same_gpus,
    against_first.change as energy_change_since_first,
    against_first.change - against_first.change_half_width as energy_change_since_first_low,
    against_first.change + against_first.change_half_width as energy_change_since_first_high,
    coalesce(against_first.verdict, 'first release') as energy_verdict_since_first
from configurations
left join against_previous using (leaderboard_id)
left join against_first using (leaderboard_id)
order by
    configurations.data_source,
    configurations.task,
    configurations.model_id,
    configurations.gpu_model,
    configurations.num_gpus,
    configurations.batch_size,
    series_id,
    release_position
