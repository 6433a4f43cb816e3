{# The order in which sources of variance are named: nested ones first, the smallest first. #}
{% macro source_position(source) -%}
    cast(
        list_position(['window', 'run', 'server', 'day', 'gpu', 'host', 'heat', 'instrument', 'weights'], {{ source }})
        as integer
    )
{%- endmacro %}

{# The sources of a row with one of these verdicts, in order; NULL without any. #}
{% macro sources_that(condition) -%}
    string_agg(source, ', ' order by {{ source_position('source') }}) filter ({{ condition }})
{%- endmacro %}
