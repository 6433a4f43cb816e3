{# Three columns of a figure: how many values it has, their mean, the sum of their squared deviations. #}
{% macro spread(figure, name) -%}
    count({{ figure }}) as {{ name }}_repeats,
    avg({{ figure }}) as {{ name }}_figure,
    count({{ figure }}) * var_pop({{ figure }}) as {{ name }}_squared_deviations
{%- endmacro %}
