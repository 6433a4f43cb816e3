{# For each latency on a frontier: the lowest energy at it, the lowest at lower latencies, and their rows.
   Rows are grouped by latency first, so that rows equal in both do not dominate each other, and one running
   minimum is enough. #}
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

{# True if no other row is at most as slow, takes at most as much energy, and is better in one. #}
{% macro is_undominated(best) -%}
    configurations.energy_per_output_joules = {{ best }}.best_joules
    and coalesce({{ best }}.faster_joules > configurations.energy_per_output_joules, true)
{%- endmacro %}
