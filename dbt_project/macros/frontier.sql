{# For each latency on a frontier: the lowest energy at it, the lowest among faster ones, and whose they are.
   Grouping by latency first keeps rows that are equal in both from dominating each other, and leaves one
   running minimum to compute. #}
{% macro best_by_latency(relation, frontier_id) -%}
    select
        {{ frontier_id }},
        latency_seconds,
        best_joules,
        best_id,
        min(best_joules) over faster as faster_joules,
        arg_min(best_id, best_joules) over faster as faster_id
    from (
        select
            {{ frontier_id }},
            latency_seconds,
            min(energy_per_output_joules) as best_joules,
            arg_min(leaderboard_id, energy_per_output_joules) as best_id
        from {{ relation }}
        group by {{ frontier_id }}, latency_seconds
    )
    window faster as (
        partition by {{ frontier_id }} order by latency_seconds
        rows between unbounded preceding and 1 preceding
    )
{%- endmacro %}

{# No other row is no slower, takes no more energy, and is better in one of the two. #}
{% macro is_undominated(best) -%}
    configurations.energy_per_output_joules = {{ best }}.best_joules
    and coalesce({{ best }}.faster_joules > configurations.energy_per_output_joules, true)
{%- endmacro %}
