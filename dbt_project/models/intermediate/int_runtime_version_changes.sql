{% set comparison -%}
    leaderboard_id, old_leaderboard_id, old_runtime_version, versions_back, on_same_gpus, metric
{%- endset -%}

with runs as (

    select * from {{ ref('int_runs_compared_by_version') }}

),

t_quantiles as (

    select * from {{ ref('t_quantiles') }}

),

metrics as (

    select
        *,
        'energy' as metric,
        energy_per_output_joules as figure
    from runs
    union all
    select
        *,
        'latency' as metric,
        latency_seconds as figure
    from runs

),

blocked as (

    -- GPUs differ, and their numbers of runs differ: versions are compared only within a block.
    select
        *,
        case when on_same_gpus then gpu_uuids end as block
    from metrics

),

compared as (

    -- A GPU without a figure of both versions is left out. Without common GPUs all runs stay in one block.
    select
        * replace (
            case
                when
                    on_same_gpus is not true
                    or bool_or(is_later_version and figure is not null) over blocks
                    and bool_or(not is_later_version and figure is not null) over blocks
                    then figure
            end as figure
        )
    from blocked
    window blocks as (partition by leaderboard_id, old_leaderboard_id, metric, block)

),

cells as (

    select
        {{ comparison }},
        block,
        is_later_version,
        count(figure) as repeats,
        avg(figure) as figure,
        count(figure) * var_pop(figure) as squared_deviations
    from compared
    group by all

),

averaged as (

    select
        {{ comparison }},
        sum(repeats) filter (is_later_version) as repeats,
        sum(repeats) filter (not is_later_version) as old_repeats,
        -- Each block has the same weight in both figures, whatever its numbers of runs.
        avg(figure) filter (is_later_version) as figure,
        avg(figure) filter (not is_later_version) as old_figure,
        sum(squared_deviations) as squared_deviations,
        sum(repeats) - count(figure) as degrees_of_freedom,
        sum(1 / nullif(repeats, 0)) as inverse_repeats,
        count(figure) filter (is_later_version) as blocks
    from cells
    group by all

),

averaged_with_quantiles as (

    select
        averaged.*,
        t_quantiles.t_975
    from averaged
    -- 200 is the last row of the table; beyond it the quantile stays between 1.97 and 1.96.
    left join t_quantiles
        on
            least(averaged.degrees_of_freedom, 200) = t_quantiles.degrees_of_freedom
            and least(averaged.repeats, averaged.old_repeats) >= 2

),

changes as (

    select
        * exclude (squared_deviations, degrees_of_freedom, inverse_repeats, blocks, t_975),
        figure / nullif(old_figure, 0) - 1 as change,
        t_975
        * sqrt(squared_deviations / nullif(degrees_of_freedom, 0) * inverse_repeats) / blocks
        / nullif(old_figure, 0) as change_half_width
    from averaged_with_quantiles

)

select * from changes
