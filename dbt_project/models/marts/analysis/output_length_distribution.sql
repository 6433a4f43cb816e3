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

widths_of_runs as (

    select
        run_id,
        max(bin_end_tokens - bin_start_tokens) as bin_tokens
    from bins
    where responses > 0
    group by run_id

),

widths_of_rows as (

    select
        measurements.leaderboard_id,
        max(widths_of_runs.bin_tokens) as bin_tokens,
        count(*) as runs
    from widths_of_runs
    inner join measurements on widths_of_runs.run_id = measurements.measurement_id
    group by measurements.leaderboard_id

),

of_rows as (

    select
        measurements.leaderboard_id,
        measurements.data_source,
        bins.bin_start_tokens,
        bins.bin_end_tokens,
        bins.responses,
        widths_of_rows.bin_tokens,
        widths_of_rows.runs
    from bins
    inner join measurements on bins.run_id = measurements.measurement_id
    inner join widths_of_rows on measurements.leaderboard_id = widths_of_rows.leaderboard_id
    where bins.responses > 0

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
