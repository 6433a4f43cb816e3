{% set compared -%}
    leaderboard_id, old_leaderboard_id, old_runtime_version, versions_back, on_same_gpus
{%- endset -%}
{% set comparison = compared ~ ', metric' -%}

with gpus as (

    select * from {{ ref('int_gpus_compared_by_version') }}

),

t_quantiles as (

    select * from {{ ref('t_quantiles') }}

),

metrics as (

    {% for metric in ['energy', 'latency'] %}
        select
            {{ compared }},
            '{{ metric }}' as metric,
            gpu_uuids,
            is_later_version,
            {{ metric }}_repeats as repeats,
            {{ metric }}_figure as figure,
            {{ metric }}_squared_deviations as squared_deviations
        from gpus
        {{ '    union all' if not loop.last }}
    {% endfor %}

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
        * exclude (repeats),
        case
            when
                on_same_gpus is not true
                or bool_or(is_later_version and repeats > 0) over blocks
                and bool_or(not is_later_version and repeats > 0) over blocks
                then repeats
            else 0
        end as repeats
    from blocked
    window blocks as (partition by leaderboard_id, old_leaderboard_id, metric, block)

),

weighed as (

    select
        *,
        sum(repeats * figure) over cell / nullif(sum(repeats) over cell, 0) as cell_figure
    from compared
    window cell as (partition by leaderboard_id, old_leaderboard_id, metric, block, is_later_version)

),

cells as (

    select
        {{ comparison }},
        block,
        is_later_version,
        cell_figure as figure,
        sum(repeats) as repeats,
        sum(squared_deviations + repeats * (figure - cell_figure) ** 2) filter (repeats > 0)
            as squared_deviations
    from weighed
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
