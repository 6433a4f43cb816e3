{# One row per pair, row of the two and GPU that is compared. pairs: a model of pairs of rows
   (leaderboard_id and other_id). is_one: the column that says whether it is the row of leaderboard_id. GPUs
   of one model differ: where both rows were measured on a common GPU, only common GPUs are compared, else
   all. #}
{% macro gpus_compared(pairs, other_id, is_one) -%}
with pairs as (

    select * from {{ ref(pairs) }}

),

measurements as (

    select * from {{ ref('int_measurements_unioned') }}
    where counts_for_speed

),

-- Runs are added up before they are paired: a row is compared with every earlier version of it.
gpus as (

    select
        leaderboard_id,
        gpu_uuids,
        {{ spread('energy_per_output_joules', 'energy') }},
        {{ spread('latency_seconds', 'latency') }}
    from measurements
    group by all

),

rows_of_pairs as (

    {{ both_versions('pairs', other_id, is_one) }}

),

sides as (

    select
        rows_of_pairs.*,
        gpus.gpu_uuids,
        gpus.energy_repeats,
        gpus.energy_figure,
        gpus.energy_squared_deviations,
        gpus.latency_repeats,
        gpus.latency_figure,
        gpus.latency_squared_deviations
    from rows_of_pairs
    inner join gpus on rows_of_pairs.measured_id = gpus.leaderboard_id

),

deciding as (

    -- If energy can be compared, a GPU without energy in one of the rows is not common to them.
    select
        *,
        energy_repeats > 0 or not (
            sum(energy_repeats) filter ({{ is_one }}) over pair > 0
            and sum(energy_repeats) filter (not {{ is_one }}) over pair > 0
        ) as decides
    from sides
    window pair as (partition by leaderboard_id, {{ other_id }})

),

placed as (

    select
        * exclude (decides),
        gpu_uuids is not null
        and bool_or(decides and {{ is_one }}) over same_gpus
        and bool_or(decides and not {{ is_one }}) over same_gpus as is_on_common_gpus
    from deciding
    window same_gpus as (partition by leaderboard_id, {{ other_id }}, gpu_uuids)

),

labelled as (

    select
        *,
        case
            when bool_or(is_on_common_gpus) over pair then true
            when bool_and(gpu_uuids is not null) over pair then false
        end as on_same_gpus
    from placed
    window pair as (partition by leaderboard_id, {{ other_id }})

),

compared as (

    select * exclude (is_on_common_gpus)
    from labelled
    where is_on_common_gpus or on_same_gpus is not true

)

select * from compared
{%- endmacro %}

{# The changes between the two rows of a pair per metric, in blocks of one GPU each where both were measured
   on common GPUs (int_runtime_version_changes says how). gpus: a model of `gpus_compared`. kept: further
   columns of the pair. #}
{% macro changes_in_blocks(gpus, other_id, is_one, kept=[]) -%}
    {%- set compared = (['leaderboard_id', other_id] + kept + ['on_same_gpus']) | join(', ') -%}
    {%- set comparison = compared ~ ', metric' -%}
with gpus as (

    select * from {{ ref(gpus) }}

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
            {{ is_one }},
            {{ metric }}_repeats as repeats,
            {{ metric }}_figure as figure,
            {{ metric }}_squared_deviations as squared_deviations
        from gpus
        {{ '    union all' if not loop.last }}
    {% endfor %}

),

blocked as (

    -- GPUs differ, and their numbers of runs differ: rows are compared only within a block.
    select
        *,
        case when on_same_gpus then gpu_uuids end as block
    from metrics

),

compared as (

    -- A GPU without a figure of both rows is left out. Without common GPUs all runs stay in one block.
    select
        * exclude (repeats),
        case
            when
                on_same_gpus is not true
                or bool_or({{ is_one }} and repeats > 0) over blocks
                and bool_or(not {{ is_one }} and repeats > 0) over blocks
                then repeats
            else 0
        end as repeats
    from blocked
    window blocks as (partition by leaderboard_id, {{ other_id }}, metric, block)

),

weighed as (

    select
        *,
        sum(repeats * figure) over cell / nullif(sum(repeats) over cell, 0) as cell_figure
    from compared
    window cell as (partition by leaderboard_id, {{ other_id }}, metric, block, {{ is_one }})

),

cells as (

    select
        {{ comparison }},
        block,
        {{ is_one }},
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
        sum(repeats) filter ({{ is_one }}) as repeats,
        sum(repeats) filter (not {{ is_one }}) as old_repeats,
        -- Each block has the same weight in both figures, whatever its numbers of runs.
        avg(figure) filter ({{ is_one }}) as figure,
        avg(figure) filter (not {{ is_one }}) as old_figure,
        sum(squared_deviations) as squared_deviations,
        sum(repeats) - count(figure) as degrees_of_freedom,
        sum(1 / nullif(repeats, 0)) as inverse_repeats,
        count(figure) filter ({{ is_one }}) as blocks
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
{%- endmacro %}

{# The steps `energy` and `latency` of a mart: one row per pair each, of the step `changes`. #}
{% macro changes_by_metric() -%}
energy as (

    select * from changes
    where metric = 'energy'

),

latency as (

    select * from changes
    where metric = 'latency'

)
{%- endmacro %}

{# For `* replace (...)`: without a common GPU the difference would be that of the GPUs, so there is no
   change. #}
{% macro no_change_without_common_gpus() -%}
    case when on_same_gpus is not false then change end as change,
    case when on_same_gpus is not false then change_half_width end as change_half_width
{%- endmacro %}
