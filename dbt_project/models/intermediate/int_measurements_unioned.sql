with tasks as (

    select * from {{ ref('stg_jouleboard__tasks') }}

),

measured as (

    select
        run_id as measurement_id,
        data_source,
        configuration_id,
        architecture,
        {{ identity_columns() }},
        energy_source,
        1 as replicate,
        finished_at as measured_at,
        gpu_uuids,
        server_start_id,
        -- Open loops and designed loads have marts of their own.
        counts_for_speed and request_rate is null and fixed_prompt_tokens is null as counts_for_speed,
        counts_for_energy and request_rate is null and fixed_prompt_tokens is null as counts_for_energy,
        requests_completed as completed_requests,
        energy_per_output_joules,
        energy_within_run_interval,
        energy_per_response_joules,
        mlenergy_window_energy_per_output_joules,
        output_tokens_per_response,
        throughput_per_second,
        whole_run_throughput_per_second,
        mean_power_watts,
        mean_running_requests,
        mean_preprocessing_ms,
        server_cpu_cores,
        frontend_cpu_cores,
        mean_kv_cache_usage,
        max_kv_cache_usage,
        ttft_p50_ms as median_ttft_ms,
        ttft_p90_ms as p90_ttft_ms,
        ttft_p95_ms as p95_ttft_ms,
        ttft_p99_ms as p99_ttft_ms,
        itl_p50_ms as median_itl_ms,
        itl_p90_ms as p90_itl_ms,
        itl_p95_ms as p95_itl_ms,
        itl_p99_ms as p99_itl_ms,
        e2e_p50_ms as median_e2e_ms,
        e2e_p99_ms as p99_e2e_ms,
        batch_latency_seconds
    from {{ ref('int_runs_derived') }}

),

-- Published ratios are used as they were published; a figure that was not published is NULL.
published as (

    select
        measurement_id,
        data_source,
        configuration_id,
        architecture,
        {{ identity_columns() }},
        energy_source,
        replicate,
        frames_per_second,
        -- Of two published measurements of one configuration the first in the published order is used.
        replicate = 1 as counts_for_speed,
        replicate = 1 as counts_for_energy,
        completed_requests,
        coalesce(energy_per_token_joules, energy_per_image_joules, energy_per_video_joules)
            as energy_per_output_joules,
        coalesce(energy_per_response_joules, energy_per_image_joules, energy_per_video_joules)
            as energy_per_response_joules,
        energy_per_output_joules as mlenergy_window_energy_per_output_joules,
        output_tokens_per_response,
        coalesce(tokens_per_second, images_per_second, videos_per_second) as throughput_per_second,
        mean_power_watts,
        mean_running_requests,
        median_itl_ms,
        p90_itl_ms,
        p95_itl_ms,
        p99_itl_ms,
        batch_latency_seconds
    from {{ ref('stg_mlenergy__configurations') }}

),

unioned as (

    select * from measured
    union all by name
    select * from published

),

described as (

    select
        unioned.*,
        tasks.output_unit
    from unioned
    left join tasks on unioned.task = tasks.task

)

select
    *,
    throughput_per_second / nullif(mean_power_watts, 0) as throughput_per_watt,
    coalesce(median_itl_ms / 1e3, batch_latency_seconds) as latency_seconds,
    {{ comparability_hash() }} as comparability_id,
    {{ comparability_hash(['data_source']) }} as comparability_any_source_id,
    {{ comparability_hash(['power_limit_watts']) }} as comparability_any_cap_id,
    {{ comparability_hash(['runtime_version']) }} as comparability_any_version_id,
    {{ comparability_hash(['request_set_id']) }} as comparability_any_requests_id,
    {{ hash_of_keys(var('workload_keys')) }} as workload_id,
    {{ hash_of_keys(var('parallelism_keys')) }} as parallelism_id,
    {{ hash_of(['configuration_id', 'comparability_id'], known=['model_revision']) }} as leaderboard_id
from described
