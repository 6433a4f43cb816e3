with configurations as (

    select
        *,
        -- 0.9.1 comes before 0.10, and 0.10rc1 before 0.10: versions compare as lists of numbers, then
        -- pre-releases come first, then as text.
        list_transform(
            string_split(regexp_extract(runtime_version, '^[0-9.]*[0-9]'), '.'),
            lambda part: try_cast(part as bigint)
        ) as version_numbers,
        not regexp_matches(runtime_version, '[0-9](a|b|rc|[.]dev)[0-9]') as is_final
    from {{ ref('int_configurations_averaged') }}
    where runtime_version is not null

),

t_quantiles as (

    select * from {{ ref('t_quantiles') }}

),

pairs as (

    select
        earlier.leaderboard_id as old_leaderboard_id,
        later.*,
        earlier.runtime_version as old_runtime_version,
        earlier.energy_repeats as old_energy_repeats,
        earlier.latency_repeats as old_latency_repeats,
        earlier.energy_per_output_joules as old_energy_per_output_joules,
        earlier.latency_seconds as old_latency_seconds,
        power(later.energy_per_output_stddev_joules, 2) / nullif(later.energy_repeats, 0) as new_energy_variance,
        power(earlier.energy_per_output_stddev_joules, 2) / nullif(earlier.energy_repeats, 0)
            as old_energy_variance,
        power(later.latency_stddev_seconds, 2) / nullif(later.latency_repeats, 0) as new_latency_variance,
        power(earlier.latency_stddev_seconds, 2) / nullif(earlier.latency_repeats, 0) as old_latency_variance,
        dense_rank() over (
            partition by later.leaderboard_id
            order by earlier.version_numbers desc, earlier.is_final desc, earlier.runtime_version desc
        ) as versions_back
    from configurations as later
    inner join configurations as earlier
        on earlier.configuration_id = later.configuration_id
        and earlier.comparability_any_version_id = later.comparability_any_version_id
        and {{ same_weights('earlier', 'later') }}
        and (earlier.version_numbers, earlier.is_final, earlier.runtime_version)
        < (later.version_numbers, later.is_final, later.runtime_version)

),

-- Welch's t: standard error and degrees of freedom (rounded down) of a difference of two means.
welch as (

    select
        *,
        sqrt(new_energy_variance + old_energy_variance) as energy_error_joules,
        sqrt(new_latency_variance + old_latency_variance) as latency_error_seconds,
        {{ welch_degrees('new_energy_variance', 'energy_repeats', 'old_energy_variance', 'old_energy_repeats') }}
            as energy_degrees,
        {{ welch_degrees('new_latency_variance', 'latency_repeats', 'old_latency_variance', 'old_latency_repeats') }}
            as latency_degrees
    from pairs

),

changes as (

    select
        welch.*,
        energy_per_output_joules / nullif(old_energy_per_output_joules, 0) - 1 as energy_change,
        latency_seconds / nullif(old_latency_seconds, 0) - 1 as latency_change,
        for_energy.t_975 * energy_error_joules / nullif(old_energy_per_output_joules, 0)
            as energy_change_half_width,
        for_latency.t_975 * latency_error_seconds / nullif(old_latency_seconds, 0) as latency_change_half_width
    from welch
    left join t_quantiles as for_energy on for_energy.degrees_of_freedom = welch.energy_degrees
    left join t_quantiles as for_latency on for_latency.degrees_of_freedom = welch.latency_degrees

)

select
    {{ hash_of(['leaderboard_id', 'old_leaderboard_id']) }} as comparison_id,
    data_source,
    configuration_id,
    architecture,
    nickname,
    {{ identity_columns() }},
    old_runtime_version,
    cast(versions_back as integer) as versions_back,
    output_unit,
    cast(energy_repeats as integer) as energy_repeats,
    cast(old_energy_repeats as integer) as old_energy_repeats,
    energy_per_output_joules,
    old_energy_per_output_joules,
    energy_change,
    energy_change - energy_change_half_width as energy_change_low,
    energy_change + energy_change_half_width as energy_change_high,
    {{ change_verdict('energy_change', 'energy_change_half_width') }} as energy_verdict,
    latency_seconds,
    old_latency_seconds,
    latency_change,
    latency_change - latency_change_half_width as latency_change_low,
    latency_change + latency_change_half_width as latency_change_high,
    {{ change_verdict('latency_change', 'latency_change_half_width') }} as latency_verdict
from changes
order by data_source, task, model_id, gpu_model, num_gpus, batch_size, runtime_version, old_runtime_version, comparison_id
