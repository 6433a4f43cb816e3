with measurements as (

    select * from {{ ref('int_measurements_unioned') }}

),

runs as (

    select * from {{ ref('int_runs_derived') }}

),

models as (

    select * from {{ ref('int_models') }}

),

reproduced as (

    select * from {{ ref('int_rows_reproduced') }}

),

differences as (

    select * from {{ ref('weights_differences') }}

)

select
    measurements.measurement_id as run_id,
    measurements.data_source,
    {{ tier('measurements.data_source', 'reproduced.is_reproduced') }} as tier,
    runs.signed_by,
    measurements.configuration_id,
    measurements.comparability_id,
    measurements.architecture,
    coalesce(models.nickname, measurements.model_id) as nickname,
    {{ identity_columns('measurements') }},
    {{ weights_difference_columns('differences') }},
    runs.weights_digest,
    runs.weights_seed,
    coalesce(runs.status, 'published') as status,
    -- A published row is accepted by its import.
    coalesce(runs.is_accepted, true) as is_accepted,
    runs.refusal_reasons,
    measurements.counts_for_speed,
    measurements.counts_for_energy,
    measurements.replicate,
    measurements.energy_source,
    runs.energy_absent_reason,
    runs.started_at,
    runs.finished_at,
    runs.sweep_id,
    runs.note,
    measurements.completed_requests,
    runs.requests_failed,
    runs.steady_settled as is_settled,
    runs.steady_reason as unsettled_reason,
    runs.steady_seconds,
    runs.is_sustained,
    runs.unsustained_reason,
    runs.mean_backlog,
    runs.arrival_error_p99_ms,
    measurements.output_unit,
    measurements.energy_per_output_joules,
    measurements.energy_per_response_joules,
    measurements.mlenergy_window_energy_per_output_joules,
    runs.instrument_difference,
    measurements.output_tokens_per_response,
    measurements.throughput_per_second,
    measurements.throughput_per_watt,
    measurements.mean_power_watts,
    measurements.mean_running_requests,
    measurements.mean_preprocessing_ms,
    measurements.server_cpu_cores,
    measurements.frontend_cpu_cores,
    measurements.mean_kv_cache_usage,
    measurements.max_kv_cache_usage,
    measurements.median_itl_ms,
    measurements.p90_itl_ms,
    measurements.p95_itl_ms,
    measurements.p99_itl_ms,
    measurements.batch_latency_seconds,
    runs.idle_watts_before_server,
    runs.idle_watts_loaded,
    runs.temperature_max_celsius,
    runs.throttle_reasons,
    runs.client_lagged,
    runs.runtime_distribution,
    runs.torch_version,
    runs.driver_version,
    runs.cuda_version,
    runs.gpu_uuids,
    runs.host,
    runs.git_commit,
    runs.failure_phase,
    runs.failure_error,
    runs.failure_message
from measurements
left join runs on measurements.measurement_id = runs.run_id
left join models on measurements.model_id = models.model_id and measurements.data_source = models.data_source
left join reproduced on measurements.leaderboard_id = reproduced.leaderboard_id
left join differences on {{ difference_of_weights('differences', 'measurements') }}
