-- Facts that the publication states for all its rows become columns here; others are NULL.
{% set published = {
    'runtime': "case when architecture = 'diffusion' then 'xdit' else 'vllm' end",
    'runtime_version': 'cast(null as varchar)',
    'request_set_id': "'mlenergy-v3'",
    'length_control': "'natural'",
    'power_limit_watts': 'cast(null as double)',
    'weights': "'real'",
    'energy_boundary': "'gpu'",
    'model_revision': 'cast(null as varchar)',
} -%}

select
    'mlenergy-v3' as data_source,
    measurement_id,
    replicate,
    configuration_id,
    architecture,
    {%- for key in var('configuration_keys') %}
        {{ key }},
    {%- endfor %}
    fps as frames_per_second,
    {%- for key in var('comparability_keys') %}
        {{ published.get(key, 'null') }} as {{ key }},
    {%- endfor %}
    'nvml-counter' as energy_source,
    completed_requests,
    avg_batch_size as mean_running_requests,
    avg_output_len as output_tokens_per_response,
    avg_power_watts as mean_power_watts,
    energy_per_token_joules,
    energy_per_request_joules as energy_per_response_joules,
    energy_per_image_joules,
    energy_per_video_joules,
    output_throughput_tokens_per_sec as tokens_per_second,
    throughput_images_per_sec as images_per_second,
    throughput_videos_per_sec as videos_per_second,
    median_itl_ms,
    p90_itl_ms,
    p95_itl_ms,
    p99_itl_ms,
    batch_latency_s as batch_latency_seconds,
    published_on
from {{ source('mlenergy', 'mlenergy_configurations') }}
