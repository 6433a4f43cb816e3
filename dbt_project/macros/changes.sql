{# Whether a figure differs between two publications by more than the noise of a floating-point sum. #}
{% macro moved(new, old) -%}
    (({{ new }} is null) <> ({{ old }} is null) or coalesce(abs({{ new }} - {{ old }}) > 1e-9 * abs({{ old }}), false))
{%- endmacro %}
