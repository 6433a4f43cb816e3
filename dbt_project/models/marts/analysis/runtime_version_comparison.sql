with changes as (

    select * from {{ ref('int_runtime_version_changes') }}

),

configurations as (

    select * from {{ ref('int_configurations_averaged') }}

),

{{ changes_by_metric() }}

select
    {{ hash_of(['energy.leaderboard_id', 'energy.old_leaderboard_id']) }} as comparison_id,
    configurations.data_source,
    configurations.configuration_id,
    configurations.architecture,
    configurations.nickname,
    {{ identity_columns('configurations') }},
    energy.old_runtime_version,
    cast(energy.versions_back as integer) as versions_back,
    configurations.output_unit,
    energy.on_same_gpus,
    cast(energy.repeats as integer) as energy_repeats,
    cast(energy.old_repeats as integer) as old_energy_repeats,
    energy.figure as energy_per_output_joules,
    energy.old_figure as old_energy_per_output_joules,
    energy.change as energy_change,
    energy.change - energy.change_half_width as energy_change_low,
    energy.change + energy.change_half_width as energy_change_high,
    {{ change_verdict('energy.change', 'energy.change_half_width') }} as energy_verdict,
    latency.figure as latency_seconds,
    latency.old_figure as old_latency_seconds,
    latency.change as latency_change,
    latency.change - latency.change_half_width as latency_change_low,
    latency.change + latency.change_half_width as latency_change_high,
    {{ change_verdict('latency.change', 'latency.change_half_width') }} as latency_verdict
from energy
inner join latency using (leaderboard_id, old_leaderboard_id)
inner join configurations using (leaderboard_id)
order by
    configurations.data_source,
    configurations.task,
    configurations.model_id,
    configurations.gpu_model,
    configurations.num_gpus,
    configurations.batch_size,
    configurations.runtime_version,
    energy.old_runtime_version,
    comparison_id
