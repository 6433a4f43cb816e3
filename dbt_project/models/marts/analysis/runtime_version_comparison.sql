with runs as (

    select * from {{ ref('int_runs_compared_by_version') }}

),

configurations as (

    select * from {{ ref('int_configurations_averaged') }}

),

t_quantiles as (

    select
        *,
        lead(t_975, 1, t_975) over (order by degrees_of_freedom) as next_t_975
    from {{ ref('t_quantiles') }}

),

averaged as (

    select
        leaderboard_id,
        old_leaderboard_id,
        old_runtime_version,
        versions_back,
        on_same_gpus,
        count(energy_per_output_joules) filter (is_later_version) as energy_repeats,
        avg(energy_per_output_joules) filter (is_later_version) as energy_per_output_joules,
        var_samp(energy_per_output_joules) filter (is_later_version)
            / count(energy_per_output_joules) filter (is_later_version) as new_energy_variance,
        count(energy_per_output_joules) filter (not is_later_version) as old_energy_repeats,
        avg(energy_per_output_joules) filter (not is_later_version) as old_energy_per_output_joules,
        var_samp(energy_per_output_joules) filter (not is_later_version)
            / count(energy_per_output_joules) filter (not is_later_version) as old_energy_variance,
        count(latency_seconds) filter (is_later_version) as latency_repeats,
        avg(latency_seconds) filter (is_later_version) as latency_seconds,
        var_samp(latency_seconds) filter (is_later_version)
            / count(latency_seconds) filter (is_later_version) as new_latency_variance,
        count(latency_seconds) filter (not is_later_version) as old_latency_repeats,
        avg(latency_seconds) filter (not is_later_version) as old_latency_seconds,
        var_samp(latency_seconds) filter (not is_later_version)
            / count(latency_seconds) filter (not is_later_version) as old_latency_variance
    from runs
    group by all

),

-- Welch's t: standard error and degrees of freedom of a difference of two means.
welch as (

    select
        *,
        sqrt(new_energy_variance + old_energy_variance) as energy_error_joules,
        sqrt(new_latency_variance + old_latency_variance) as latency_error_seconds,
        {{ welch_degrees('new_energy_variance', 'energy_repeats', 'old_energy_variance', 'old_energy_repeats') }}
            as energy_degrees,
        {{ welch_degrees('new_latency_variance', 'latency_repeats', 'old_latency_variance', 'old_latency_repeats') }}
            as latency_degrees
    from averaged

),

changes as (

    select
        welch.*,
        energy_per_output_joules / nullif(old_energy_per_output_joules, 0) - 1 as energy_change,
        latency_seconds / nullif(old_latency_seconds, 0) - 1 as latency_change,
        ({{ t_975_between('for_energy', 'energy_degrees') }})
            * energy_error_joules / nullif(old_energy_per_output_joules, 0) as energy_change_half_width,
        ({{ t_975_between('for_latency', 'latency_degrees') }})
            * latency_error_seconds / nullif(old_latency_seconds, 0) as latency_change_half_width
    from welch
    left join t_quantiles as for_energy on for_energy.degrees_of_freedom = floor(welch.energy_degrees)
    left join t_quantiles as for_latency on for_latency.degrees_of_freedom = floor(welch.latency_degrees)

)

select
    {{ hash_of(['changes.leaderboard_id', 'changes.old_leaderboard_id']) }} as comparison_id,
    configurations.data_source,
    configurations.configuration_id,
    configurations.architecture,
    configurations.nickname,
    {{ identity_columns('configurations') }},
    changes.old_runtime_version,
    cast(changes.versions_back as integer) as versions_back,
    configurations.output_unit,
    changes.on_same_gpus,
    cast(changes.energy_repeats as integer) as energy_repeats,
    cast(changes.old_energy_repeats as integer) as old_energy_repeats,
    changes.energy_per_output_joules,
    changes.old_energy_per_output_joules,
    changes.energy_change,
    changes.energy_change - changes.energy_change_half_width as energy_change_low,
    changes.energy_change + changes.energy_change_half_width as energy_change_high,
    {{ change_verdict('changes.energy_change', 'changes.energy_change_half_width') }} as energy_verdict,
    changes.latency_seconds,
    changes.old_latency_seconds,
    changes.latency_change,
    changes.latency_change - changes.latency_change_half_width as latency_change_low,
    changes.latency_change + changes.latency_change_half_width as latency_change_high,
    {{ change_verdict('changes.latency_change', 'changes.latency_change_half_width') }} as latency_verdict
from changes
inner join configurations using (leaderboard_id)
order by data_source, task, model_id, gpu_model, num_gpus, batch_size, runtime_version, old_runtime_version, comparison_id
