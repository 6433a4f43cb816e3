with loads as (

    select * from {{ ref('int_loads_averaged') }}

),

closed_loops as (

    select
        *,
        throughput_per_second / nullif(output_tokens_per_response, 0) as requests_per_second
    from {{ ref('int_configurations_averaged') }}

),

objectives as (

    select * from {{ ref('int_loads_by_objective') }}
    where is_default

),

models as (

    select * from {{ ref('int_models') }}

),

-- Most that the server can answer: the best closed loop of the same setup, at any batch size up to its own.
maxima as (

    select
        loads.load_id,
        max(closed_loops.requests_per_second) as closed_loop_requests_per_second
    from loads
    inner join closed_loops
        on
            loads.comparability_id = closed_loops.comparability_id
            and loads.model_id = closed_loops.model_id
            and loads.weight_precision = closed_loops.weight_precision
            and loads.task = closed_loops.task
            and loads.gpu_model = closed_loops.gpu_model
            and loads.num_gpus = closed_loops.num_gpus
            and loads.tensor_parallel = closed_loops.tensor_parallel
            and loads.expert_parallel = closed_loops.expert_parallel
            and loads.data_parallel = closed_loops.data_parallel
            and loads.model_revision is not distinct from closed_loops.model_revision
            and loads.batch_size >= closed_loops.batch_size
    group by loads.load_id

),

idle as (

    select
        server_setup_id,
        mean_power_watts as idle_power_watts
    from loads
    where request_rate = 0

)

select
    loads.load_id,
    loads.server_setup_id,
    loads.data_source,
    loads.configuration_id,
    loads.comparability_id,
    coalesce(models.nickname, loads.model_id) as nickname,
    {{ identity_columns('loads') }},
    loads.last_measured_at,
    cast(loads.runs as integer) as runs,
    cast(loads.energy_runs as integer) as energy_runs,
    loads.energy_source,
    loads.is_sustained,
    loads.offered_requests_per_second,
    loads.completed_requests_per_second,
    maxima.closed_loop_requests_per_second,
    loads.request_rate / nullif(maxima.closed_loop_requests_per_second, 0) as share_of_closed_loop,
    objectives.objective,
    objectives.goodput_requests_per_second,
    objectives.meets_objective,
    loads.throughput_per_second,
    loads.energy_per_output_joules,
    {{ lower_end('loads.energy_per_output_joules', 'loads.energy_per_output_half_width_joules') }}
        as energy_per_output_low_joules,
    loads.energy_per_output_joules + loads.energy_per_output_half_width_joules
        as energy_per_output_high_joules,
    loads.energy_within_run_interval,
    loads.energy_per_response_joules,
    loads.mean_power_watts,
    {{ lower_end('loads.mean_power_watts', 'loads.mean_power_half_width_watts') }} as mean_power_low_watts,
    loads.mean_power_watts + loads.mean_power_half_width_watts as mean_power_high_watts,
    idle.idle_power_watts,
    loads.idle_share,
    loads.mean_backlog,
    loads.backlog_growth_per_second,
    loads.arrival_error_p99_ms,
    {% for percentile in [50, 90, 95, 99] %}
        loads.ttft_p{{ percentile }}_ms,
    {% endfor %}
    {% for percentile in [50, 90, 95, 99] %}
        loads.itl_p{{ percentile }}_ms,
    {% endfor %}
    loads.e2e_p50_ms,
    loads.e2e_p99_ms
from loads
left join maxima using (load_id)
left join objectives using (load_id)
left join idle using (server_setup_id)
left join models on loads.model_id = models.model_id and loads.data_source = models.data_source
order by loads.data_source, loads.server_setup_id, loads.burstiness, loads.request_rate, loads.load_id
