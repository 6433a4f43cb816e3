with runs as (

    select * from {{ ref('int_open_loop_runs') }}

),

t_quantiles as (

    select * from {{ ref('t_quantiles') }}

),

averaged as (

    select
        load_id,
        server_setup_id,
        data_source,
        configuration_id,
        comparability_id,
        output_unit,
        {{ identity_columns() }},
        count(*) as runs,
        count(mean_power_watts) as energy_runs,
        max(finished_at) as last_measured_at,
        bool_and(is_sustained) as is_sustained,
        coalesce(max(energy_source) filter (mean_power_watts is not null), 'none') as energy_source,
        avg(offered_requests_per_second) as offered_requests_per_second,
        avg(completed_requests_per_second) as completed_requests_per_second,
        avg(throughput_per_second) as throughput_per_second,
        avg(energy_per_output_joules) as energy_per_output_joules,
        stddev_samp(energy_per_output_joules) as energy_per_output_stddev_joules,
        max(energy_within_run_interval) as energy_within_run_interval,
        avg(energy_per_response_joules) as energy_per_response_joules,
        avg(mean_power_watts) as mean_power_watts,
        stddev_samp(mean_power_watts) as mean_power_stddev_watts,
        avg(idle_share) as idle_share,
        avg(mean_backlog) as mean_backlog,
        max(backlog_growth_per_second) as backlog_growth_per_second,
        max(arrival_error_p99_ms) as arrival_error_p99_ms,
        {% for percentile in [50, 90, 95, 99] %}
            avg(ttft_p{{ percentile }}_ms) as ttft_p{{ percentile }}_ms,
            avg(itl_p{{ percentile }}_ms) as itl_p{{ percentile }}_ms,
        {% endfor %}
        avg(e2e_p50_ms) as e2e_p50_ms,
        avg(e2e_p99_ms) as e2e_p99_ms
    from runs
    group by all

)

select
    averaged.*,
    t_quantiles.t_975 * averaged.energy_per_output_stddev_joules / sqrt(averaged.energy_runs)
        as energy_per_output_half_width_joules,
    t_quantiles.t_975 * averaged.mean_power_stddev_watts / sqrt(averaged.energy_runs)
        as mean_power_half_width_watts
from averaged
left join t_quantiles on least(averaged.energy_runs - 1, 200) = t_quantiles.degrees_of_freedom
