with loads as (

    select * from {{ ref('energy_under_load') }}

),

setups as (

    select * from {{ ref('int_loads_averaged') }}

),

objectives as (

    select * from {{ ref('int_objectives') }}

),

judged as (

    select * from {{ ref('int_loads_by_objective') }}

),

-- The power at full load is that of the highest rate that the server keeps up with, whatever the latency.
full_loads as (

    select
        server_setup_id,
        burstiness,
        max(request_rate) as full_request_rate,
        arg_max(mean_power_watts, request_rate) as full_power_watts
    from loads
    where is_sustained and request_rate > 0
    group by server_setup_id, burstiness

),

shares as (

    select
        loads.server_setup_id,
        loads.burstiness,
        loads.request_rate / full_loads.full_request_rate as load_share,
        loads.mean_power_watts / nullif(full_loads.full_power_watts, 0) as power_share
    from loads
    inner join full_loads
        on
            loads.server_setup_id = full_loads.server_setup_id
            and loads.burstiness = full_loads.burstiness

),

-- Only measured rates count, and only near the share: nothing is interpolated.
at_shares as (

    select
        server_setup_id,
        burstiness,
        arg_min(power_share, abs(load_share - 0.1)) filter (load_share between 0.08 and 0.12)
            as power_share_at_10_percent,
        arg_min(power_share, abs(load_share - 0.5)) filter (load_share between 0.4 and 0.6)
            as power_share_at_50_percent
    from shares
    group by server_setup_id, burstiness

),

curves as (

    select
        loads.server_setup_id,
        loads.burstiness,
        judged.objective,
        count(*) as rates,
        max(loads.request_rate) as highest_measured_rate,
        max(loads.request_rate) filter (judged.meets_objective) as highest_request_rate,
        min(loads.request_rate) filter (not judged.meets_objective) as lowest_missed_rate,
        arg_max(loads.load_id, loads.request_rate) filter (judged.meets_objective) as best_load_id,
        any_value(loads.load_id) as any_load_id
    from loads
    inner join judged using (load_id)
    group by loads.server_setup_id, loads.burstiness, judged.objective

),

best as (

    select
        curves.*,
        judged.goodput_requests_per_second
    from curves
    left join judged on curves.best_load_id = judged.load_id and curves.objective = judged.objective

)

select
    {{ hash_of(['best.server_setup_id', 'best.burstiness', 'best.objective']) }} as capacity_id,
    best.server_setup_id,
    setups.data_source,
    setups.comparability_id,
    named.nickname,
    {{ identity_columns('setups') }},
    best.objective,
    cast(objectives.ttft_percentile as integer) as ttft_percentile,
    objectives.ttft_ceiling_ms,
    cast(objectives.itl_percentile as integer) as itl_percentile,
    objectives.itl_ceiling_ms,
    objectives.objective_source,
    cast(best.rates as integer) as rates,
    best.highest_measured_rate,
    best.highest_request_rate,
    best.lowest_missed_rate,
    coalesce(best.highest_request_rate = best.highest_measured_rate, false) as is_met_throughout,
    best.best_load_id as load_id,
    best.goodput_requests_per_second,
    loads.throughput_per_second,
    loads.energy_per_output_joules,
    loads.energy_per_response_joules,
    loads.mean_power_watts,
    3.6e6 / nullif(loads.energy_per_response_joules, 0) as requests_per_kwh,
    1000 * loads.throughput_per_second / nullif(loads.mean_power_watts, 0) as throughput_per_kilowatt,
    named.idle_power_watts,
    full_loads.full_request_rate,
    full_loads.full_power_watts,
    named.idle_power_watts / nullif(full_loads.full_power_watts, 0) as power_share_idle,
    at_shares.power_share_at_10_percent,
    at_shares.power_share_at_50_percent
from best
inner join setups on best.any_load_id = setups.load_id
inner join loads as named on best.any_load_id = named.load_id
inner join objectives on best.objective = objectives.objective
left join loads on best.best_load_id = loads.load_id
left join full_loads
    on best.server_setup_id = full_loads.server_setup_id and best.burstiness = full_loads.burstiness
left join at_shares
    on best.server_setup_id = at_shares.server_setup_id and best.burstiness = at_shares.burstiness
order by setups.data_source, best.server_setup_id, best.burstiness, best.objective
