with pairs as (

    select * from {{ ref('int_runtime_versions_paired') }}

),

servers as (

    select * from {{ ref('int_server_starts') }}

),

scatter as (

    select * from {{ ref('int_server_scatter') }}

),

t_quantiles as (

    select * from {{ ref('t_quantiles') }}

),

versions as (

    {{ both_versions('pairs') }}

),

compared as (

    select
        versions.leaderboard_id,
        versions.old_leaderboard_id,
        versions.is_later_version,
        servers.data_source,
        servers.architecture,
        servers.model_id,
        servers.gpu_uuids,
        servers.first_measured_at,
        servers.energy_per_output_joules
    from versions
    inner join servers on versions.measured_id = servers.leaderboard_id

),

blocks as (

    select
        leaderboard_id,
        old_leaderboard_id,
        data_source,
        architecture,
        model_id,
        gpu_uuids,
        count(*) filter (is_later_version) as servers,
        count(*) filter (not is_later_version) as old_servers,
        avg(energy_per_output_joules) filter (is_later_version) as figure,
        avg(energy_per_output_joules) filter (not is_later_version) as old_figure,
        -- A B B A: neither version was measured only before or only after the other.
        least(servers, old_servers) >= 2
        and min(first_measured_at) filter (is_later_version)
        < max(first_measured_at) filter (not is_later_version)
        and min(first_measured_at) filter (not is_later_version)
        < max(first_measured_at) filter (is_later_version) as is_rerun
    from compared
    group by all
    having least(servers, old_servers) >= 1

),

averaged as (

    select
        leaderboard_id,
        old_leaderboard_id,
        data_source,
        architecture,
        model_id,
        count(*) as blocks,
        avg(figure) as figure,
        avg(old_figure) as old_figure,
        sum(1 / servers + 1 / old_servers) as inverse_servers,
        count(*) filter (is_rerun) as rerun_blocks,
        sum(servers) filter (is_rerun) as rerun_servers,
        sum(old_servers) filter (is_rerun) as old_rerun_servers,
        avg(figure) filter (is_rerun) as rerun_figure,
        avg(old_figure) filter (is_rerun) as old_rerun_figure,
        sum(1 / servers + 1 / old_servers) filter (is_rerun) as rerun_inverse_servers
    from blocks
    group by all

),

confirmations as (

    select
        averaged.leaderboard_id,
        averaged.old_leaderboard_id,
        averaged.figure / nullif(averaged.old_figure, 0) - 1 as change,
        t_quantiles.t_95 * scatter.relative_scatter * sqrt(averaged.inverse_servers) / averaged.blocks
        * averaged.figure / nullif(averaged.old_figure, 0) as change_half_width,
        averaged.rerun_servers,
        averaged.old_rerun_servers,
        averaged.rerun_figure / nullif(averaged.old_rerun_figure, 0) - 1 as rerun_change,
        t_quantiles.t_999 * scatter.relative_scatter * sqrt(averaged.rerun_inverse_servers)
        / nullif(averaged.rerun_blocks, 0)
        * averaged.rerun_figure / nullif(averaged.old_rerun_figure, 0) as rerun_change_half_width,
        t_quantiles.t_95 / t_quantiles.t_999 * rerun_change_half_width as rerun_change_half_width_90
    from averaged
    inner join scatter using (data_source, architecture, model_id)
    -- 200 is the last row of the table; the quantiles of more degrees are smaller by at most 1 %.
    left join t_quantiles on least(scatter.degrees_of_freedom, 200) = t_quantiles.degrees_of_freedom

)

select
    *,
    coalesce(abs(change) > change_half_width, false) as is_candidate,
    coalesce(abs(rerun_change) > rerun_change_half_width, false) as is_confirmed
from confirmations
