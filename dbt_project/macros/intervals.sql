{# Welch-Satterthwaite degrees of freedom from the two squared standard errors, within 1..200. #}
{% macro welch_degrees(new_variance, new_repeats, old_variance, old_repeats) -%}
    case
        when {{ new_variance }} is null or {{ old_variance }} is null then null
        when {{ new_variance }} + {{ old_variance }} = 0 then least({{ new_repeats }}, {{ old_repeats }}) - 1
        else greatest(1, least(
            200,
            power({{ new_variance }} + {{ old_variance }}, 2)
            / (
                power({{ new_variance }}, 2) / ({{ new_repeats }} - 1)
                + power({{ old_variance }}, 2) / ({{ old_repeats }} - 1)
            )
        ))
    end
{%- endmacro %}

{# t for degrees of freedom that are no whole number, between the rows of `quantiles` below and above: straight in
   their reciprocal, which is never less than t itself. Two repeats against two have between 1 and 2. #}
{% macro t_975_between(quantiles, degrees) -%}
    {{ quantiles }}.t_975 - ({{ quantiles }}.t_975 - {{ quantiles }}.next_t_975)
        * (1 / {{ quantiles }}.degrees_of_freedom - 1 / {{ degrees }})
        / (1 / {{ quantiles }}.degrees_of_freedom - 1 / ({{ quantiles }}.degrees_of_freedom + 1))
{%- endmacro %}

{# How many distinct values the rows with energy have. NULL without any, and where one of them does not say. #}
{% macro distinct_behind_energy(column) -%}
    case when bool_and({{ column }} is not null) filter (energy_per_output_joules is not null)
        then count(distinct {{ column }}) filter (energy_per_output_joules is not null) end
{%- endmacro %}

{# What a relative change says, given half the width of its 95 % interval. Less is better. #}
{% macro change_verdict(change, half_width) -%}
    case
        when {{ change }} is null then 'not measured'
        when {{ half_width }} is null then 'too few repeats'
        when {{ change }} + {{ half_width }} < 0 then 'better'
        when {{ change }} - {{ half_width }} > 0 then 'worse'
        else 'no clear change'
    end
{%- endmacro %}
