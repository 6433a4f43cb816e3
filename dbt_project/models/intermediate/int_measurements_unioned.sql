with language as (

    select
        * exclude (
            energy_per_token_joules,
            mlenergy_window_energy_per_token_joules,
            tokens_per_second,
            whole_run_tokens_per_second
        ),
        'token' as output_unit,
        energy_per_token_joules as energy_per_output_joules,
        mlenergy_window_energy_per_token_joules as mlenergy_window_energy_per_output_joules,
        tokens_per_second as throughput_per_second,
        whole_run_tokens_per_second as whole_run_throughput_per_second
    from {{ ref('int_llm_measurements') }}

),

diffusion as (

    select
        * exclude (
            energy_per_item_joules, mlenergy_window_energy_per_item_joules, items_per_second
        ),
        case task when 'text-to-image' then 'image' when 'text-to-video' then 'video' end as output_unit,
        energy_per_item_joules as energy_per_output_joules,
        -- A response is one image or one video.
        energy_per_item_joules as energy_per_response_joules,
        mlenergy_window_energy_per_item_joules as mlenergy_window_energy_per_output_joules,
        items_per_second as throughput_per_second
    from {{ ref('int_diffusion_measurements') }}

),

unioned as (

    select * from language
    union all by name
    select * from diffusion

)

select
    *,
    throughput_per_second / nullif(mean_power_watts, 0) as throughput_per_watt,
    coalesce(median_itl_ms / 1e3, batch_latency_seconds) as latency_seconds,
    {{ comparability_hash() }} as comparability_id,
    {{ comparability_hash(['power_limit_watts']) }} as comparability_any_cap_id,
    {{ comparability_hash(['runtime_version']) }} as comparability_any_version_id,
    {{ comparability_hash(['request_set_id']) }} as comparability_any_requests_id,
    {{ hash_of(workload_columns()) }} as workload_id,
    {{ hash_of(parallelism_columns()) }} as parallelism_id,
    {{ hash_of(['configuration_id', 'comparability_id'], known=['model_revision']) }} as leaderboard_id
from unioned
