{# Who measured a run: of what others measured, each contributor is a source of its own. So no mart that keeps
   sources apart averages, compares or ranks their runs together with ours. #}
{% macro source_of_runs(runs, verdicts) -%}
    coalesce('{{ var("contributor_prefix") }}' || {{ verdicts }}.contributor, {{ runs }}.data_source)
{%- endmacro %}

{# Whether a source is a contributor. #}
{% macro is_contributed(data_source) -%}
    starts_with(coalesce({{ data_source }}, ''), '{{ var("contributor_prefix") }}')
{%- endmacro %}

{# How far figures can be relied on, by who measured them, and whether we have measured the same again. #}
{% macro tier(data_source, is_reproduced) -%}
    case
        when {{ data_source }} = 'jouleboard' then 'certified'
        when not {{ is_contributed(data_source) }} then 'published'
        when {{ is_reproduced }} then 'reproduced'
        else 'contributed'
    end
{%- endmacro %}
