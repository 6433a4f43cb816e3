with runs as (

    select
        run_id,
        load_id,
        steady_start_seconds,
        steady_end_seconds,
        steady_seconds
    from {{ ref('int_open_loop_runs') }}
    where request_rate > 0 and steady_settled

),

latencies as (

    select * from {{ ref('stg_jouleboard__request_latencies') }}

),

objectives as (

    select * from {{ ref('int_objectives') }}

),

-- A run without latencies of its requests has no goodput; one whose requests all failed the objective has 0.
of_runs as (

    select
        runs.run_id,
        runs.load_id,
        objectives.objective,
        count(*) filter (
            coalesce(latencies.ttft_ms <= objectives.ttft_ceiling_ms, objectives.ttft_ceiling_ms is null)
            and coalesce(
                latencies.tpot_ms <= objectives.itl_ceiling_ms,
                latencies.tpot_ms is null or objectives.itl_ceiling_ms is null
            )
        ) / any_value(runs.steady_seconds) as goodput_requests_per_second
    from runs
    inner join latencies
        on
            runs.run_id = latencies.run_id
            and runs.steady_start_seconds < latencies.sent_seconds
            and runs.steady_end_seconds >= latencies.sent_seconds
    cross join objectives
    group by runs.run_id, runs.load_id, objectives.objective

)

select
    load_id,
    objective,
    avg(goodput_requests_per_second) as goodput_requests_per_second
from of_runs
group by load_id, objective
