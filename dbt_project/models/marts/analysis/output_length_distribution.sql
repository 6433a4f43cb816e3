with measurements as (

    select * from {{ ref('int_measurements_unioned') }}
    where counts_for_speed

),

ours as (

    select * from {{ ref('stg_jouleboard__output_lengths') }}

),

published as (

    select
        measurement_id as run_id,
        unnest(bin_edges_tokens[:-2]) as bin_start_tokens,
        unnest(bin_edges_tokens[2:]) as bin_end_tokens,
        unnest(request_counts) as responses
    from {{ ref('stg_mlenergy__output_lengths') }}

),

bins as (

    select * from ours
    union all by name
    select * from published

),

of_rows as (

    select
        measurements.leaderboard_id,
        measurements.data_source,
        measurements.energy_per_output_joules,
        bins.bin_start_tokens,
        bins.responses,
        max(bins.bin_end_tokens - bins.bin_start_tokens) over of_row as bin_tokens,
        count(distinct bins.run_id) over of_row as runs,
        bins.bin_end_tokens
    from bins
    inner join measurements on bins.run_id = measurements.measurement_id
    where bins.responses > 0
    window of_row as (partition by measurements.leaderboard_id)

),

-- Widths are powers of two: bins of a run with short answers lie within those of a run with long ones.
added as (

    select
        leaderboard_id,
        data_source,
        case when runs = 1 then bin_start_tokens else floor(bin_start_tokens / bin_tokens) * bin_tokens end
            as bin_start_tokens,
        case when runs = 1 then bin_end_tokens else floor(bin_start_tokens / bin_tokens + 1) * bin_tokens end
            as bin_end_tokens,
        sum(responses) as responses
    from of_rows
    group by all

),

energy as (

    select
        leaderboard_id,
        avg(energy_per_output_joules) as energy_per_output_joules
    from measurements
    group by leaderboard_id

)

select
    added.leaderboard_id,
    added.data_source,
    cast(added.bin_start_tokens as double) as bin_start_tokens,
    cast(added.bin_end_tokens as double) as bin_end_tokens,
    cast(added.responses as bigint) as responses,
    added.responses / sum(added.responses) over (partition by added.leaderboard_id) as share_of_responses,
    added.bin_start_tokens * energy.energy_per_output_joules as energy_start_joules,
    added.bin_end_tokens * energy.energy_per_output_joules as energy_end_joules
from added
inner join energy using (leaderboard_id)
order by added.data_source, added.leaderboard_id, added.bin_start_tokens
