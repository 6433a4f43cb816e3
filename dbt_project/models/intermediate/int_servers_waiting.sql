with measurements as (

    select
        measurement_id as run_id,
        parallelism_id
    from {{ ref('int_measurements_unioned') }}

),

-- Whoever measures at an endpoint sees neither its start nor the GPU without a model.
runs as (

    select * from {{ ref('int_runs_derived') }}
    where status = 'completed' and is_accepted and server_session_id is not null and server_kind <> 'endpoint'

),

-- Only the first run on a server has its start; all have the server's readings.
servers as (

    select
        runs.data_source,
        runs.server_session_id,
        runs.model_id,
        runs.model_revision,
        runs.weight_precision,
        runs.gpu_model,
        runs.num_gpus,
        runs.tensor_parallel,
        runs.expert_parallel,
        runs.data_parallel,
        runs.runtime,
        runs.runtime_version,
        runs.power_limit_watts,
        runs.weights,
        runs.energy_boundary,
        measurements.parallelism_id,
        max(runs.finished_at) as last_measured_at,
        max(runs.server_start_seconds) as start_seconds,
        max(runs.server_start_joules) as start_joules,
        avg(runs.idle_watts_before_server) as idle_unloaded_watts,
        avg(runs.idle_watts_loaded) as idle_reading_watts,
        {% for level in ['_level_1', '_level_2'] %}
            {% set whole = "asleep_counter_joules~ + falling_asleep_joules~ + waking_joules~ is not null" %}
            {% for measured, name in [
                ('asleep_counter_joules~ / asleep_counter_seconds~', 'asleep_watts'),
                ('falling_asleep_seconds~', 'sleep_seconds'),
                ('falling_asleep_joules~', 'sleep_joules'),
                ('waking_seconds~', 'wake_seconds'),
                ('waking_joules~', 'wake_joules')
            ] %}
                {{ ("avg(" ~ measured ~ ") filter (" ~ whole ~ ") as " ~ name ~ "~") | replace('~', level) }},
            {% endfor %}
        {% endfor %}
        avg(runs.mean_power_watts) filter (runs.request_rate = 0) as idle_window_watts
    from runs
    inner join measurements using (run_id)
    group by all

)

select
    * exclude (parallelism_id),
    {{ hash_of(
        [
            'data_source', 'model_id', 'weight_precision', 'gpu_model', 'num_gpus', 'parallelism_id', 'runtime',
            'runtime_version', 'power_limit_watts', 'weights', 'energy_boundary'
        ],
        known=['model_revision']
    ) }} as waiting_id
from servers
