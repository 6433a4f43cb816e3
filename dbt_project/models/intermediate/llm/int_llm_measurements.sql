with runs as (

    select * from {{ ref('int_runs_judged') }} where architecture in ('llm', 'mllm')

),

published as (

    select * from {{ ref('stg_mlenergy__configurations') }} where architecture in ('llm', 'mllm')

),

windows as (

    select
        *,
        case when steady_settled then steady_end_seconds - steady_start_seconds end as steady_seconds,
        case when counts_for_energy then steady_counter_joules end as energy_joules,
        case when counts_for_energy then steady_counter_seconds end as energy_seconds,
        coalesce(mean_output_tokens, output_tokens / nullif(requests_completed, 0))
            as output_tokens_per_response
    from runs

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
        counts_for_speed,
        counts_for_energy,
        requests_completed as completed_requests,
        output_tokens_per_response,
        energy_joules / nullif(steady_output_tokens, 0) as energy_per_token_joules,
        case when counts_for_energy then steady_within_run_interval end as energy_within_run_interval,
        energy_joules / nullif(steady_output_tokens, 0) * output_tokens_per_response
            as energy_per_response_joules,
        case when counts_for_energy and mlenergy_settled
            then mlenergy_counter_joules / nullif(mlenergy_output_tokens, 0) end
            as mlenergy_window_energy_per_token_joules,
        steady_output_tokens / nullif(steady_seconds, 0) as tokens_per_second,
        output_tokens / nullif(duration_seconds, 0) as whole_run_tokens_per_second,
        energy_joules / nullif(energy_seconds, 0) as mean_power_watts,
        steady_mean_running_requests as mean_running_requests,
        mean_preprocessing_ms,
        server_cpu_seconds / nullif(steady_seconds, 0) as server_cpu_cores,
        server_frontend_cpu_seconds / nullif(steady_seconds, 0) as frontend_cpu_cores,
        mean_kv_cache_usage,
        max_kv_cache_usage,
        ttft_p50_ms as median_ttft_ms,
        ttft_p90_ms as p90_ttft_ms,
        ttft_p99_ms as p99_ttft_ms,
        itl_p50_ms as median_itl_ms,
        itl_p90_ms as p90_itl_ms,
        itl_p95_ms as p95_itl_ms,
        itl_p99_ms as p99_itl_ms,
        e2e_p50_ms as median_e2e_ms,
        e2e_p99_ms as p99_e2e_ms
    from windows

),

imported as (

    select
        measurement_id,
        data_source,
        configuration_id,
        architecture,
        {{ identity_columns() }},
        energy_source,
        replicate,
        cast(null as timestamptz) as measured_at,
        cast(null as varchar) as gpu_uuids,
        cast(null as varchar) as server_start_id,
        -- Of two published measurements of one configuration the first in the published order stands.
        replicate = 1 as counts_for_speed,
        replicate = 1 as counts_for_energy,
        completed_requests,
        output_tokens_per_response,
        energy_per_token_joules,
        cast(null as double) as energy_within_run_interval,
        energy_per_response_joules,
        energy_per_token_joules as mlenergy_window_energy_per_token_joules,
        tokens_per_second,
        cast(null as double) as whole_run_tokens_per_second,
        mean_power_watts,
        mean_running_requests,
        cast(null as double) as mean_preprocessing_ms,
        cast(null as double) as server_cpu_cores,
        cast(null as double) as frontend_cpu_cores,
        cast(null as double) as mean_kv_cache_usage,
        cast(null as double) as max_kv_cache_usage,
        cast(null as double) as median_ttft_ms,
        cast(null as double) as p90_ttft_ms,
        cast(null as double) as p99_ttft_ms,
        median_itl_ms,
        p90_itl_ms,
        p95_itl_ms,
        p99_itl_ms,
        cast(null as double) as median_e2e_ms,
        cast(null as double) as p99_e2e_ms
    from published

)

select * from measured
union all by name
select * from imported
