{# What a run cost: all phases that took place. A phase without a reading leaves the run's energy unknown. #}
{% macro phase_seconds() -%}
    coalesce(server_start_seconds, 0) + coalesce(warm_up_seconds, 0) + coalesce(measure_seconds, 0)
{%- endmacro %}

{% macro has_phases() -%}
    coalesce(server_start_seconds, warm_up_seconds, measure_seconds) is not null
{%- endmacro %}

{% macro phase_joules() -%}
    case
        when {{ has_phases() }}
            and (server_start_seconds is null or server_start_joules is not null)
            and (warm_up_seconds is null or warm_up_joules is not null)
            and (measure_seconds is null or measure_joules is not null)
            then coalesce(server_start_joules, 0) + coalesce(warm_up_joules, 0) + coalesce(measure_joules, 0)
    end
{%- endmacro %}
