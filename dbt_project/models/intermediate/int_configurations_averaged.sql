with measurements as (

    select * from {{ ref('int_measurements_unioned') }}

),

models as (

    select * from {{ ref('int_models') }}

),

gpus as (

    select * from {{ ref('stg_jouleboard__gpus') }}

),

t_quantiles as (

    select * from {{ ref('t_quantiles') }}

),

replicates as (

    select
        configuration_id,
        comparability_id,
        model_revision,
        count(*) as measurements,
        case
            when count(energy_per_output_joules) > 1
                then max(energy_per_output_joules) / nullif(min(energy_per_output_joules), 0) - 1
        end
            as energy_spread
    from measurements
    where counts_for_speed or replicate > 1
    group by all

),

averaged as (

    select
        leaderboard_id,
        data_source,
        configuration_id,
        comparability_id,
        comparability_any_source_id,
        comparability_any_cap_id,
        comparability_any_version_id,
        comparability_any_requests_id,
        workload_id,
        parallelism_id,
        architecture,
        output_unit,
        {{ identity_columns() }},
        max(frames_per_second) as frames_per_second,
        coalesce(max(energy_source) filter (energy_per_output_joules is not null), 'none') as energy_source,
        count(*) as repeats,
        max(measured_at) as last_measured_at,
        count(energy_per_output_joules) as energy_repeats,
        {{ distinct_behind_energy('gpu_uuids') }} as energy_gpus,
        {{ distinct_behind_energy('server_start_id') }} as energy_servers,
        avg(energy_per_output_joules) as energy_per_output_joules,
        stddev_samp(energy_per_output_joules) as energy_per_output_stddev_joules,
        max(energy_within_run_interval) as energy_within_run_interval,
        avg(energy_per_response_joules) as energy_per_response_joules,
        avg(mlenergy_window_energy_per_output_joules) as mlenergy_window_energy_per_output_joules,
        avg(output_tokens_per_response) as output_tokens_per_response,
        avg(throughput_per_second) as throughput_per_second,
        avg(whole_run_throughput_per_second) as whole_run_throughput_per_second,
        avg(throughput_per_watt) as throughput_per_watt,
        avg(mean_power_watts) as mean_power_watts,
        avg(mean_running_requests) as mean_running_requests,
        avg(mean_preprocessing_ms) as mean_preprocessing_ms,
        avg(server_cpu_cores) as server_cpu_cores,
        avg(frontend_cpu_cores) as frontend_cpu_cores,
        avg(mean_kv_cache_usage) as mean_kv_cache_usage,
        max(max_kv_cache_usage) as max_kv_cache_usage,
        avg(median_ttft_ms) as median_ttft_ms,
        avg(p90_ttft_ms) as p90_ttft_ms,
        avg(p95_ttft_ms) as p95_ttft_ms,
        avg(p99_ttft_ms) as p99_ttft_ms,
        avg(median_itl_ms) as median_itl_ms,
        avg(p90_itl_ms) as p90_itl_ms,
        avg(p95_itl_ms) as p95_itl_ms,
        avg(p99_itl_ms) as p99_itl_ms,
        avg(median_e2e_ms) as median_e2e_ms,
        avg(p99_e2e_ms) as p99_e2e_ms,
        avg(batch_latency_seconds) as batch_latency_seconds,
        avg(latency_seconds) as latency_seconds
    from measurements
    where counts_for_speed
    group by all

),

revisions as (

    select
        *,
        -- The revision of a model that was measured last on a GPU model is current, other keys being equal.
        -- A folder's content (a hash of 64 digits) is current only where no commit of the hub was measured.
        (
            model_revision is not distinct from first_value(model_revision) over (
                partition by comparability_id, task, model_id, weight_precision, workload_id, gpu_model
                order by
                    coalesce(length(model_revision), 0) = 64 asc,
                    last_measured_at desc nulls last,
                    model_revision asc
            )
        ) as is_current_revision
    from averaged

),

intervals as (

    select
        revisions.*,
        -- 200 is the last row of the table; beyond it the quantile stays between 1.97 and 1.96.
        t_quantiles.t_975 * revisions.energy_per_output_stddev_joules / sqrt(revisions.energy_repeats)
            as energy_per_output_half_width_joules
    from revisions
    left join t_quantiles on least(revisions.energy_repeats - 1, 200) = t_quantiles.degrees_of_freedom

)

select
    intervals.*,
    {{ lower_end('intervals.energy_per_output_joules', 'intervals.energy_per_output_half_width_joules') }}
        as energy_per_output_low_joules,
    intervals.energy_per_output_joules + intervals.energy_per_output_half_width_joules
        as energy_per_output_high_joules,
    replicates.measurements,
    replicates.energy_spread as measurement_energy_spread,
    coalesce(models.nickname, intervals.model_id) as nickname,
    models.organisation,
    models.family,
    models.model_architecture,
    models.total_params_billions,
    models.activated_params_billions,
    gpus.tdp_watts
from intervals
left join replicates
    on
        intervals.configuration_id = replicates.configuration_id
        and intervals.comparability_id = replicates.comparability_id
        and replicates.model_revision is not distinct from intervals.model_revision
left join models using (data_source, model_id)
left join gpus using (gpu_model)
