with measurements as (

    select
        measurement_id as run_id,
        leaderboard_id as load_id,
        comparability_id,
        workload_id,
        parallelism_id,
        output_unit
    from {{ ref('int_measurements_unioned') }}

),

runs as (

    select * from {{ ref('int_runs_derived') }}
    where request_rate is not null and fixed_prompt_tokens is null and is_accepted and status = 'completed'

)

select
    measurements.*,
    runs.* exclude (run_id),
    runs.scheduled_arrivals / nullif(runs.steady_seconds, 0) as offered_requests_per_second,
    runs.steady_completed_requests / nullif(runs.steady_seconds, 0) as completed_requests_per_second,
    1 - runs.busy_share as idle_share,
    {{ hash_of(
        [
            'measurements.comparability_id', 'runs.model_id', 'runs.weight_precision', 'runs.task',
            'runs.gpu_model', 'runs.num_gpus', 'runs.batch_size', 'measurements.parallelism_id'
        ],
        known=['model_revision']
    ) }} as server_setup_id
from measurements
inner join runs using (run_id)
