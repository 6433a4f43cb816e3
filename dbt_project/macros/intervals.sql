{# The number of distinct values of the rows with energy. NULL if there is none, or if one of them is NULL. #}
{% macro distinct_behind_energy(column) -%}
    case when bool_and({{ column }} is not null) filter (energy_per_output_joules is not null)
        then count(distinct {{ column }}) filter (energy_per_output_joules is not null) end
{%- endmacro %}

{# The verdict on a relative change from half the width of its 95 % interval. Less is better. #}
{% macro change_verdict(change, half_width) -%}
    case
        when {{ change }} is null then 'not measured'
        when {{ half_width }} is null then 'too few repeats'
        when {{ change }} + {{ half_width }} < 0 then 'better'
        when {{ change }} - {{ half_width }} > 0 then 'worse'
        else 'no clear change'
    end
{%- endmacro %}

{# The lower end of an interval of energy or power, which is never negative. NULL without a half width. #}
{% macro lower_end(mean, half_width) -%}
    case when {{ mean }} - {{ half_width }} < 0 then 0 else {{ mean }} - {{ half_width }} end
{%- endmacro %}
