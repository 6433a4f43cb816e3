with runs as (

    select * from {{ ref('int_runs_judged') }}

),

windows as (

    select
        *,
        coalesce(steady_output_tokens, steady_output_items) as steady_outputs,
        coalesce(mlenergy_output_tokens, mlenergy_output_items) as mlenergy_outputs,
        case when steady_settled then steady_end_seconds - steady_start_seconds end as steady_seconds,
        case when counts_for_energy then steady_counter_joules end as energy_joules,
        case when counts_for_energy then steady_counter_seconds end as energy_seconds,
        case when counts_for_energy and mlenergy_settled then mlenergy_counter_joules end
            as mlenergy_energy_joules,
        coalesce(mean_output_tokens, output_tokens / nullif(requests_completed, 0))
            as output_tokens_per_response,
        coalesce(server_start_seconds, warm_up_seconds, measure_seconds) is not null as has_phases
    from runs

),

ratios as (

    select
        *,
        energy_joules / nullif(steady_outputs, 0) as energy_per_output_joules,
        mlenergy_energy_joules / nullif(mlenergy_outputs, 0) as mlenergy_window_energy_per_output_joules,
        case when counts_for_energy then steady_within_run_interval end as energy_within_run_interval,
        energy_joules / nullif(energy_seconds, 0) as mean_power_watts,
        steady_counter_joules / nullif(steady_integral_joules, 0) - 1 as instrument_difference,
        steady_outputs / nullif(steady_seconds, 0) as throughput_per_second,
        output_tokens / nullif(duration_seconds, 0) as whole_run_throughput_per_second,
        -- A pipeline generates items in batches; it has no running requests.
        case when steady_output_items is null then steady_mean_running_requests end as mean_running_requests,
        steady_seconds * batch_size / nullif(steady_output_items, 0) as batch_latency_seconds,
        server_cpu_seconds / nullif(steady_seconds, 0) as server_cpu_cores,
        server_frontend_cpu_seconds / nullif(steady_seconds, 0) as frontend_cpu_cores,
        -- A phase that did not take place adds nothing; without any phase the time is unknown.
        case
            when has_phases
                then
                    coalesce(server_start_seconds, 0)
                    + coalesce(warm_up_seconds, 0)
                    + coalesce(measure_seconds, 0)
        end as phase_seconds,
        -- A phase that was timed and has no energy reading leaves the energy of all phases unknown.
        case
            when
                has_phases
                and (server_start_seconds is null or server_start_joules is not null)
                and (warm_up_seconds is null or warm_up_joules is not null)
                and (measure_seconds is null or measure_joules is not null)
                then
                    coalesce(server_start_joules, 0)
                    + coalesce(warm_up_joules, 0)
                    + coalesce(measure_joules, 0)
        end as phase_joules
    from windows

)

select
    *,
    -- A response is one item or all tokens of one answer.
    case
        when steady_output_items is null then energy_per_output_joules * output_tokens_per_response
        else energy_per_output_joules
    end as energy_per_response_joules
from ratios
